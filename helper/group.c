/*
 * The control groups of a session, made by the station (src/sandbox/cgroup.ts): a directory for each hierarchy, a line each
 * in the variable SALLYPORT_GROUPS. Bubblewrap is moved while it mounts, as the first move may make the kernel wait for some
 * milliseconds; what it had started before is moved while the stage waits. The helper itself stays outside: it must live where
 * a program inside eats all memory.
 *
 * Failure contract: a process that is there and cannot be moved ends the helper.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_GROUPS = 4 };
static char *groups[MOST_GROUPS];

void groups_take(void) {
  char *list = getenv("SALLYPORT_GROUPS");
  if (list == NULL) return;
  list = strdup(list);
  unsetenv("SALLYPORT_GROUPS");
  int count = 0;
  for (char *one = strtok(list, "\n"); one != NULL; one = strtok(NULL, "\n")) {
    if (count == MOST_GROUPS) die("too many control groups");
    groups[count++] = one;
  }
}

/* Each group's last name is the session's own. */
static bool is_in(pid_t pid, const char *group) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[got > 0 ? got : 0] = 0;
  const char *name = strrchr(group, '/');
  int all = 0, there = 0;
  for (int i = 0; i < MOST_GROUPS && groups[i] != NULL; i++) all++;
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    const size_t length = strlen(line), size = strlen(name);
    there += length >= size && strcmp(line + length - size, name) == 0;
  }
  return there == all;
}

void groups_enter(pid_t pid) {
  char path[4352], number[16];
  if (groups[0] == NULL || pid <= 0 || is_in(pid, groups[0])) return;
  for (int i = 0; i < MOST_GROUPS && groups[i] != NULL; i++) {
    snprintf(path, sizeof path, "%s/cgroup.procs", groups[i]);
    int length = snprintf(number, sizeof number, "%d", (int)pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool is_moved = fd >= 0 && write(fd, number, (size_t)length) == length;
    if (!is_moved && errno != ESRCH) die("%s: %s", path, strerror(errno)); /* one that has ended is heard on its own */
    if (fd >= 0) close(fd);
  }
}

void groups_enter_parent(pid_t pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC), parent = 0;
  ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[got > 0 ? got : 0] = 0;
  const char *after = strrchr(text, ')');
  if (after != NULL && sscanf(after, ") %*c %d", &parent) == 1) groups_enter(parent);
}
