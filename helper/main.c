/* Which face, and what they share. */
#include "helper.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* To standard error, which the client reads until the program has started. */
void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vdprintf(2, format, list);
  va_end(list);
  dprintf(2, "\n");
  _exit(125);
}

bool send_with(int socket, const void *bytes, size_t length, const int *fds, int count) {
  union {
    char room[CMSG_SPACE(sizeof(int) * SOCKETS)];
    struct cmsghdr align;
  } control = {0};
  struct iovec part = {(void *)bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control.room;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  }
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)length;
}

ssize_t receive_with(int socket, void *bytes, size_t size, int *fds, int room, int *count, pid_t *pid) {
  union {
    char room[CMSG_SPACE(sizeof(int) * SOCKETS) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct iovec part = {bytes, size};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
  ssize_t got;
  do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (count != NULL) *count = 0;
  if (got <= 0) return got;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_CREDENTIALS && pid != NULL) {
      struct ucred who;
      memcpy(&who, CMSG_DATA(header), sizeof who);
      *pid = who.pid;
    } else if (header->cmsg_type == SCM_RIGHTS) {
      int many = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      for (int i = 0; i < many; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        if (count != NULL && *count < room) fds[(*count)++] = fd;
        else close(fd);
      }
    }
  }
  return got;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "launch") == 0) return launch(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "stage") == 0) return stage(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "terminal") == 0) return terminal(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "filter") == 0) return filter(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "overlay") == 0) return overlay(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "opaque") == 0) return opaque(argc - 2, argv + 2);
  if (argc > 1 && strcmp(argv[1], "ask") == 0) return ask(argc - 2, argv + 2);
  die("sallyport's helper is started by sallyport");
}
