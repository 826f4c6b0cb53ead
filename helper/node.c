/*
 * Node's own channel between its processes, JSON serialization (lib/internal/child_process.js; unchanged since Node 0.x,
 * pinned by test/slow/helper.test.ts): one JSON value a line; a socket travels by SCM_RIGHTS beside a line
 * `{"cmd":"NODE_HANDLE","type":…,"msg":…}`, which is answered by a line with `NODE_HANDLE_ACK`.
 */
#include "helper.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void say(struct channel *channel, const char *format, ...) {
  char line[1024];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(line, sizeof line - 1, format, list);
  va_end(list);
  if (length < 0 || length >= (int)sizeof line - 1) die("a message is too long");
  line[length++] = '\n';
  /* A client that has gone is heard at the channel's end. */
  send_with(channel->fd, line, (size_t)length, NULL, 0);
}

void hand_over(struct channel *channel, int fd, const char *kind, const char *message) {
  char line[512];
  bool datagrams = strcmp(kind, "dgram.Socket") == 0;
  int length = snprintf(line, sizeof line, "{\"cmd\":\"NODE_HANDLE\",\"type\":\"%s\",%s\"msg\":%s}\n", kind,
                        datagrams ? "\"dgramType\":\"udp4\"," : "", message);
  if (length < 0 || length >= (int)sizeof line) die("a message is too long");
  if (!send_with(channel->fd, line, (size_t)length, &fd, 1)) die("the client has gone");
}

const char *next_line(struct channel *channel, bool wait, bool *gone) {
  static char line[sizeof channel->line];
  *gone = false;
  for (;;) {
    char *end = memchr(channel->line, '\n', channel->filled);
    if (end != NULL) {
      size_t length = (size_t)(end - channel->line);
      memcpy(line, channel->line, length);
      line[length] = 0;
      channel->filled -= length + 1;
      memmove(channel->line, end + 1, channel->filled);
      return line;
    }
    if (channel->filled == sizeof channel->line) die("the client's line is too long");
    ssize_t got = recv(channel->fd, channel->line + channel->filled, sizeof channel->line - channel->filled,
                       wait ? 0 : MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!wait) return NULL;
      /* The other end may share its non-blocking mode with us. */
      struct pollfd ready = {channel->fd, POLLIN, 0};
      poll(&ready, 1, -1);
      continue;
    }
    if (got <= 0) {
      *gone = true;
      return NULL;
    }
    channel->filled += (size_t)got;
  }
}
