/*
 * What a notified call was: read from the memory of the program that made it, told to the station, and answered.
 *
 * It is a record, not a wall: another thread may change what a pointer leads to after we have looked, and whether the
 * call worked is not known (failed attempts are told too, save programs and removals of what is not there). Connections
 * are refused here only to fail fast; what is allowed out is decided by the gateway, from what it is sent.
 *
 * Commands are numbered from 1 in the order in which programs start. A process that has started no program of its own
 * acts for its parent's; one whose parent has gone, for that of its process group's or session's leader.
 */
#include "helper.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  BUCKETS = 4096,
  PATH_ROOM = 4352,
  WORDS_ROOM = 40 * 1024, /* of one command's arguments; more is cut, and said */
  MOST_WORDS = 4000,
  SEEN_ROOM = 1 << 17, /* remembered tellings; when full, things are told again */
  HELD = 128,          /* programs kept open, so that the station can hash the very file that was run */
};

/* A change that waits until the station has what the workspace held before. */
struct change {
  struct seccomp_notif notice;
  void *next;
};

struct process {
  pid_t tgid;
  struct thread *threads; /* its own, and others of it that have told something */
  int pidfd;
  uint32_t command;
  bool started; /* a program of its own, which has not been told to have ended */
};
struct thread {
  pid_t tid;
  struct process *process;
  struct thread *next;    /* in the bucket */
  struct thread *sibling; /* of the process */
};
struct waiting {
  uint64_t id; /* of the notice */
  uint32_t ask, command;
  uint8_t address[16];
  int port;
  struct waiting *next;
};
/* Owned by the watcher. */
struct table {
  struct thread *threads[BUCKETS];
  int held[HELD];
  unsigned next_held;
  uint32_t asked;
  int waiting_count;
};

/* Remembers (to: an id, from: 0) or forgets a notice that is not answered. */
static void carry(uint64_t *ids, size_t room, uint64_t from, uint64_t to) {
  for (size_t i = 0; i < room; i++)
    if (ids[i] == from) {
      ids[i] = to;
      return;
    }
}

static struct table *table_of(struct watcher *w) { return w->processes; }

/* FNV-1a: for "told before", where a clash costs one line of the record in 2^64. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
  return hash;
}
static const uint64_t MIX_START = 0xcbf29ce484222325ULL;

/* True the first time. */
static bool first_time(struct watcher *w, uint64_t hash) {
  if (w->seen_count > SEEN_ROOM / 2) {
    memset(w->seen, 0, SEEN_ROOM * sizeof *w->seen);
    w->seen_count = 0;
  }
  if (hash == 0) hash = 1;
  for (size_t at = hash % SEEN_ROOM;; at = (at + 1) % SEEN_ROOM) {
    if (w->seen[at] == hash) return false;
    if (w->seen[at] == 0) {
      w->seen[at] = hash;
      w->seen_count++;
      return true;
    }
  }
}

static bool tell(struct watcher *w, const char *const *fields, int count) {
  size_t lengths[16];
  for (int i = 0; i < count; i++) lengths[i] = strlen(fields[i]);
  return record_frame(w->record, fields, lengths, count);
}

static bool tell_end(struct watcher *w, uint32_t command, const char *code) {
  char number[16];
  snprintf(number, sizeof number, "%u", command);
  return tell(w, (const char *const[]){"X", number, code}, 3);
}

/* ---- processes ---- */

static struct thread **bucket(struct watcher *w, pid_t tid) { return &table_of(w)->threads[(unsigned)tid % BUCKETS]; }

static struct process *known(struct watcher *w, pid_t tid) {
  for (struct thread **at = bucket(w, tid); *at != NULL; at = &(*at)->next) {
    struct thread *thread = *at;
    if (thread->tid != tid) continue;
    if (tid == thread->process->tgid) return thread->process; /* its end would have been heard */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)thread->process->tgid, (int)tid);
    if (access(path, F_OK) == 0) return thread->process;
    *at = thread->next; /* the number has been given to another */
    for (struct thread **own = &thread->process->threads; *own != NULL; own = &(*own)->sibling)
      if (*own == thread) {
        *own = thread->sibling;
        break;
      }
    free(thread);
    return NULL;
  }
  return NULL;
}

static void remember(struct watcher *w, pid_t tid, struct process *process) {
  struct thread *thread = malloc(sizeof *thread);
  if (thread == NULL) die("no memory");
  struct thread **at = bucket(w, tid);
  *thread = (struct thread){tid, process, *at, process->threads};
  *at = process->threads = thread;
}

static struct process *add_process(struct watcher *w, pid_t tgid, uint32_t command) {
  struct process *process = malloc(sizeof *process);
  if (process == NULL) die("no memory");
  *process = (struct process){.tgid = tgid, .pidfd = (int)syscall(__NR_pidfd_open, tgid, 0), .command = command};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = process};
  if (process->pidfd >= 0) epoll_ctl(w->exits, EPOLL_CTL_ADD, process->pidfd, &event);
  remember(w, tgid, process);
  return process;
}

static void forget(struct watcher *w, struct process *process) {
  for (struct thread *thread = process->threads, *sibling; thread != NULL; thread = sibling) {
    sibling = thread->sibling;
    for (struct thread **at = bucket(w, thread->tid); *at != NULL; at = &(*at)->next)
      if (*at == thread) {
        *at = thread->next;
        break;
      }
    free(thread);
  }
  close(process->pidfd);
  free(process);
}

/* A small file under /proc as text; false when it is gone. */
static bool read_text(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t got = read(fd, text, size - 1);
  close(fd);
  text[got > 0 ? got : 0] = 0;
  return got > 0;
}

static pid_t number_after(const char *text, const char *label) {
  const char *at = strstr(text, label);
  return at == NULL ? 0 : atoi(at + strlen(label));
}

/* Of a process whose parent has gone: its group's or session's leader may be known. */
static uint32_t command_of_leader(struct watcher *w, pid_t tgid) {
  char path[64], text[1024];
  int group = 0, session = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)tgid);
  if (!read_text(path, text, sizeof text)) return 0;
  const char *after = strrchr(text, ')');
  if (after == NULL || sscanf(after, ") %*c %*d %d %d", &group, &session) != 2) return 0;
  struct process *leader = known(w, group);
  if (leader == NULL) leader = known(w, session);
  return leader == NULL ? 0 : leader->command;
}

static struct process *process_of(struct watcher *w, pid_t tid, int depth) {
  struct process *process = known(w, tid);
  if (process != NULL) return process;
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
  if (!read_text(path, text, sizeof text)) return NULL;
  pid_t tgid = number_after(text, "\nTgid:"), parent = number_after(text, "\nPPid:");
  if (tgid != tid) {
    process = process_of(w, tgid, depth + 1);
    if (process != NULL) remember(w, tid, process);
    return process;
  }
  struct process *from = known(w, parent);
  /* Forks of forks that have told nothing yet; bounded, as a fork bomb is a long chain. */
  if (from == NULL && depth < 16 && parent > 1) {
    char inside[64];
    snprintf(inside, sizeof inside, "/proc/%d/status", (int)parent);
    char status[2048];
    /* bubblewrap's own processes have no filter of ours. */
    if (read_text(inside, status, sizeof status) && number_after(status, "\nSeccomp_filters:") >= 2)
      from = process_of(w, parent, depth + 1);
  }
  return add_process(w, tid, from == NULL ? command_of_leader(w, tid) : from->command);
}

bool watch_exits(struct watcher *w) {
  struct epoll_event events[32];
  int count = epoll_wait(w->exits, events, 32, 0);
  for (int i = 0; i < count; i++) {
    struct process *process = events[i].data.ptr;
    if (process->started && !tell_end(w, process->command, "")) return false;
    forget(w, process);
  }
  return true;
}

/* ---- memory of the program ---- */

static ssize_t copy(pid_t tid, uint64_t from, void *to, size_t length) {
  struct iovec here = {to, length}, there = {(void *)(uintptr_t)from, length};
  return process_vm_readv(tid, &here, 1, &there, 1, 0);
}

/* A string, cut to the room; -1 when it cannot be read. A page at a time: what follows it may not be mapped. */
static ssize_t copy_string(pid_t tid, uint64_t from, char *to, size_t room) {
  size_t done = 0;
  while (done < room - 1) {
    size_t part = 4096 - (size_t)((from + done) & 4095);
    if (part > room - 1 - done) part = room - 1 - done;
    ssize_t got = copy(tid, from + done, to + done, part);
    if (got <= 0) break;
    char *end = memchr(to + done, 0, (size_t)got);
    if (end != NULL) return end - to;
    done += (size_t)got;
  }
  to[done] = 0;
  return done == 0 ? -1 : (ssize_t)done;
}

static ssize_t link_text(char *to, size_t room, const char *format, int pid, int fd) {
  char path[64];
  snprintf(path, sizeof path, format, pid, fd);
  ssize_t length = readlink(path, to, room - 1);
  to[length > 0 ? length : 0] = 0;
  return length;
}

/* Without `.`, `..` and double slashes; in place. By the text alone: links are not followed. */
static void straighten(char *path) {
  char *out = path;
  for (const char *in = path; *in != 0;) {
    while (*in == '/') in++;
    size_t length = strcspn(in, "/");
    if (length == 0) break;
    if (length == 2 && in[0] == '.' && in[1] == '.') {
      while (out > path && *--out != '/') continue;
    } else if (!(length == 1 && in[0] == '.')) {
      *out++ = '/';
      memmove(out, in, length);
      out += length;
    }
    in += length;
  }
  if (out == path) *out++ = '/';
  *out = 0;
}

/* The absolute path that a call means; false when it could not be read. */
static bool path_of(pid_t tid, int directory, uint64_t pointer, char *path) {
  char text[PATH_ROOM / 2 - 64];
  ssize_t length = copy_string(tid, pointer, text, sizeof text);
  if (length < 0) return false;
  if (text[0] == '/') {
    memcpy(path, text, (size_t)length + 1);
  } else {
    ssize_t base = directory == AT_FDCWD ? link_text(path, PATH_ROOM / 2, "/proc/%d/cwd", tid, 0)
                                         : link_text(path, PATH_ROOM / 2, "/proc/%d/fd/%d", tid, directory);
    if (base <= 0) return false;
    path[base] = '/';
    memcpy(path + base + 1, text, (size_t)length + 1);
  }
  straighten(path);
  return true;
}

static bool is_in(const char *path, const char *folder, size_t length) {
  return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static bool exists(struct watcher *w, const char *path) {
  struct stat at;
  return fstatat(w->root, path[1] == 0 ? "." : path + 1, &at, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- notices ---- */

static void answer(struct watcher *w, uint64_t id, int error) {
  struct seccomp_notif_resp response = {
      .id = id, .error = -error, .flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0};
  ioctl(w->listener, SECCOMP_IOCTL_NOTIF_SEND, &response); /* fails only when the program has gone */
}

static bool tell_unreadable(struct watcher *w, const char *what) {
  return tell(w, (const char *const[]){"L", what}, 2);
}

static bool tell_file(struct watcher *w, uint32_t command, const char *kind, const char *path, const char *to) {
  if (!is_in(path, w->workspace, w->workspace_length) &&
      (to == NULL || !is_in(to, w->workspace, w->workspace_length)))
    return true;
  uint64_t hash = mix(MIX_START, &command, sizeof command);
  hash = mix(mix(hash, kind, 1), path, strlen(path));
  if (to != NULL) hash = mix(mix(hash, "", 1), to, strlen(to));
  if (!first_time(w, hash)) return true;
  char number[16];
  snprintf(number, sizeof number, "%u", command);
  return tell(w, (const char *const[]){"F", number, kind, path, to}, to == NULL ? 4 : 5);
}

static bool one_path(struct watcher *w, pid_t tid, uint32_t command, const char *kind, int directory, uint64_t pointer) {
  char path[PATH_ROOM];
  if (!path_of(tid, directory, pointer, path)) return tell_unreadable(w, "file");
  if (kind[0] == 'r' && !exists(w, path)) return true;
  return tell_file(w, command, kind, path, NULL);
}

static bool of_descriptor(struct watcher *w, pid_t tid, uint32_t command, const char *kind, int fd) {
  char path[PATH_ROOM];
  if (link_text(path, sizeof path, "/proc/%d/fd/%d", tid, fd) <= 0) return true; /* none that is open */
  return path[0] != '/' || tell_file(w, command, kind, path, NULL);
}

static bool two_paths(struct watcher *w, pid_t tid, uint32_t command, const char *kind, int from, uint64_t old, int to,
                      uint64_t new) {
  char path[PATH_ROOM], target[PATH_ROOM];
  if (!path_of(tid, from, old, path) || !path_of(tid, to, new, target)) return tell_unreadable(w, "file");
  return !exists(w, path) || tell_file(w, command, kind, path, target);
}

static bool opened(struct watcher *w, pid_t tid, uint32_t command, int directory, uint64_t pointer, uint64_t flags) {
  char path[PATH_ROOM];
  if (!path_of(tid, directory, pointer, path)) return tell_unreadable(w, "file");
  const bool writes = (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != 0;
  if (writes) {
    if (!is_in(path, w->workspace, w->workspace_length)) return true;
    return tell_file(w, command, (flags & O_CREAT) != 0 && !exists(w, path) ? "c" : "w", path, NULL);
  }
  if (!w->reads || (flags & O_PATH) != 0 || is_in(path, w->workspace, w->workspace_length)) return true;
  const char *const *granted = w->granted;
  while (*granted != NULL && !is_in(path, *granted, strlen(*granted))) granted++;
  if (*granted == NULL || !exists(w, path)) return true;
  uint64_t hash = mix(mix(MIX_START, "R", 1), path, strlen(path)); /* once in a session: who else read it says little more */
  if (!first_time(w, hash)) return true;
  char number[16];
  snprintf(number, sizeof number, "%u", command);
  return tell(w, (const char *const[]){"R", number, path}, 3);
}

/* The file that is about to be run: what a path means to the program, not to us. -1 when there is none. */
static int open_program(pid_t tid, const char *path) {
  char place[PATH_ROOM + 32];
  int fd;
  if (strncmp(path, "/proc/self/", 11) == 0 || strncmp(path, "/dev/fd/", 8) == 0) {
    const bool devices = path[1] == 'd';
    snprintf(place, sizeof place, "/proc/%d/%s%s", (int)tid, devices ? "fd/" : "", path + (devices ? 8 : 11));
    return open(place, O_PATH | O_CLOEXEC);
  }
  snprintf(place, sizeof place, "/proc/%d/root", (int)tid);
  int root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -1;
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
  fd = (int)syscall(__NR_openat2, root, path, &how, sizeof how);
  close(root);
  return fd;
}

/* Keeps a program open whose like was not seen before. Returns the descriptor's number for the station, or -1. */
static int hold(struct watcher *w, int fd, const char *identity) {
  if (!first_time(w, mix(mix(MIX_START, "P", 1), identity, strlen(identity)))) return -1;
  struct table *table = table_of(w);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int readable = open(path, O_RDONLY | O_CLOEXEC);
  if (readable < 0) return -1;
  int *slot = &table->held[table->next_held++ % HELD];
  if (*slot > 0) close(*slot);
  *slot = readable;
  return readable;
}

/* Appends the argument vector, each ended by a NUL. Returns how many there are; `cut` when not all is there. */
static int read_words(pid_t tid, uint64_t vector, char *words, size_t *length, bool *cut) {
  uint64_t pointers[64];
  int count = 0;
  *length = 0;
  *cut = false;
  for (;;) {
    const int part = count % 64;
    if (part == 0 && copy(tid, vector + 8 * (uint64_t)count, pointers, sizeof pointers) <= 0) {
      /* The vector's last page may end before our 64. */
      for (int i = 0; i < 64; i++)
        if (copy(tid, vector + 8 * (uint64_t)(count + i), &pointers[i], 8) != 8) pointers[i] = 0;
    }
    if (pointers[part] == 0) return count;
    if (count == MOST_WORDS) break;
    count++;
    if (*length + 1 >= WORDS_ROOM) {
      *cut = true;
      continue;
    }
    ssize_t got = copy_string(tid, pointers[part], words + *length, WORDS_ROOM - *length);
    if (got < 0) {
      words[*length] = 0;
      got = 0;
      *cut = true;
    }
    *length += (size_t)got + 1;
  }
  *cut = true;
  return count;
}

static bool started(struct watcher *w, pid_t tid, struct process *process, int directory, uint64_t name,
                    uint64_t vector) {
  static char words[WORDS_ROOM + 1];
  char path[PATH_ROOM], folder[PATH_ROOM / 2], identity[96], numbers[4][16];
  const uint32_t parent = process->command;
  char first = 0;
  int fd;
  if (directory != AT_FDCWD && copy(tid, name, &first, 1) == 1 && first == 0) { /* fexecve */
    char place[64];
    snprintf(place, sizeof place, "/proc/%d/fd/%d", (int)tid, directory);
    link_text(path, sizeof path, "/proc/%d/fd/%d", tid, directory);
    fd = open(place, O_PATH | O_CLOEXEC);
  } else {
    if (!path_of(tid, directory, name, path)) return tell_unreadable(w, "program");
    fd = open_program(tid, path);
  }
  struct stat at;
  if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? true : tell_unreadable(w, "program");
  if (fstat(fd, &at) != 0 || !S_ISREG(at.st_mode) || (at.st_mode & 0111) == 0) {
    close(fd);
    return true; /* it will not start */
  }
  snprintf(identity, sizeof identity, "%llu:%llu:%lld:%lld", (unsigned long long)at.st_dev,
           (unsigned long long)at.st_ino, (long long)at.st_size,
           (long long)at.st_ctim.tv_sec * 1000000000LL + at.st_ctim.tv_nsec);
  int held = hold(w, fd, identity);
  close(fd);
  if (link_text(folder, sizeof folder, "/proc/%d/cwd", tid, 0) < 0) folder[0] = 0;
  size_t length;
  bool cut;
  int count = read_words(tid, vector, words, &length, &cut);
  process->command = ++w->commands;
  process->started = true;
  snprintf(numbers[0], 16, "%u", process->command);
  snprintf(numbers[1], 16, "%u", parent);
  snprintf(numbers[2], 16, "%d", (int)process->tgid);
  snprintf(numbers[3], 16, "%d", held);
  char many[16];
  snprintf(many, sizeof many, "%d%s", count, cut ? "+" : "");
  const char *fields[] = {"E", numbers[0], numbers[1], numbers[2], identity, numbers[3], many, path, folder, words};
  size_t lengths[10];
  for (int i = 0; i < 9; i++) lengths[i] = strlen(fields[i]);
  lengths[9] = length > 0 ? length - 1 : 0; /* the frame ends the last word */
  /* In the station's socket before the program's first instruction. */
  return record_frame(w->record, fields, lengths, length > 0 ? 10 : 9) && record_flush(w->record);
}

/* ---- connections ---- */

static bool is_local(const uint8_t address[16]) {
  static const uint8_t v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, none[16], one[16] = {[15] = 1};
  if (memcmp(address, none, 16) == 0 || memcmp(address, one, 16) == 0) return true;
  if (memcmp(address, v4, 12) != 0) return false;
  return address[12] == 127 || memcmp(address + 12, none, 4) == 0;
}

static void address_text(const uint8_t address[16], char text[INET6_ADDRSTRLEN]) {
  struct in6_addr whole;
  memcpy(&whole, address, 16);
  if (IN6_IS_ADDR_V4MAPPED(&whole)) inet_ntop(AF_INET, address + 12, text, INET6_ADDRSTRLEN);
  else inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

static bool tell_connection(struct watcher *w, uint32_t command, const char *transport, const uint8_t address[16],
                            int port, const char *outcome, const char *name) {
  char number[16], text[INET6_ADDRSTRLEN], door[16];
  uint64_t hash = mix(mix(mix(MIX_START, "C", 1), &command, sizeof command), address, 16);
  hash = mix(mix(mix(hash, &port, sizeof port), outcome, 1), transport, 1);
  if (!first_time(w, hash)) return true;
  snprintf(number, sizeof number, "%u", command);
  snprintf(door, sizeof door, "%d", port);
  address_text(address, text);
  return tell(w, (const char *const[]){"C", number, transport, text, door, outcome, name}, 7) &&
         record_flush(w->record);
}

static bool is_datagram(struct process *process, int fd) {
  int copy_of = (int)syscall(__NR_pidfd_getfd, process->pidfd, fd, 0), type = 0;
  socklen_t size = sizeof type;
  if (copy_of < 0) return false;
  getsockopt(copy_of, SOL_SOCKET, SO_TYPE, &type, &size);
  close(copy_of);
  return type == SOCK_DGRAM;
}

static bool ask_client(struct watcher *w, uint64_t id, uint32_t command, const uint8_t address[16], int port) {
  struct table *table = table_of(w);
  struct waiting *one = table->waiting_count < MOST_WAITING ? malloc(sizeof *one) : NULL;
  if (one == NULL) {
    answer(w, id, ECONNREFUSED);
    return tell_connection(w, command, "tcp", address, port, "too-many", "");
  }
  *one = (struct waiting){.id = id, .ask = ++table->asked, .command = command, .port = port, .next = w->waiting};
  memcpy(one->address, address, 16);
  w->waiting = one;
  carry(w->carried->waiting, MOST_WAITING, 0, id);
  table->waiting_count++;
  char text[INET6_ADDRSTRLEN];
  address_text(address, text);
  say(w->channel, "{\"ask\":[%u,\"%s\",%d]}", one->ask, text, port);
  return true;
}

/* Whether somebody listens there from now on. */
static bool ensure_listener(struct watcher *w, const uint8_t address[16], int port) {
  struct carried *carried = w->carried;
  for (int i = 0; i < WELL_KNOWN; i++)
    if (WELL_KNOWN_PORTS[i] == port) return true;
  for (int i = 0; i < carried->caught_count; i++)
    if (carried->caught[i].port == port && memcmp(carried->caught[i].address, address, 16) == 0) return true;
  int fd = listen_on(w->sockets, address, port);
  if (fd < 0) return false;
  char message[32];
  snprintf(message, sizeof message, "{\"caught\":%d}", port);
  hand_over(w->channel, fd, "net.Server", message);
  close(fd);
  memcpy(carried->caught[carried->caught_count].address, address, 16);
  carried->caught[carried->caught_count++].port = port;
  return true;
}

bool watch_answer(struct watcher *w, const char *line) {
  unsigned number;
  int allowed;
  char name[256] = "";
  if (sscanf(line, "{\"answer\":[%u,%d,\"%255[^\"]", &number, &allowed, name) < 2) return true; /* an ACK */
  for (struct waiting **at = (struct waiting **)&w->waiting; *at != NULL; at = &(*at)->next) {
    struct waiting *one = *at;
    if (one->ask != number) continue;
    *at = one->next;
    table_of(w)->waiting_count--;
    const char *outcome = allowed == 0 ? "refused" : ensure_listener(w, one->address, one->port) ? "caught" : "too-many";
    bool told = tell_connection(w, one->command, "tcp", one->address, one->port, outcome, name);
    answer(w, one->id, outcome[1] == 'a' ? 0 : ECONNREFUSED);
    carry(w->carried->waiting, MOST_WAITING, one->id, 0);
    free(one);
    return told;
  }
  return true;
}

/* True in `held` when the call waits for the client's answer. */
static bool connects(struct watcher *w, const struct seccomp_notif *notice, struct process *process, uint64_t pointer,
                     uint64_t size, bool datagram, bool *held) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } to = {0};
  if (size > sizeof to) size = sizeof to;
  if (copy((pid_t)notice->pid, pointer, &to, size) < (ssize_t)sizeof(sa_family_t)) return true; /* the kernel will say */
  uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
  int port;
  if (to.any.sa_family == AF_INET) {
    memcpy(address + 12, &to.v4.sin_addr, 4);
    port = ntohs(to.v4.sin_port);
  } else if (to.any.sa_family == AF_INET6) {
    memcpy(address, &to.v6.sin6_addr, 16);
    port = ntohs(to.v6.sin6_port);
  } else return true;
  if (!datagram) datagram = is_datagram(process, (int)notice->data.args[0]);
  if (is_local(address))
    return (datagram && port == 53) ||
           tell_connection(w, process->command, datagram ? "udp" : "tcp", address, port, "local", "");
  if (datagram) return tell_connection(w, process->command, "udp", address, port, "unreachable", "");
  if (!w->sockets->any_address)
    return tell_connection(w, process->command, "tcp", address, port, "unreachable", "");
  *held = true;
  return ask_client(w, notice->id, process->command, address, port);
}

static bool handle(struct watcher *w, const struct seccomp_notif *notice, struct process *process, bool *held) {
  const __u64 *a = notice->data.args;
  const pid_t tid = (pid_t)notice->pid;
  const uint32_t by = process->command;
  switch (notice->data.nr) {
    case __NR_execve:
      return started(w, tid, process, AT_FDCWD, a[0], a[1]);
    case __NR_execveat:
      return started(w, tid, process, (int)a[0], a[1], a[2]);
    case __NR_exit_group: {
      char code[16];
      if (!process->started) return true;
      process->started = false;
      snprintf(code, sizeof code, "%d", (int)(a[0] & 0xff));
      return tell_end(w, by, code);
    }
    case __NR_connect:
      return connects(w, notice, process, a[1], a[2], false, held);
    case __NR_sendto:
      return connects(w, notice, process, a[4], a[5], true, held);
    case __NR_openat:
      return opened(w, tid, by, (int)a[0], a[1], a[2]);
    case __NR_unlinkat:
      return one_path(w, tid, by, "r", (int)a[0], a[1]);
    case __NR_mkdirat:
      return one_path(w, tid, by, "d", (int)a[0], a[1]);
    case __NR_mknodat:
      return one_path(w, tid, by, "c", (int)a[0], a[1]);
    case __NR_truncate:
      return one_path(w, tid, by, "w", AT_FDCWD, a[0]);
    case __NR_fchmodat:
    case NR_FCHMODAT2:
      return one_path(w, tid, by, "a", (int)a[0], a[1]);
    case __NR_fchmod:
      return of_descriptor(w, tid, by, "a", (int)a[0]);
    case __NR_symlinkat:
      return one_path(w, tid, by, "l", (int)a[1], a[2]);
    case __NR_linkat:
      return two_paths(w, tid, by, "l", (int)a[0], a[1], (int)a[2], a[3]);
    case __NR_renameat2:
#ifdef __NR_renameat
    case __NR_renameat:
#endif
      return two_paths(w, tid, by, "m", (int)a[0], a[1], (int)a[2], a[3]);
#ifdef __NR_open
    case __NR_open:
      return opened(w, tid, by, AT_FDCWD, a[0], a[1]);
    case __NR_creat:
      return opened(w, tid, by, AT_FDCWD, a[0], O_WRONLY | O_CREAT | O_TRUNC);
    case __NR_chmod:
      return one_path(w, tid, by, "a", AT_FDCWD, a[0]);
    case __NR_unlink:
    case __NR_rmdir:
      return one_path(w, tid, by, "r", AT_FDCWD, a[0]);
    case __NR_mkdir:
      return one_path(w, tid, by, "d", AT_FDCWD, a[0]);
    case __NR_mknod:
      return one_path(w, tid, by, "c", AT_FDCWD, a[0]);
    case __NR_symlink:
      return one_path(w, tid, by, "l", AT_FDCWD, a[1]);
    case __NR_link:
      return two_paths(w, tid, by, "l", AT_FDCWD, a[0], AT_FDCWD, a[1]);
    case __NR_rename:
      return two_paths(w, tid, by, "m", AT_FDCWD, a[0], AT_FDCWD, a[1]);
#endif
    default:
      return true;
  }
}

/* A change of the workspace, or one of which that cannot be told. */
static bool is_change(struct watcher *w, const struct seccomp_notif *notice) {
  const __u64 *a = notice->data.args;
  const pid_t tid = (pid_t)notice->pid;
  char path[PATH_ROOM];
  int directory = AT_FDCWD;
  uint64_t pointer = a[0];
  switch (notice->data.nr) {
    case __NR_openat:
      if ((a[2] & (O_ACCMODE | O_CREAT | O_TRUNC)) == 0) return false;
      directory = (int)a[0];
      pointer = a[1];
      break;
#ifdef __NR_open
    case __NR_open:
      if ((a[1] & (O_ACCMODE | O_CREAT | O_TRUNC)) == 0) return false;
      break;
    case __NR_creat:
    case __NR_truncate:
      break;
#else
    case __NR_truncate:
      break;
#endif
    case __NR_execve:
    case __NR_execveat:
    case __NR_exit_group:
    case __NR_connect:
    case __NR_sendto:
      return false;
    default:
      return true; /* two paths, folders, modes: few, and wherever they are */
  }
  return !path_of(tid, directory, pointer, path) || is_in(path, w->workspace, w->workspace_length);
}

bool watch_has_room(const struct watcher *w) { return w->may_change || w->held_count < MOST_HELD; }

static bool hold_change(struct watcher *w, const struct seccomp_notif *notice) {
  struct change *change = malloc(sizeof *change);
  if (change == NULL) return false;
  *change = (struct change){.notice = *notice};
  if (w->held == NULL) w->last_held = &w->held;
  *w->last_held = change;
  w->last_held = &change->next;
  if (w->held_count < MOST_HELD) w->carried->held[w->held_count] = notice->id;
  w->held_count++;
  return true;
}

bool watch_release(struct watcher *w) {
  w->may_change = true;
  while (w->held != NULL) {
    struct change *change = w->held;
    const __u64 id = change->notice.id;
    bool told = true, held = false;
    w->held = change->next;
    if (ioctl(w->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0) { /* else the program has gone */
      struct process *process = process_of(w, (pid_t)change->notice.pid, 0);
      told = process == NULL || handle(w, &change->notice, process, &held);
      if (told && !held) answer(w, id, 0);
    }
    free(change);
    if (!told) return false;
  }
  w->held_count = 0;
  memset(w->carried->held, 0, sizeof w->carried->held);
  return true;
}

void watch_take_over(struct watcher *w) {
  struct carried *carried = w->carried;
  if (carried->now != 0) answer(w, carried->now, 0);
  for (int i = 0; i < MOST_HELD; i++)
    if (carried->held[i] != 0) answer(w, carried->held[i], 0);
  for (int i = 0; i < MOST_WAITING; i++)
    if (carried->waiting[i] != 0) answer(w, carried->waiting[i], ECONNREFUSED);
  carried->now = 0;
  memset(carried->held, 0, sizeof carried->held);
  memset(carried->waiting, 0, sizeof carried->waiting);
}

bool watch_one(struct watcher *w) {
  /* The kernel's structure may be longer than the one we were built with. */
  union {
    struct seccomp_notif notice;
    char room[1024];
  } got;
  memset(&got, 0, sizeof got);
  if (ioctl(w->listener, SECCOMP_IOCTL_NOTIF_RECV, &got) != 0) return errno == EINTR || errno == ENOENT;
  w->carried->now = got.notice.id;
  struct process *process = process_of(w, (pid_t)got.notice.pid, 0);
  bool held = false;
  if (!w->may_change && is_change(w, &got.notice)) {
    const bool kept = hold_change(w, &got.notice);
    w->carried->now = 0;
    return kept;
  }
  bool told = process == NULL || handle(w, &got.notice, process, &held);
  if (!told) return false;
  if (!held) answer(w, got.notice.id, 0);
  w->carried->now = 0;
  return true;
}

void watch_open(struct watcher *w, pid_t first) {
  char path[64], number[16];
  struct table *table = calloc(1, sizeof *table);
  w->seen = calloc(SEEN_ROOM, sizeof *w->seen);
  w->exits = epoll_create1(EPOLL_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/root", (int)first);
  w->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (table == NULL || w->seen == NULL || w->exits < 0 || w->root < 0) die("the recorder: %s", strerror(errno));
  w->processes = table;
  add_process(w, first, 0);
  snprintf(number, sizeof number, "%d", (int)getpid());
  if (!tell(w, (const char *const[]){"H", "1", number}, 3) || !record_flush(w->record)) die("the station has gone");
}
