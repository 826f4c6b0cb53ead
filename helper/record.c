/*
 * Frames for the station, on its socket for this session's record (src/sandbox/record.ts reads them).
 *
 *   frame  = length of the rest (u32, little-endian), then fields, each ended by a NUL; the first is a letter
 *   H version pid                                  the recorder's own process number
 *   E command parent pid file fd flags program cwd argument…
 *   X command code                                 code empty: killed, or not seen
 *   F command kind path [to]                       c created, w opened for writing, r removed, m renamed, d folder made, l link made, a mode changed
 *   R command path                                 opened for reading
 *   C command transport address port answer name
 *   L what                                         something could not be read from a program's memory
 *   .                                              the orderly end
 *
 * Where the session may go on without a record (WATCH letter o) a station that has gone is a record that ends here.
 *
 * The station says one thing, the letter k, when it has what the workspace held before: until then programs inside wait
 * where they would change it. Its hanging up ends the session.
 *
 * A frame is in the socket before the call it tells of goes on where that matters (programs, connections); files travel
 * with the next such frame, or within 20 ms.
 */
#include "helper.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void record_open(struct record *record, const char *path) {
  record->fd = -1;
  record->filled = 0;
  if (strcmp(path, "-") == 0) return;
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof at.sun_path) die("%s: too long for a socket", path);
  strcpy(at.sun_path, path);
  record->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (record->fd < 0 || connect(record->fd, (struct sockaddr *)&at, sizeof at) != 0)
    die("the station's socket for the record: %s", strerror(errno));
}

bool record_lose(struct record *record) {
  if (!record->may_be_lost) return false;
  if (record->fd >= 0) close(record->fd);
  record->fd = -1;
  record->filled = 0;
  return true;
}

bool record_flush(struct record *record) {
  size_t done = 0;
  while (record->fd >= 0 && done < record->filled) {
    ssize_t sent = send(record->fd, record->buffer + done, record->filled - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return record_lose(record);
    done += (size_t)sent;
  }
  record->filled = 0;
  return true;
}

bool record_frame(struct record *record, const char *const *fields, const size_t *lengths, int count) {
  if (record->fd < 0) return true;
  size_t whole = 0;
  for (int i = 0; i < count; i++) whole += lengths[i] + 1;
  if (whole + 4 > sizeof record->buffer) return false; /* callers bound what they tell */
  if (record->filled + whole + 4 > sizeof record->buffer && !record_flush(record)) return false;
  char *at = record->buffer + record->filled;
  const uint32_t length = (uint32_t)whole;
  memcpy(at, &length, 4);
  at += 4;
  for (int i = 0; i < count; i++) {
    memcpy(at, fields[i], lengths[i]);
    at[lengths[i]] = 0;
    at += lengths[i] + 1;
  }
  record->filled += whole + 4;
  return true;
}
