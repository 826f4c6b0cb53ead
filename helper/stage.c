/*
 * The first program inside: `stage LIMITS WATCH PROGRAM…`.
 *
 *   LIMITS  `resource=value,…`, numbers of RLIMIT_*
 *   WATCH   letters: f programs and files, r also files outside of the workspace that are opened for reading, c connections; `-` nothing
 *
 * The file /etc/sallyport/expect lists paths that must still be what the plan saw: path, device, inode, each ended by a NUL.
 *
 * With the face outside it speaks on a SEQPACKET socket: `h` here I am → `g` go (the client has its sockets) → `f` with
 * the filter's descriptor, or `n` when nothing is watched → `k` go on → the socket's end: the program has started, or
 * `e ERRNO THERE` before it: it has not. No program starts whose launcher has died: the stage ends when the socket does.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;
#define LATER "SALLYPORT_LATER_"
enum { REAL_STDERR = 4 };

/* A link swapped while the wall was built would have bound another file. */
static void check_expectations(void) {
  int fd = open("/etc/sallyport/expect", O_RDONLY | O_CLOEXEC);
  if (fd < 0) die("/etc/sallyport/expect: %s", strerror(errno));
  struct stat at;
  if (fstat(fd, &at) != 0) die("/etc/sallyport/expect: %s", strerror(errno));
  char *text = calloc(1, (size_t)at.st_size + 1);
  if (text == NULL || read(fd, text, (size_t)at.st_size) != at.st_size) die("/etc/sallyport/expect cannot be read");
  close(fd);
  for (char *next = text; next < text + at.st_size;) {
    char *path = next, *device = path + strlen(path) + 1, *inode = device + strlen(device) + 1;
    next = inode + strlen(inode) + 1;
    struct stat found;
    if (lstat(path, &found) != 0 || found.st_dev != strtoull(device, NULL, 10) ||
        found.st_ino != strtoull(inode, NULL, 10))
      die("%s was replaced while the sandbox was being built", path);
  }
  free(text);
}

static void limit(char *list) {
  for (char *row = strtok(list, ","); row != NULL; row = strtok(NULL, ",")) {
    int resource;
    unsigned long long value;
    struct rlimit now;
    if (sscanf(row, "%d=%llu", &resource, &value) != 2) die("limit %s", row);
    if (getrlimit(resource, &now) != 0) die("limit %d: %s", resource, strerror(errno));
    if (value < now.rlim_max) now.rlim_max = value;
    if (now.rlim_max < now.rlim_cur) now.rlim_cur = now.rlim_max;
    if (setrlimit(resource, &now) != 0) die("limit %d: %s", resource, strerror(errno));
  }
}

/* Where no group limits the memory of all, the kernel looks here first when it runs out: at us, not at the person's own. */
static void offer_to_oom_killer(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, "500", 3) != 3) die("oom_score_adj: %s", strerror(errno));
  if (fd >= 0) close(fd);
}

/* Variables that the loader would have obeyed outside get their own names back. */
static void name_variables(void) {
  unsetenv(CONTROL_VARIABLE);
  unsetenv("PERL_BADLANG");
  for (char **each = environ; *each != NULL; each++)
    if (strncmp(*each, LATER, strlen(LATER)) == 0) *each += strlen(LATER);
}

static void give_stderr_back(void) {
  if (dup2(REAL_STDERR, 2) < 0) die("stderr: %s", strerror(errno));
  close(REAL_STDERR);
}

/* Whatever descriptors the launching program's own parent left open end here, and ours with the program's start. */
static void close_on_start(void) {
  if (syscall(__NR_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) == 0) return;
  for (int fd = 3; fd < 65536; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static bool is_there(const char *name) {
  if (strchr(name, '/') != NULL) return access(name, F_OK) == 0;
  const char *list = getenv("PATH");
  for (const char *part = list == NULL ? "" : list; *part != 0;) {
    size_t length = strcspn(part, ":");
    char path[4352];
    if (snprintf(path, sizeof path, "%.*s/%s", (int)length, part, name) < (int)sizeof path && access(path, F_OK) == 0)
      return true;
    part += length + (part[length] == ':');
  }
  return false;
}

static void expect_letter(int control, char letter) {
  char got = 0;
  if (receive_with(control, &got, 1, NULL, 0, NULL, NULL) != 1 || got != letter) _exit(125);
}

int stage(int argc, char **argv) {
  const char *number = getenv(CONTROL_VARIABLE);
  if (argc < 3 || number == NULL) die("the stage is started by the helper");
  int control = atoi(number);
  if (!send_with(control, "h", 1, NULL, 0)) _exit(125);
  check_expectations();
  limit(argv[0]);
  offer_to_oom_killer();
  expect_letter(control, 'g');
  const char *watch = argv[1];
  char **program = argv + 2;
  name_variables();
  signal(SIGINT, SIG_DFL);
  signal(SIGQUIT, SIG_DFL);
  close_on_start();
  if (watch[0] == '-') {
    if (!send_with(control, "n", 1, NULL, 0)) _exit(125);
  } else {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no new privileges: %s", strerror(errno));
    int fd = install_filter(strchr(watch, 'f') != NULL, strchr(watch, 'r') != NULL, strchr(watch, 'c') != NULL);
    if (fd < 0) die("the recorder's filter: %s", strerror(errno));
    if (!send_with(control, "f", 1, &fd, 1)) _exit(125);
    close(fd);
  }
  expect_letter(control, 'k');
  give_stderr_back();
  execvp(program[0], program);
  int why = errno;
  char answer[32];
  int length = snprintf(answer, sizeof answer, "e %d %d", why, is_there(program[0]) ? 1 : 0);
  send_with(control, answer, (size_t)length, NULL, 0);
  _exit(why == ENOENT ? 127 : 126);
}
