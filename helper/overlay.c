/*
 * Copy-on-write directories round a command: `overlay TAG (AT DEVICE INODE UPPER WORK OPTIONS)… -- COMMAND…`.
 *
 *   TAG      what the mounts are called in /proc/self/mountinfo: they can be found by it, and it says nothing of the host
 *   AT       an absolute path without links; what is there is covered, and stays as it is
 *   DEVICE, INODE  what was at AT when the session was planned: another directory is refused
 *   UPPER    where what is written goes; WORK: an empty directory beside it, the kernel's own
 *   OPTIONS  further mount options, `-` for none
 *
 * In a mount namespace of our own, and, for who may not mount, in a user namespace in which we are who we were; the
 * command has no more rights in there than outside, as its start drops what the new namespace gave. An AT within another
 * AT comes after it. bubblewrap (before 0.11) cannot do this itself.
 *
 * The other face, `opaque DIRECTORY`, prints the directories below it that hide all that they cover, each ended by a
 * NUL: the kernel marks them by an extended attribute, which Node cannot read.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { FIELDS = 6, MOST = 64, OPEN_DIRECTORIES = 64 };

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) die("overlay: %s: %s", path, strerror(errno));
  close(fd);
}

static void enter_namespaces(void) {
  if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0) return;
  const unsigned uid = geteuid(), gid = getegid();
  char line[64];
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) die("overlay: no namespaces: %s", strerror(errno));
  write_file("/proc/self/setgroups", "deny");
  snprintf(line, sizeof line, "%u %u 1", uid, uid);
  write_file("/proc/self/uid_map", line);
  snprintf(line, sizeof line, "%u %u 1", gid, gid);
  write_file("/proc/self/gid_map", line);
}

static int hold(const char *path) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) die("overlay: %s: %s", path, strerror(errno));
  return fd;
}

static void mount_one(const char *tag, int lower, char **field) {
  int at = hold(field[0]), upper = hold(field[3]), work = hold(field[4]);
  char options[256], target[32];
  /* By descriptors: no name can be swapped, none needs escaping, and none shows inside. */
  snprintf(options, sizeof options,
           "userxattr,index=off,lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d%s%s", lower,
           upper, work, field[5][0] == '-' ? "" : ",", field[5][0] == '-' ? "" : field[5]);
  snprintf(target, sizeof target, "/proc/self/fd/%d", at);
  if (mount(tag, target, "overlay", MS_NOSUID | MS_NODEV, options) != 0)
    die("overlay: %s cannot be covered: %s", field[0], strerror(errno));
  close(at);
  close(upper);
  close(work);
  close(lower);
}

int overlay(int argc, char **argv) {
  int count = 0, lower[MOST];
  if (argc < 1) die("overlay: no tag");
  char **first = argv + 1;
  pid_t parent = getppid();
  while (1 + count * FIELDS < argc && strcmp(first[count * FIELDS], "--") != 0) {
    if (count == MOST || 1 + (count + 1) * FIELDS >= argc) die("overlay: arguments");
    count++;
  }
  char **command = first + count * FIELDS + 1;
  if (command >= argv + argc) die("overlay: no command");
  enter_namespaces();
  /* Before anything is covered. */
  for (int i = 0; i < count; i++) {
    char **field = first + i * FIELDS;
    struct stat found;
    lower[i] = hold(field[0]);
    if (fstat(lower[i], &found) != 0 || found.st_dev != strtoull(field[1], NULL, 10) ||
        found.st_ino != strtoull(field[2], NULL, 10))
      die("%s was replaced while the sandbox was being built", field[0]);
  }
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) die("overlay: %s", strerror(errno));
  for (int i = 0; i < count; i++) mount_one(argv[0], lower[i], first + i * FIELDS);
  /* A change of rights may have taken the promise back. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);
  execv(command[0], command);
  die("%s: %s", command[0], strerror(errno));
}

static size_t root_length;

static int print_opaque(const char *path, const struct stat *at, int kind, struct FTW *place) {
  (void)at;
  char mark = 0;
  if (kind == FTW_DNR) return -1;
  if (kind != FTW_D || place->level == 0) return 0;
  if (lgetxattr(path, "user.overlay.opaque", &mark, 1) == 1 && mark == 'y') {
    fputs(path + root_length + 1, stdout);
    putchar(0);
  }
  return 0;
}

int opaque(int argc, char **argv) {
  if (argc != 1) die("opaque: one directory");
  root_length = strlen(argv[0]);
  if (nftw(argv[0], print_opaque, OPEN_DIRECTORIES, FTW_PHYS) != 0) die("opaque: %s: %s", argv[0], strerror(errno));
  return fflush(stdout) == 0 ? 0 : 1;
}
