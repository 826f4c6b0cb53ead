/*
 * The client's first question, before the client is there: `ask VERSION_FILE NODE ARGUMENT… -- MAIN run WORD…`.
 *
 * Node takes longer to start than the station to plan a session. What starts Sallyport (bin/sallyport) therefore starts
 * this: it asks the station what `run WORD…` asks, and becomes Node with the socket in the variable SALLYPORT_LINE, where
 * the client reads the answer (src/cli/reach.ts). Meanwhile the wall is built (early.c): the variable SALLYPORT_WALL holds
 * its process, and the descriptors of its complaints and of what bubblewrap says; its channel is Node's own. It asks only what it knows: flags that it has no word for, a station that
 * is not there or of another version, a place that it does not look at; then Node starts as it would have without it.
 *
 * The question is the one of src/cli/talk.ts, one JSON value a line.
 */
#include "helper.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;
/* As in src/cli/places.ts: a longer path is shortened there. */
enum { MOST_RUN_PATH = 80, MOST_QUESTION = 4 << 20 };

struct text {
  char *bytes;
  size_t length, room;
};

static void put(struct text *text, const char *bytes, size_t length) {
  if (text->length + length > text->room) {
    text->room = (text->length + length) * 2;
    text->bytes = realloc(text->bytes, text->room);
    if (text->bytes == NULL) die("no memory");
  }
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
}
static void put_word(struct text *text, const char *word) { put(text, word, strlen(word)); }

/* Bytes that are no UTF-8 are replaced by whoever reads them, as Node does. */
static void put_string(struct text *text, const char *string, size_t length) {
  put_word(text, "\"");
  for (size_t i = 0; i < length; i++) {
    const unsigned char byte = (unsigned char)string[i];
    char escape[8];
    if (byte == '"' || byte == '\\') {
      const char pair[2] = {'\\', (char)byte};
      put(text, pair, 2);
    } else if (byte < 0x20) put(text, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", byte));
    else put(text, (const char *)&byte, 1);
  }
  put_word(text, "\"");
}

static bool is_absolute(const char *path) { return path != NULL && path[0] == '/'; }

/* The folder of the station's socket; false where it is not one of the plain cases. */
static bool find_run(char *run, size_t size) {
  const char *home = getenv("SALLYPORT_HOME"), *runtime = getenv("XDG_RUNTIME_DIR"), *state = getenv("XDG_STATE_HOME");
  const char *person = getenv("HOME");
  int length = -1;
  if (home != NULL) length = is_absolute(home) ? snprintf(run, size, "%s/run", home) : -1;
  else if (is_absolute(runtime)) length = snprintf(run, size, "%s/sallyport", runtime);
  else if (is_absolute(state)) length = snprintf(run, size, "%s/sallyport/run", state);
  else if (is_absolute(person)) length = snprintf(run, size, "%s/.local/state/sallyport/run", person);
  return length > 0 && length <= MOST_RUN_PATH;
}

static size_t read_file(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t got = read(fd, text, size);
  close(fd);
  return got > 0 ? (size_t)got : 0;
}

/* A station of the client's own version, or -1. */
static int reach(const char *version_file) {
  char run[256], path[300], here[64], there[64];
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  if (!find_run(run, sizeof run)) return -1;
  snprintf(path, sizeof path, "%.80s/station.version", run);
  const size_t length = read_file(version_file, here, sizeof here);
  if (length == 0 || read_file(path, there, sizeof there) != length || memcmp(here, there, length) != 0) return -1;
  snprintf(at.sun_path, sizeof at.sun_path, "%.80s/station.sock", run);
  int line = socket(AF_UNIX, SOCK_STREAM, 0);
  if (line >= 0 && connect(line, (struct sockaddr *)&at, sizeof at) == 0) return line;
  if (line >= 0) close(line);
  return -1;
}

static bool is_first(char **variable, size_t name) {
  for (char **earlier = environ; earlier < variable; earlier++)
    if (strncmp(*earlier, *variable, name + 1) == 0) return false;
  return true;
}

/* False where a flag is not one of those that we know, or no agent is named: the client says what is wrong. */
static bool write_question(struct text *text, char **words) {
  const char *profile = NULL, *undo = "true", *review = "false";
  for (; *words != NULL && (*words)[0] == '-'; words++) {
    if (strcmp(*words, "--") == 0) {
      words++;
      break;
    }
    if (strcmp(*words, "--no-undo") == 0) undo = "false";
    else if (strcmp(*words, "--review") == 0) review = "true";
    else if (strcmp(*words, "-p") == 0 || strcmp(*words, "--profile") == 0) {
      profile = *++words;
      if (profile == NULL) return false;
    } else if (strcmp(*words, "-q") != 0 && strcmp(*words, "--quiet") != 0 && strcmp(*words, "--json") != 0) return false;
  }
  char folder[4096];
  if (*words == NULL || getcwd(folder, sizeof folder) == NULL) return false;
  put_word(text, "{\"op\":\"run\",\"agent\":");
  put_string(text, *words, strlen(*words));
  put_word(text, ",\"arguments\":[");
  for (char **word = words + 1; *word != NULL; word++) {
    if (word > words + 1) put_word(text, ",");
    put_string(text, *word, strlen(*word));
  }
  put_word(text, "],\"cwd\":");
  put_string(text, folder, strlen(folder));
  put_word(text, ",\"environment\":{");
  bool isFirst = true;
  for (char **each = environ; *each != NULL; each++) {
    const char *equals = strchr(*each, '=');
    if (equals == NULL || !is_first(each, (size_t)(equals - *each))) continue;
    if (!isFirst) put_word(text, ",");
    isFirst = false;
    put_string(text, *each, (size_t)(equals - *each));
    put_word(text, ":");
    put_string(text, equals + 1, strlen(equals + 1));
  }
  put_word(text, "},\"profile\":");
  if (profile == NULL) put_word(text, "null");
  else put_string(text, profile, strlen(profile));
  put_word(text, ",\"upstream\":null,\"door\":\"tls\",\"explain\":false,\"system\":\"this\",\"isEarly\":true,\"review\":");
  put_word(text, review);
  put_word(text, ",\"undo\":");
  put_word(text, undo);
  put_word(text, "}\n");
  return text->length < MOST_QUESTION;
}

static bool send_question(int line, const struct text *text) {
  for (size_t done = 0; done < text->length;) {
    ssize_t sent = send(line, text->bytes + done, text->length - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    done += (size_t)sent;
  }
  return true;
}

int ask(int argc, char **argv) {
  int split = 1;
  while (split < argc && strcmp(argv[split], "--") != 0) split++;
  if (argc < 2 || split + 2 >= argc) die("`ask` is started by bin/sallyport");
  struct text text = {0};
  struct early early;
  int line = write_question(&text, argv + split + 3) ? reach(argv[0]) : -1;
  bool has_wall = line >= 0 && begin_wall(line, &early);
  if (line >= 0 && (!has_wall || !send_question(line, &text))) {
    close(line); /* it has gone: the client starts another */
    line = -1;
    if (has_wall) kill(early.wall, SIGKILL);
    has_wall = false;
  }
  free(text.bytes);
  unsetenv("SALLYPORT_LINE");
  unsetenv("SALLYPORT_WALL");
  if (has_wall) {
    char number[64];
    snprintf(number, sizeof number, "%d", line);
    setenv("SALLYPORT_LINE", number, 1);
    snprintf(number, sizeof number, "%d %d %d", (int)early.wall, early.complaint, early.information);
    setenv("SALLYPORT_WALL", number, 1);
    snprintf(number, sizeof number, "%d", early.channel);
    setenv("NODE_CHANNEL_FD", number, 1);
    unsetenv("NODE_CHANNEL_SERIALIZATION_MODE");
  }
  /* Node's own arguments, then the file and the words. */
  memmove(argv + split, argv + split + 1, (size_t)(argc - split) * sizeof *argv);
  execv(argv[1], argv + 1);
  die("%s: %s", argv[1], strerror(errno));
}
