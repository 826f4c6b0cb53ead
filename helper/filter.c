/*
 * The recorder's filter, on top of the one that refuses calls: what it picks is held until the recorder outside has seen
 * it (seccomp user notification, Documentation/userspace-api/seccomp_filter.rst). It allows everything: of two filters
 * the stricter answer counts, so a call that the other refuses is not seen here.
 *
 * Opens are picked by their flags; the path is behind a pointer, which a filter cannot follow.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "x86-64 and arm64 only"
#endif

#define WRITES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

static struct sock_filter program[96];
static unsigned short length;

static void add(unsigned short code, uint32_t k, uint8_t yes, uint8_t no) {
  if (length == sizeof program / sizeof program[0]) abort();
  program[length++] = (struct sock_filter){code, yes, no, k};
}
static void pick(long number) {
  add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
}
/* Low half of an argument, little-endian. */
static void load_argument(int n) {
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (uint32_t)n, 0, 0);
}
/* Picks the call when its argument has one of these bits. */
static void pick_if(long number, int argument, uint32_t bits) {
  add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
  load_argument(argument);
  add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
  add(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}
/* A file that is opened, not a directory that is listed or a place that is only named. */
static void pick_files(long number, int argument) {
  add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 5);
  load_argument(argument);
  add(BPF_JMP | BPF_JSET | BPF_K, WRITES, 1, 0);
  add(BPF_JMP | BPF_JSET | BPF_K, O_DIRECTORY | O_PATH, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}
/* A datagram's address; null on a connected socket. Either half of the pointer. */
static void pick_addressed(long number) {
  add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 6);
  load_argument(4);
  add(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * 4 + 4, 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static const int CHANGES[] = {
    __NR_renameat2, __NR_unlinkat, __NR_mkdirat, __NR_linkat, __NR_symlinkat, __NR_truncate, __NR_mknodat,
    __NR_fchmod,    __NR_fchmodat, NR_FCHMODAT2,
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_open
    __NR_rename,    __NR_unlink,   __NR_mkdir,   __NR_rmdir,  __NR_link,      __NR_symlink,  __NR_creat,   __NR_mknod,
    __NR_chmod,
#endif
};

int install_filter(bool files, bool reads, bool connects) {
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0); /* the other filter refuses foreign architectures */
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
  if (connects || files) {
    pick(__NR_connect);
    pick_addressed(__NR_sendto);
  }
  if (files) {
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) pick(CHANGES[i]);
    pick(__NR_execve);
    pick(__NR_execveat);
    pick(__NR_exit_group);
    if (reads) pick_files(__NR_openat, 2);
    else pick_if(__NR_openat, 2, WRITES);
#ifdef __NR_open
    if (reads) pick_files(__NR_open, 1);
    else pick_if(__NR_open, 1, WRITES);
#endif
  }
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  struct sock_fprog whole = {length, program};
  /* Killable: a signal that is not deadly must not interrupt a call that was already told (Linux 5.19). */
  unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  long fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole);
  if (fd < 0 && errno == EINVAL)
    fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &whole);
  return (int)fd;
}
