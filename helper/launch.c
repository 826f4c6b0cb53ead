/*
 * The face outside: `launch RECORD WORKSPACE WATCH PORT NET GRANTED BWRAP ARGUMENT…`.
 *
 *   RECORD     the station's socket for this session's record, `-` for none
 *   WORKSPACE  its path, as inside
 *   WATCH      as the stage's; o: the session goes on when the record is lost. What records is then a process of its own,
 *              and when that is killed its parent answers in its place, and tells nobody.
 *   PORT       the proxy's
 *   NET        `any` to catch connections to any address, `proxy` for the proxy alone
 *   GRANTED    directories outside of the workspace whose reading is told (letter r), a line each
 *
 * To the client, on Node's channel: {"wall":PID} bubblewrap was started · "listener" with the proxy's listener ·
 * {"names":1} with the name service's socket · {"caught":PORT} with each further listener · then, when the client has
 * said "go", {"started":1} or {"execError":N,"there":N} · later {"ask":[id,"tcp",ADDRESS,PORT,COMMAND]}, which the client
 * answers with {"answer":[id,0|1,"name"]}. Ends with bubblewrap's exit code, which it says before: {"ended":CODE}, for a
 * client that did not start it itself (early.c) and hears nothing but the channel.
 *
 * The agent's terminal sends its keys to us too: they are the agent's alone.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
enum { SYNC_WAKE_UP = 1, FLUSH_MS = 20, LAST_MS = 3000, CONTROL_FD = 200 };
static const int KEYS[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGPIPE};

/*
 * Until bubblewrap's inner half is bound to the outer one it waits for it, for ever if need be: killing the outer half
 * alone would leave it behind. What loses its parent becomes ours (a subreaper's), and goes with it.
 */
static volatile pid_t outer;
static struct channel channel = {.fd = -1};
/* The terminal's process (terminal.c), where we lead its session. */
static pid_t terminal_pid;
/* Somebody else is bubblewrap's parent, and goes on where this process fails. */
static bool is_apart;

static void end_all(int signal_number) {
  (void)signal_number;
  char children[4096];
  if (outer > 0) kill(outer, SIGKILL);
  while (outer > 0 && waitpid(outer, NULL, 0) < 0 && errno == EINTR) continue;
  int list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  ssize_t length = list < 0 ? 0 : read(list, children, sizeof children);
  pid_t one = 0;
  for (ssize_t i = 0; i < length; i++) {
    if (children[i] >= '0' && children[i] <= '9') one = one * 10 + (children[i] - '0');
    else if (one > 0) kill(one, SIGKILL), one = 0;
  }
  static const char ENDED[] = "{\"ended\":125}\n";
  if (channel.fd >= 0) send(channel.fd, ENDED, sizeof ENDED - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  _exit(125);
}

static pid_t start_bubblewrap(char **command, int control) {
  pid_t parent = getpid(), child = fork();
  if (child < 0) die("fork: %s", strerror(errno));
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);
  /* On a terminal of our own (terminal.c) we lead its session: in our own group Ctrl-Z would stop nobody. */
  if (getsid(0) == parent && (setpgid(0, 0) != 0 || tcsetpgrp(0, getpid()) != 0)) die("terminal: %s", strerror(errno));
  /* bubblewrap ignores Ctrl-C and Ctrl-\, so that only the agent gets them and bubblewrap lives to tell its exit code. */
  for (size_t i = 2; i < sizeof KEYS / sizeof KEYS[0]; i++) signal(KEYS[i], SIG_DFL);
  char number[16];
  snprintf(number, sizeof number, "%d", CONTROL_FD);
  setenv(CONTROL_VARIABLE, number, 1);
  if (dup2(control, CONTROL_FD) < 0) die("control: %s", strerror(errno));
  execv(command[0], command);
  die("%s: %s", command[0], strerror(errno));
}

static void end_record(struct record *record) {
  const char *const end[] = {"."};
  const size_t one[] = {1};
  record_frame(record, end, one, 1);
  /* The station reads the programs that we hold open; it hangs up when it has. */
  struct pollfd station = {record->fd, POLLIN, 0};
  if (record_flush(record) && record->fd >= 0) poll(&station, 1, LAST_MS);
}

static _Noreturn void end_as(pid_t bubblewrap, struct record *record) {
  int status = 0;
  while (waitpid(bubblewrap, &status, 0) < 0 && errno == EINTR) continue;
  end_record(record);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  say(&channel, "{\"ended\":%d}", code);
  _exit(code);
}

/* Nothing may go on unrecorded: bubblewrap dies with us, and all inside with it. */
static _Noreturn void stop(pid_t bubblewrap) {
  if (is_apart) _exit(125);
  outer = bubblewrap;
  end_all(0);
  _exit(125);
}

static void give_sockets(struct channel *channel, struct sockets *sockets) {
  hand_over(channel, sockets->fd[0], "net.Server", "\"listener\"");
  close(sockets->fd[0]);
  sockets->fd[0] = -1;
  if (!sockets->any_address) return;
  hand_over(channel, sockets->fd[1], "dgram.Socket", "{\"names\":1}");
  close(sockets->fd[1]);
  sockets->fd[1] = -1;
  for (int i = 0; i < WELL_KNOWN; i++) {
    char message[32];
    snprintf(message, sizeof message, "{\"caught\":%d}", WELL_KNOWN_PORTS[i]);
    hand_over(channel, sockets->fd[2 + i], "net.Server", message);
    close(sockets->fd[2 + i]);
    sockets->fd[2 + i] = -1;
  }
}

static void await_go(struct channel *channel) {
  for (;;) {
    bool gone;
    const char *line = next_line(channel, true, &gone);
    if (gone) _exit(125);
    if (strcmp(line, "\"go\"") == 0) return;
  }
}

static pid_t await_stage(int control, pid_t bubblewrap, struct record *record) {
  char hello = 0;
  pid_t pid = 0;
  if (receive_with(control, &hello, 1, NULL, 0, NULL, &pid) != 1 || hello != 'h') end_as(bubblewrap, record);
  return pid;
}

static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* The stage's last word, or its silence: the program has started. True when it has not. */
static bool hear_end_of_stage(int control, struct channel *channel) {
  char answer[64] = {0};
  int why, there;
  if (receive_with(control, answer, sizeof answer - 1, NULL, 0, NULL, NULL) <= 0) {
    if (terminal_pid > 0) kill(terminal_pid, SIGUSR1); /* terminal.c: from now on every key is the program's */
    say(channel, "{\"started\":1}");
    return false;
  }
  if (sscanf(answer, "e %d %d", &why, &there) != 2) die("the stage said something else");
  say(channel, "{\"execError\":%d,\"there\":%d}", why, there);
  return true;
}

static bool hear_client(struct watcher *watcher) {
  for (;;) {
    bool gone;
    const char *line = next_line(watcher->channel, false, &gone);
    if (gone) return false;
    if (line == NULL) return true;
    if (!watch_answer(watcher, line)) return false;
  }
}

static bool hear_station(struct watcher *watcher) {
  char letter;
  if (recv(watcher->record->fd, &letter, 1, 0) == 1 && letter == 'k') return watch_release(watcher);
  return record_lose(watcher->record) && watch_release(watcher); /* nobody keeps anything any more */
}

enum { NOTICES, CLIENT, STATION, EXITS, CONTROL, WALL, WATCHED };

static _Noreturn void watch(struct watcher *watcher, int control, pid_t bubblewrap) {
  struct pollfd fds[WATCHED] = {
      [NOTICES] = {watcher->listener, POLLIN, 0},  [CLIENT] = {watcher->channel->fd, POLLIN, 0},
      [STATION] = {watcher->record->fd, POLLIN, 0}, [EXITS] = {watcher->exits, POLLIN, 0},
      [CONTROL] = {control, POLLIN, 0},             [WALL] = {-1, POLLIN, 0},
  };
  fds[WALL].fd = (int)syscall(__NR_pidfd_open, bubblewrap, 0);
  if (fds[WALL].fd < 0) die("pidfd_open: %s", strerror(errno));
  for (;;) {
    fds[STATION].fd = watcher->record->fd;
    int ready = poll(fds, WATCHED, watcher->record->filled > 0 ? FLUSH_MS : -1);
    if (ready < 0 && errno != EINTR) stop(bubblewrap);
    if (ready == 0 && !record_flush(watcher->record)) stop(bubblewrap);
    if (ready <= 0) continue;
    /* Before notices: a number may have been given to another process since. */
    if (fds[EXITS].revents != 0 && !watch_exits(watcher)) stop(bubblewrap);
    if ((fds[NOTICES].revents & POLLIN) != 0 && !watch_one(watcher)) stop(bubblewrap);
    fds[NOTICES].events = watch_has_room(watcher) ? POLLIN : 0;
    if ((fds[NOTICES].revents & POLLIN) == 0 && (fds[NOTICES].revents & (POLLHUP | POLLERR)) != 0)
      fds[NOTICES].fd = -1; /* nobody is left inside */
    if (fds[CLIENT].revents != 0 && !hear_client(watcher)) stop(bubblewrap);
    if (fds[STATION].revents != 0 && !hear_station(watcher)) stop(bubblewrap);
    if (watcher->may_change && watcher->held_count == 0) fds[NOTICES].events = POLLIN;
    if (fds[CONTROL].revents != 0) {
      hear_end_of_stage(control, watcher->channel);
      fds[CONTROL].fd = -1;
    }
    if (fds[WALL].revents != 0) {
      if (!watch_exits(watcher)) stop(bubblewrap);
      if (!is_apart) end_as(bubblewrap, watcher->record);
      end_record(watcher->record);
      _exit(0);
    }
  }
}

/* The parent of what records. Returns when that was killed, or cannot go on. */
static void outlive(pid_t recorder, pid_t bubblewrap, struct record *record) {
  int status = 0;
  close(record->fd); /* the station hears the other end close */
  record->fd = -1;
  while (waitpid(recorder, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) end_as(bubblewrap, record);
}

static const char *const *split(char *list) {
  static const char *parts[512];
  size_t count = 0;
  for (char *part = strtok(list, "\n"); part != NULL && count < 511; part = strtok(NULL, "\n")) parts[count++] = part;
  return parts;
}

int launch(int argc, char **argv) {
  static struct record record;
  static struct sockets sockets;
  const char *number = getenv("NODE_CHANNEL_FD");
  if (argc < 7 || number == NULL) die("the helper is started by the client");
  channel.fd = atoi(number);
  unsetenv("NODE_CHANNEL_FD");
  unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
  fcntl(channel.fd, F_SETFD, FD_CLOEXEC);
  const struct sigaction ending = {.sa_handler = end_all};
  sigaction(SIGTERM, &ending, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) signal(KEYS[i], SIG_IGN);
  if (getsid(0) == getpid()) terminal_pid = getppid();
  groups_take();
  record_open(&record, argv[0]);
  int control[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) die("socketpair: %s", strerror(errno));
  const int on = 1;
  setsockopt(control[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  pid_t bubblewrap = start_bubblewrap(argv + 6, control[1]);
  outer = bubblewrap;
  close(control[1]);
  say(&channel, "{\"wall\":%d}", (int)bubblewrap);
  groups_enter(bubblewrap);
  raise_descriptor_limit();
  pid_t stage = await_stage(control[0], bubblewrap, &record);
  groups_enter_parent(stage);
  groups_enter(stage);
  make_sockets(stage, atoi(argv[3]), strcmp(argv[4], "any") == 0, &sockets);
  give_sockets(&channel, &sockets);
  await_go(&channel);
  if (!send_with(control[0], "g", 1, NULL, 0)) end_as(bubblewrap, &record);
  char letter = 0;
  int listener = -1, count = 0;
  if (receive_with(control[0], &letter, 1, &listener, 1, &count, NULL) != 1) end_as(bubblewrap, &record);
  const __u64 flags = SYNC_WAKE_UP;
  if (count == 1) ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, &flags); /* quicker, from Linux 6.6 on */
  static struct watcher watcher;
  watcher = (struct watcher){
      .record = &record,
      .channel = &channel,
      .sockets = &sockets,
      .workspace = argv[1],
      .workspace_length = strlen(argv[1]),
      .granted = split(argv[5]),
      .reads = strchr(argv[2], 'r') != NULL,
      .listener = listener,
      .may_change = record.fd < 0,
  };
  watcher.carried = mmap(NULL, sizeof *watcher.carried, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (watcher.carried == MAP_FAILED) die("no memory");
  record.may_be_lost = strchr(argv[2], 'o') != NULL;
  const pid_t self = getpid(), recorder = record.may_be_lost && record.fd >= 0 ? fork() : -1;
  is_apart = recorder == 0;
  if (recorder > 0) {
    outlive(recorder, bubblewrap, &record);
    watcher.may_change = true;
    watch_open(&watcher, stage);
    watch_take_over(&watcher);
    send_with(control[0], "k", 1, NULL, 0); /* heard by nobody, unless it was killed just before it said so */
    watch(&watcher, control[0], bubblewrap);
  }
  if (is_apart && (prctl(PR_SET_PDEATHSIG, SIGKILL), getppid() != self)) _exit(125);
  watch_open(&watcher, stage);
  if (!send_with(control[0], "k", 1, NULL, 0)) end_as(bubblewrap, &record);
  /* Our own words of before; from here on standard error is the client's to read to its end. */
  watch(&watcher, control[0], bubblewrap);
}
