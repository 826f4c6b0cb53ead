/*
 * The person's terminal, kept apart from the program's: `terminal COMMAND…`.
 *
 * The program gets a terminal of its own (a pty, in a session of its own), and what it prints there reaches the person's
 * through a filter (escape.c) that lets nothing by which a terminal gives or takes the clipboard, types, prints, saves a
 * file, or answers with words that the program chose. Programs see an ordinary terminal: modes, sizes, signals, job control.
 *
 * Descriptors 0 and 1 are the person's terminal; 0, 1 and 4 (where it is one) become the program's. Until the command says
 * by SIGUSR1 that the program has started, or something is printed, Ctrl-C is the client's; then every key is the program's. When the job in there
 * stops, so do we and the client, with the terminal as it was, and `fg` goes on from there. SIGTERM and the client's death
 * end the command, and the terminal is put right. Ends with the command's exit code.
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
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 3, STDERR_FD = 4, CHUNK = 65536, SUSPEND = 0x1a, LOOKS = 40, LOOK_MS = 25, DRAIN_MS = 50, AT_ONCE = 8192 };

struct terminal {
  int master;
  pid_t command;
  struct termios before;
  bool is_raw, has_ended, is_gone; /* the person's terminal has gone */
  int status, looks; /* how often to look yet whether the job has stopped */
  char keys[CHUNK];
  size_t keys_held;
  char shown[4 * CHUNK];
  size_t shown_held;
  struct escapes escapes;
};

static void make_raw(struct terminal *t) {
  struct termios raw = t->before;
  cfmakeraw(&raw);
  if (tcsetattr(0, TCSADRAIN, &raw) == 0) t->is_raw = true;
}

static void put_right(struct terminal *t) {
  if (t->is_raw) tcsetattr(0, TCSADRAIN, &t->before);
  t->is_raw = false;
}

static void copy_size(struct terminal *t) {
  struct winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) ioctl(t->master, TIOCSWINSZ, &size);
}

static _Noreturn void be_command(struct terminal *t, char **command, pid_t parent) {
  int slave = open(ptsname(t->master), O_RDWR);
  if (setsid() < 0 || slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) die("terminal: %s", strerror(errno));
  tcsetattr(slave, TCSANOW, &t->before);
  for (int fd = 0; fd <= STDERR_FD; fd++)
    if ((fd < 2 || fd == STDERR_FD) && isatty(fd)) dup2(slave, fd);
  if (slave > STDERR_FD) close(slave);
  close(t->master);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(125);
  execv(command[0], command);
  die("%s: %s", command[0], strerror(errno));
}

/* ---- job control ---- */

static pid_t first_child(pid_t of) {
  char path[64], list[64] = {0};
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)of, (int)of);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, list, sizeof list - 1);
  close(fd);
  return length > 0 ? atoi(list) : 0;
}

static bool is_stopped(pid_t pid) {
  char path[64], text[512] = {0};
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return false;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  const char *end = length > 0 ? strrchr(text, ')') : NULL;
  return end != NULL && end[1] == ' ' && end[2] == 'T';
}

/* bubblewrap, which the terminal's own Ctrl-Z stops with the rest, or the program, which may stop itself alone. */
static bool has_job_stopped(struct terminal *t) {
  pid_t wall = first_child(t->command), first = first_child(wall);
  return is_stopped(wall) || is_stopped(first_child(first));
}

static void flush_shown(struct terminal *t, bool wait);

static void stop_with_job(struct terminal *t) {
  flush_shown(t, true);
  put_right(t);
  /* The client is in our group, and the person's shell hears of it. Where nobody could go on with us, nothing happens. */
  kill(0, SIGTSTP);
  tcgetattr(0, &t->before);
  copy_size(t);
  make_raw(t);
  pid_t wall = first_child(t->command), program = first_child(first_child(wall));
  if (wall > 0) kill(-wall, SIGCONT), kill(wall, SIGCONT);
  if (program > 0) kill(program, SIGCONT);
}

/* ---- the two ways ---- */

static void take_keys(struct terminal *t) {
  ssize_t got = read(0, t->keys + t->keys_held, sizeof t->keys - t->keys_held);
  if (got <= 0) return;
  if (memchr(t->keys + t->keys_held, SUSPEND, (size_t)got) != NULL ||
      memmem(t->keys + t->keys_held, (size_t)got, "\033[122;5u", 8) != NULL)
    t->looks = LOOKS;
  t->keys_held += (size_t)got;
}

static void give_keys(struct terminal *t) {
  ssize_t put = write(t->master, t->keys, t->keys_held);
  if (put <= 0) return;
  t->keys_held -= (size_t)put;
  memmove(t->keys, t->keys + put, t->keys_held);
}

/* False when nothing more will come. */
static bool take_shown(struct terminal *t) {
  char chunk[CHUNK];
  ssize_t got = read(t->master, chunk, sizeof chunk);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  t->shown_held += escapes_pass(&t->escapes, chunk, (size_t)got, t->shown + t->shown_held);
  return true;
}

static void flush_shown(struct terminal *t, bool wait) {
  size_t done = 0;
  while (done < t->shown_held) {
    size_t length = t->shown_held - done < AT_ONCE ? t->shown_held - done : AT_ONCE;
    ssize_t put = write(1, t->shown + done, length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN && wait) {
      struct pollfd out = {1, POLLOUT, 0};
      poll(&out, 1, -1);
      continue;
    }
    if (put <= 0) break;
    done += (size_t)put;
    if (!wait) break;
  }
  t->shown_held -= done;
  memmove(t->shown, t->shown + done, t->shown_held);
}

static void hear_signals(struct terminal *t, int signals) {
  struct signalfd_siginfo heard;
  while (read(signals, &heard, sizeof heard) == sizeof heard) switch (heard.ssi_signo) {
      case SIGUSR1: make_raw(t); break;
      case SIGWINCH: copy_size(t); break;
      case SIGTERM:
      case SIGHUP: kill(t->command, SIGTERM); break;
      case SIGCHLD:
        if (waitpid(t->command, &t->status, WNOHANG) == t->command) t->has_ended = true;
        break;
      default: break;
    }
}

static int relay(struct terminal *t, int signals) {
  bool is_open = true;
  for (;;) {
    struct pollfd fds[] = {
        {t->is_raw && !t->is_gone && t->keys_held < sizeof t->keys ? 0 : -1, POLLIN, 0},
        {is_open ? t->master : -1, (short)((t->shown_held < CHUNK ? POLLIN : 0) | (t->keys_held > 0 ? POLLOUT : 0)), 0},
        {t->shown_held > 0 ? 1 : -1, POLLOUT, 0},
        {signals, POLLIN, 0},
    };
    int wait = t->has_ended ? DRAIN_MS : t->looks > 0 ? LOOK_MS : -1;
    int ready = poll(fds, 4, wait);
    if (ready < 0 && errno != EINTR) break;
    /* What was printed before the end is shown; nobody is left to print more. */
    if (t->has_ended && (ready == 0 || !is_open) && t->shown_held == 0) break;
    if (ready == 0 && t->looks > 0) {
      t->looks--;
      if (has_job_stopped(t)) t->looks = 0, stop_with_job(t);
    }
    if (ready <= 0) continue;
    if (fds[3].revents != 0) hear_signals(t, signals);
    if (fds[0].revents & POLLIN) take_keys(t);
    else if (fds[0].revents & (POLLHUP | POLLERR)) kill(t->command, SIGTERM), t->is_gone = true;
    if ((fds[1].revents & POLLIN) && !t->is_raw) make_raw(t);
    if (fds[1].revents & POLLIN) is_open = take_shown(t);
    else if (fds[1].revents & (POLLHUP | POLLERR)) is_open = false;
    if (is_open && t->keys_held > 0) give_keys(t);
    if (t->shown_held > 0) flush_shown(t, false);
  }
  flush_shown(t, true);
  put_right(t);
  if (t->escapes.withheld > 0) dprintf(CHANNEL, "{\"withheld\":%u}\n", t->escapes.withheld);
  return WIFEXITED(t->status) ? WEXITSTATUS(t->status) : 128 + WTERMSIG(t->status);
}

int terminal(int argc, char **argv) {
  static struct terminal t;
  if (argc < 1) die("terminal: no command");
  if (tcgetattr(0, &t.before) != 0) die("terminal: %s", strerror(errno));
  t.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (t.master < 0 || grantpt(t.master) != 0 || unlockpt(t.master) != 0) die("terminal: %s", strerror(errno));
  copy_size(&t);
  sigset_t heard;
  sigemptyset(&heard);
  const int numbers[] = {SIGUSR1, SIGWINCH, SIGTERM, SIGHUP, SIGCHLD};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) sigaddset(&heard, numbers[i]);
  sigprocmask(SIG_BLOCK, &heard, NULL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  pid_t self = getpid();
  t.command = fork();
  if (t.command < 0) die("fork: %s", strerror(errno));
  if (t.command == 0) be_command(&t, argv, self);
  /* The client's keys, until every key is the program's; what the terminal sends to its group then is not for us. */
  signal(SIGINT, SIG_IGN);
  signal(SIGQUIT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  fcntl(t.master, F_SETFL, O_NONBLOCK);
  int signals = signalfd(-1, &heard, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals < 0) die("signalfd: %s", strerror(errno));
  /* Only the command holds these open: their other ends must see its end. */
  for (int fd = STDERR_FD + 1; fd < 256; fd++)
    if (fd != t.master && fd != signals) close(fd);
  close(2);
  return relay(&t, signals);
}
