/*
 * The wall, while the client is still starting: what the station answers to a question of ask.c says first how to start it.
 *
 *   answer  = `W` length (u32, little-endian) part…, then the line that the client reads
 *   part    = letter, number (u32), length (u32), bytes
 *     d     what descriptor `number` holds
 *     a     an argument, in order; the first is the program
 *     e     a variable, NAME=value
 *
 * What begins otherwise is a refusal, and the client's alone. The client hears {"line":1} when the line is its own and the
 * wall is being built, {"line":0} when there is none; from then on the channel is that of launch.c. Nothing inside starts
 * before the client has said "go", and everything ends when it does.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;
/* As in src/sandbox/stage.ts, DESCRIPTOR: the channel, the person's standard error, bubblewrap's information. */
enum { CHANNEL = 3, STDERR_FD = 4, INFORMATION = 5, AWAY = 400, MOST_ANSWER = 8 << 20, MOST_PARTS = 1024, HEAD = 9 };

struct kept {
  int number, fd;
};

static bool read_all(int line, char *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t got = recv(line, bytes + done, length - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

static uint32_t number_at(const char *bytes) {
  uint32_t number;
  memcpy(&number, bytes, sizeof number);
  return number;
}

/* Out of the way of the numbers that are dealt below. */
static int away(int fd) {
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, AWAY);
  if (moved < 0) die("descriptor %d: %s", fd, strerror(errno));
  return moved;
}

/* A descriptor of these bytes, at offset 0, that has no name: a killed client leaves nothing behind. */
static int unnamed(const char *bytes, size_t length) {
  int fd = memfd_create("sallyport", MFD_CLOEXEC);
  for (size_t done = 0; fd >= 0 && done < length;) {
    ssize_t put = pwrite(fd, bytes + done, length - done, (off_t)done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) die("a descriptor's bytes: %s", strerror(errno));
    done += (size_t)put;
  }
  return away(fd);
}

static void deal(int fd, int number) {
  if (dup2(fd, number) < 0) die("descriptor %d: %s", number, strerror(errno));
}

static _Noreturn void start_wall(char *bytes, size_t length, const struct early *early) {
  static char *arguments[MOST_PARTS + 3], *variables[MOST_PARTS + 2];
  static struct kept kept[MOST_PARTS];
  size_t words = 0, named = 0, count = 0;
  for (size_t at = 0; at < length;) {
    if (length - at < HEAD || number_at(bytes + at + 5) > length - at - HEAD) die("the station's answer is torn");
    const char letter = bytes[at];
    const int number = (int)number_at(bytes + at + 1);
    const size_t size = number_at(bytes + at + 5);
    char *part = bytes + at + HEAD;
    if (words + named + count >= MOST_PARTS) die("the station's answer is too long");
    if (letter == 'd' && number > INFORMATION && number < AWAY) kept[count++] = (struct kept){number, unnamed(part, size)};
    else if (letter == 'a') arguments[words++] = strndup(part, size);
    else if (letter == 'e') variables[named++] = strndup(part, size);
    else die("the station's answer is not understood");
    at += HEAD + size;
  }
  if (words == 0) die("the station names no program");
  const int channel = away(early->channel), stderr_fd = away(2), information = away(early->information);
  deal(early->complaint, 2);
  deal(channel, CHANNEL);
  deal(stderr_fd, STDERR_FD);
  deal(information, INFORMATION);
  int last = INFORMATION;
  for (size_t i = 0; i < count; i++) {
    deal(kept[i].fd, kept[i].number);
    if (kept[i].number > last) last = kept[i].number;
  }
  if (syscall(__NR_close_range, last + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) != 0)
    for (int fd = last + 1; fd < 65536; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  variables[named++] = "NODE_CHANNEL_FD=3";
  if (chdir("/") != 0) die("/: %s", strerror(errno));
  char *program = arguments[0];
  if (isatty(0) && isatty(1)) { /* the program gets a terminal of its own: terminal.c */
    memmove(arguments + 2, arguments, words * sizeof *arguments);
    arguments[1] = "terminal";
  }
  execve(program, arguments, variables);
  die("%s: %s", program, strerror(errno));
}

static _Noreturn void hear_station(int line, const struct early *early) {
  struct channel channel = {.fd = early->channel};
  char head[5];
  ssize_t got;
  do got = recv(line, head, 1, MSG_PEEK);
  while (got < 0 && errno == EINTR);
  if (got != 1 || head[0] != 'W') {
    say(&channel, "{\"line\":0}");
    _exit(0);
  }
  if (!read_all(line, head, sizeof head)) _exit(125);
  const size_t length = number_at(head + 1);
  char *bytes = length <= MOST_ANSWER ? malloc(length) : NULL;
  if (bytes == NULL || !read_all(line, bytes, length)) _exit(125);
  say(&channel, "{\"line\":1}");
  close(line);
  start_wall(bytes, length, early);
}

/* The client's ends stay open here; the wall's are in a process of their own, which dies with this one. */
bool begin_wall(int line, struct early *ours) {
  int channel[2], complaint[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel) != 0 || pipe(complaint) != 0) return false;
  const int information = memfd_create("sallyport", 0);
  const pid_t self = getpid(), wall = information < 0 ? -1 : fork();
  if (wall < 0) return false;
  if (wall == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != self) _exit(125);
    close(channel[0]);
    close(complaint[0]);
    const struct early theirs = {.channel = channel[1], .complaint = complaint[1], .information = information};
    hear_station(line, &theirs);
  }
  close(channel[1]);
  close(complaint[1]);
  fcntl(complaint[0], F_SETFL, O_NONBLOCK); /* it is read when the wall has gone, whoever still holds the other end */
  *ours = (struct early){wall, channel[0], complaint[0], information};
  return true;
}
