/*
 * The helper: one small static program with three faces.
 *
 *   outside   `helper launch …` is what the client starts in place of bubblewrap. It starts bubblewrap, makes the sockets
 *             that lead out of the namespace, hands them to the client, and then records what happens inside.
 *   ask       `helper ask …` is what bin/sallyport starts before Node: it asks the station, has the wall built meanwhile
 *             (early.c), and becomes Node (ask.c).
 *   inside    `helper stage …` is the first program in the sandbox. It sets limits, installs the recorder's filter, and
 *             becomes the agent's program: nothing of ours stays inside.
 *
 * What the launching process and the helper say to each other is in node.c, what helper and station say in record.c, what
 * the two faces say in stage.c. Linux, x86-64 and arm64; no library but the C library.
 *
 * Failure contract: whatever goes wrong ends the helper, and bubblewrap and everything inside die with it (PDEATHSIG).
 */
#ifndef SALLYPORT_HELPER_H
#define SALLYPORT_HELPER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/seccomp.h>

/* Sockets of one namespace: 0 the proxy's listener, 1 the name service, then listeners of well-known ports, then spare. */
enum { WELL_KNOWN = 3, SPARE = 40, SOCKETS = 2 + WELL_KNOWN + SPARE };
/* fchmodat2, Linux 6.6; the same on all architectures. */
enum { NR_FCHMODAT2 = 452 };
extern const int WELL_KNOWN_PORTS[WELL_KNOWN];
/* In the variable SALLYPORT_CONTROL: the stage's end of the control socket. */
#define CONTROL_VARIABLE "SALLYPORT_CONTROL"

/* main.c */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Sends bytes and at most `count` descriptors; false when the other end has gone. */
bool send_with(int socket, const void *bytes, size_t length, const int *fds, int count);
/* Receives one message; returns its length, 0 at the end. `pid` (may be null): the sender's number as seen from here. */
ssize_t receive_with(int socket, void *bytes, size_t size, int *fds, int room, int *count, pid_t *pid);

/* stage.c */
int stage(int argc, char **argv);
/* filter.c: the recorder's filter; returns the descriptor that notifications come from, or -1 with errno. */
int install_filter(bool files, bool reads, bool connects);
/* ask.c */
int ask(int argc, char **argv);
/* early.c: the wall is built while the client starts. */
struct early {
  pid_t wall;
  int channel, complaint, information; /* the client's ends; bubblewrap writes where it is to the last */
};
/* False: nothing was begun. The wall's process waits for the station's answer on the line. */
bool begin_wall(int line, struct early *ours);
/* group.c */
void groups_take(void);
void groups_enter(pid_t pid);
void groups_enter_parent(pid_t pid);
/* launch.c */
int launch(int argc, char **argv);
/* terminal.c: the person's terminal, kept apart. escape.c: what of a program's output may reach it. */
int terminal(int argc, char **argv);
int filter(int argc, char **argv);
struct escapes {
  int state;
  bool is_ending, is_over; /* ESC was seen in a string; a sequence is too long */
  char held[1024];         /* of a sequence that is not yet known to pass */
  size_t held_count, prefix;
  char utf8[4];
  size_t utf8_count;
  unsigned withheld;
  char *out;
};
/* Passes on what may; `out` has room for four times `length`. Returns how many bytes it wrote. */
size_t escapes_pass(struct escapes *escapes, const char *bytes, size_t length, char *out);
/* overlay.c: copy-on-write directories round a command; which directories of one hide what they cover. */
int overlay(int argc, char **argv);
int opaque(int argc, char **argv);

/* net.c */
struct sockets {
  int fd[SOCKETS];
  int count;
  bool any_address; /* every address is local in there, so that connections to any can be caught */
};
void make_sockets(pid_t inside, int proxy_port, bool transparent, struct sockets *made);
/* Binds a spare socket to exactly this address (16 bytes, v4 mapped) and port. Returns it, or -1. */
int listen_on(struct sockets *sockets, const uint8_t address[16], int port);

/* node.c: lines of JSON on the channel of the Node process that launched us. */
struct channel {
  int fd;
  char line[512];
  size_t filled;
};
void say(struct channel *channel, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A socket with the message that announces it; `kind` is "net.Server" or "dgram.Socket". */
void hand_over(struct channel *channel, int fd, const char *kind, const char *message);
/* The next whole line, without waiting when none is there: null then. Sets `gone` when the other end has. */
const char *next_line(struct channel *channel, bool wait, bool *gone);

/* record.c: frames for the station. */
struct record {
  int fd; /* -1: nothing is recorded */
  bool may_be_lost; /* the session goes on without it */
  char buffer[65536];
  size_t filled;
};
void record_open(struct record *record, const char *path);
/* One frame: its fields, each ended by a NUL. A frame that does not fit is flushed to; false: the station has gone. */
bool record_frame(struct record *record, const char *const *fields, const size_t *lengths, int count);
bool record_flush(struct record *record);
/* False: the session may not go on. */
bool record_lose(struct record *record);

/* watch.c: what a notified call was, and by which command. */
enum { MOST_WAITING = 256, MOST_HELD = 4096 };
/* What another process must know to go on where this one was killed; memory that both see. */
struct carried {
  uint64_t now;                    /* notices that are not answered yet: the one at hand, */
  uint64_t waiting[MOST_WAITING];  /* those that wait for the client, */
  uint64_t held[MOST_HELD];        /* and those that wait for the station */
  struct {
    uint8_t address[16];
    int port;
  } caught[SPARE];
  int caught_count;
};
struct watcher {
  struct carried *carried;
  struct record *record;
  struct channel *channel;
  struct sockets *sockets;
  const char *workspace;
  size_t workspace_length;
  const char *const *granted; /* directories outside of the workspace whose reading is told, ended by null */
  bool reads;
  int listener;
  int root;  /* the sandbox's root directory */
  int exits; /* epoll of process descriptors */
  bool may_change; /* the station has what the workspace holds: until then changes to it wait */
  void *held, **last_held;
  size_t held_count;
  uint32_t commands;
  void *processes;
  void *waiting;
  uint64_t *seen;
  size_t seen_count;
};
void watch_open(struct watcher *watcher, pid_t first);
/* Takes one notification, records it, answers it. False: it could not be recorded. */
bool watch_one(struct watcher *watcher);
/* Goes on where another watcher was killed: what it had taken is answered as if it were told. */
void watch_take_over(struct watcher *watcher);
/* Whether another notification can be taken: those that wait are bounded. */
bool watch_has_room(const struct watcher *watcher);
/* The station has what the workspace holds: what waited goes on. False: it could not be recorded. */
bool watch_release(struct watcher *watcher);
/* Tells of processes that have ended. */
bool watch_exits(struct watcher *watcher);
/* The client's answer on whether a connection may be made: `{"answer":[id,0 or 1,"name"]}`. */
bool watch_answer(struct watcher *watcher, const char *line);
#endif
