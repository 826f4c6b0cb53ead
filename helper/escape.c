/*
 * What a program prints, on its way to a person's terminal: ECMA-48 sequences, as xterm, VTE, kitty, iTerm2, WezTerm, tmux
 * and the Linux console read them. An allow-list for strings (OSC, DCS, APC, PM, SOS), a deny-list for the few CSI that
 * print or that answer with words the program chose; everything else passes as it came, whatever the size of the pieces.
 *
 * Withheld: the clipboard (OSC 52, 5522, iTerm2's 1337), passing through a multiplexer (DCS tmux; and the like), files and
 * graphics by path (APC G), user-defined keys, printing (CSI i), titles read back (CSI 20t, 21t), answerback (ENQ).
 *
 * C1 controls count in both forms, as one byte that is no part of a UTF-8 character, and as U+0080 to U+009F.
 */
#include "helper.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUND, AFTER_ESC, CSI, OSC_NUMBER, OSC_WORD, DCS_HEAD, PASS_STRING, DROP_STRING };
enum { BEL = 0x07, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, ENQ = 0x05 };

/* Titles, colours, working directory, links, notices, marks of prompts, pointer shapes, text sizes. */
static const int OSC_ALLOWED[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 66, 99, 104, 105, 106, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 133, 633, 777};
static const char *const ITERM_ALLOWED[] = {"SetMark", "CurrentDir=", "RemoteHost=", "ShellIntegrationVersion="};

static void emit(struct escapes *e, const char *bytes, size_t length) {
  memcpy(e->out, bytes, length);
  e->out += length;
}
static void emit_held(struct escapes *e) {
  emit(e, e->held, e->held_count);
  e->held_count = 0;
}
static void withhold(struct escapes *e) {
  e->held_count = 0;
  e->withheld++;
}
/* False when there is no room: no sequence that programs use is that long. */
static bool keep(struct escapes *e, char byte) {
  if (e->held_count == sizeof e->held) return false;
  e->held[e->held_count++] = byte;
  return true;
}

static bool may_osc(const struct escapes *e) {
  const char *digits = e->held + e->prefix;
  size_t count = e->held_count - e->prefix;
  if (count == 0 || count > 5) return false;
  int number = 0;
  for (size_t i = 0; i < count; i++) {
    if (digits[i] < '0' || digits[i] > '9') return false;
    number = number * 10 + (digits[i] - '0');
  }
  for (size_t i = 0; i < sizeof OSC_ALLOWED / sizeof OSC_ALLOWED[0]; i++)
    if (OSC_ALLOWED[i] == number) return true;
  return false;
}
/* Of these what follows the number decides. */
static bool is_number(const struct escapes *e, const char *number) {
  return e->held_count - e->prefix == strlen(number) && memcmp(e->held + e->prefix, number, strlen(number)) == 0;
}

/* ConEmu's 9;N (it shows boxes, runs macros and programs): progress, directory and prompt may pass, and so may words. */
static int may_notice(const char *word, size_t count) {
  size_t digits = 0;
  while (digits < count && word[digits] >= '0' && word[digits] <= '9') digits++;
  if (digits == count) return -1;
  if (digits == 0 || word[digits] != ';') return 1;
  return (digits == 1 && (word[0] == '4' || word[0] == '9')) || (digits == 2 && memcmp(word, "12", 2) == 0);
}

/* After `9;` or `1337;`: 1 it may pass, 0 it may not, -1 it is not known yet. */
static int may_word(const struct escapes *e) {
  const char *text = e->held + e->prefix;
  size_t count = e->held_count - e->prefix;
  if (text[0] == '9') return may_notice(text + 2, count - 2);
  for (size_t i = 0; i < sizeof ITERM_ALLOWED / sizeof ITERM_ALLOWED[0]; i++) {
    size_t length = strlen(ITERM_ALLOWED[i]);
    if (memcmp(text + 5, ITERM_ALLOWED[i], count - 5 < length ? count - 5 : length) == 0) return count - 5 >= length ? 1 : -1;
  }
  return 0;
}

/* Parameters and intermediates are held with the introducer; `final` ends them. */
static bool may_csi(const struct escapes *e, char final) {
  const char *text = e->held + e->prefix;
  size_t count = e->held_count - e->prefix;
  if (final == 'i') return false;
  if (final == 'y') return count == 0 || text[count - 1] != '*'; /* checksums tell what is on the screen */
  if (final != 't') return true;
  /* Any parameter: what a terminal makes of a second one, or of leading zeros, is its own affair. */
  int number = 0;
  for (size_t i = 0; i <= count; i++)
    if (i < count && text[i] >= '0' && text[i] <= '9') number = number > 999 ? 999 : number * 10 + (text[i] - '0');
    else if (number == 20 || number == 21) return false;
    else number = 0;
  return true;
}

/* Sixel pictures, and the beginning and end of a frame: `DCS … q`, `DCS = … s`. */
static bool may_dcs(const struct escapes *e, char final) {
  const char *text = e->held + e->prefix;
  size_t count = e->held_count - e->prefix;
  bool is_plain = true;
  for (size_t i = 0; i < count; i++)
    if ((text[i] < '0' || text[i] > '9') && text[i] != ';' && !(i == 0 && text[i] == '=')) is_plain = false;
  return is_plain && ((final == 'q' && (count == 0 || text[0] != '=')) || (final == 's' && count > 0 && text[0] == '='));
}

static void begin(struct escapes *e, int state) {
  e->prefix = e->held_count;
  e->state = state;
}

/* The control function that follows ESC as `code` (0x40 to 0x5f), or stands alone as `code` + 0x40. */
static void introduce(struct escapes *e, int code) {
  switch (code) {
    case '[': begin(e, CSI); return;
    case ']': begin(e, OSC_NUMBER); return;
    case 'P': begin(e, DCS_HEAD); return;
    case '_': case '^': case 'X': withhold(e); e->state = DROP_STRING; return;
    default: emit_held(e); e->state = GROUND; return;
  }
}

/* A string that had begun to pass is ended for the terminal too, whatever ended it. */
static void end_string(struct escapes *e) {
  if (e->state == PASS_STRING) emit(e, "\033\\", 2);
  e->held_count = 0;
  e->state = GROUND;
}

/* A whole control that is one character: C0 but ESC, or C1 in the form that `bytes` has. */
static void control(struct escapes *e, int code, const char *bytes, size_t length) {
  bool in_string = e->state >= OSC_NUMBER;
  if (code < 0x20) {
    if (code == ENQ && !in_string) { e->withheld++; return; }
    if (code == CAN || code == SUB) {
      if (in_string) end_string(e);
      else emit_held(e);
      e->state = GROUND;
      emit(e, bytes, length);
      return;
    }
    if (code == BEL && in_string) {
      switch (e->state) {
        case OSC_NUMBER: if (may_osc(e)) { emit_held(e); emit(e, bytes, length); } else withhold(e); break;
        case OSC_WORD: withhold(e); break;
        case PASS_STRING: emit(e, bytes, length); break;
        case DCS_HEAD: withhold(e); break;
        default: break;
      }
      e->state = GROUND;
      return;
    }
    if (e->state == GROUND || e->state == PASS_STRING) emit(e, bytes, length);
    else if (e->state == CSI || e->state == AFTER_ESC) emit(e, bytes, length); /* executed at once, between the parts */
    return;
  }
  /* C1. */
  if (code == 0x9c) {
    if (e->state == OSC_NUMBER && may_osc(e)) { emit_held(e); emit(e, bytes, length); e->state = GROUND; return; }
    if (e->state == OSC_NUMBER || e->state == OSC_WORD || e->state == DCS_HEAD) withhold(e);
    if (e->state == GROUND || e->state == PASS_STRING) emit(e, bytes, length);
    e->held_count = 0;
    e->state = GROUND;
    return;
  }
  if (in_string) end_string(e);
  else e->held_count = 0;
  for (size_t i = 0; i < length; i++) keep(e, bytes[i]);
  introduce(e, code - 0x40);
}

static void printable(struct escapes *e, const char *bytes, size_t length) {
  char byte = bytes[0];
  bool is_ascii = length == 1 && (unsigned char)byte < 0x80;
  if (byte == 0x7f && e->state != GROUND && e->state != PASS_STRING) return; /* terminals pass over it, within too */
  switch (e->state) {
    case GROUND: case PASS_STRING: emit(e, bytes, length); return;
    case DROP_STRING: return;
    case AFTER_ESC:
      /* Terminals may read a byte with its high bit set as one without. */
      if (!is_ascii) {
        withhold(e);
        emit(e, bytes, length);
        e->state = GROUND;
        return;
      }
      if (byte >= 0x20 && byte < 0x30 && keep(e, byte)) return;
      if (e->held_count == 1 && byte >= 0x40 && byte <= 0x5f) { keep(e, byte); introduce(e, byte); return; }
      /* `ESC % @` leaves UTF-8, and what is a letter to us would be a control. */
      if (e->held_count > 1 && e->held[1] == '%' && byte != 'G') withhold(e);
      else { emit_held(e); emit(e, bytes, length); }
      e->state = GROUND;
      return;
    case CSI:
      if (is_ascii && byte < 0x40) {
        if (!keep(e, byte)) e->is_over = true;
        return;
      }
      if (!is_ascii || e->is_over || !may_csi(e, byte)) withhold(e);
      else { emit_held(e); emit(e, bytes, length); }
      e->is_over = false;
      e->state = GROUND;
      return;
    case OSC_NUMBER:
      if (length == 1 && byte != ';' && keep(e, byte)) return;
      if (length == 1 && byte == ';' && (is_number(e, "9") || is_number(e, "1337")) && keep(e, byte)) {
        e->state = OSC_WORD;
        return;
      }
      if (length == 1 && byte == ';' && may_osc(e)) { emit_held(e); emit(e, bytes, length); e->state = PASS_STRING; return; }
      withhold(e);
      e->state = DROP_STRING;
      return;
    case OSC_WORD: {
      bool is_kept = true;
      for (size_t i = 0; i < length; i++) is_kept = keep(e, bytes[i]) && is_kept;
      int may = is_kept ? may_word(e) : 0;
      if (may == 1) { emit_held(e); e->state = PASS_STRING; }
      else if (may == 0) { withhold(e); e->state = DROP_STRING; }
      return;
    }
    case DCS_HEAD:
      if (length == 1 && byte >= 0x20 && byte < 0x40 && keep(e, byte)) return;
      if (length == 1 && may_dcs(e, byte)) { emit_held(e); emit(e, bytes, length); e->state = PASS_STRING; }
      else { withhold(e); e->state = DROP_STRING; }
      return;
    default: return;
  }
}

/* ESC may be the first half of the end of a string. */
static void escape(struct escapes *e) {
  if (e->state >= OSC_NUMBER) { e->is_ending = true; return; }
  e->held_count = 0; /* what was begun is given up, by terminals too */
  keep(e, ESC);
  e->state = AFTER_ESC;
}

static void after_escape_in_string(struct escapes *e, unsigned char byte) {
  e->is_ending = false;
  if (byte == '\\') {
    bool passes = e->state == PASS_STRING || (e->state == OSC_NUMBER && may_osc(e));
    if (e->state == OSC_NUMBER || e->state == OSC_WORD || e->state == DCS_HEAD) {
      if (passes) emit_held(e);
      else withhold(e);
    }
    if (passes) emit(e, "\033\\", 2);
    e->held_count = 0;
    e->state = GROUND;
    return;
  }
  if (e->state != PASS_STRING && e->state != DROP_STRING) withhold(e);
  end_string(e);
  keep(e, ESC);
  e->state = AFTER_ESC;
  char one = (char)byte;
  if (byte == ESC) return;
  if (byte < 0x20) control(e, byte, &one, 1);
  else printable(e, &one, 1);
}

static void whole(struct escapes *e, const char *bytes, size_t length) {
  unsigned char byte = (unsigned char)bytes[0];
  if (e->is_ending) {
    if (length == 1 && byte < 0x80) { after_escape_in_string(e, byte); return; }
    e->is_ending = false;
    if (e->state != PASS_STRING && e->state != DROP_STRING) withhold(e);
    end_string(e);
  }
  if (length == 1 && byte == ESC) escape(e);
  else if (length == 1 && (byte < 0x20 || (byte >= 0x80 && byte < 0xa0))) control(e, byte, bytes, 1);
  else if (length == 2 && byte == 0xc2 && (unsigned char)bytes[1] < 0xa0) control(e, (unsigned char)bytes[1], bytes, 2);
  else printable(e, bytes, length);
}

static size_t length_of(unsigned char lead) {
  return lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? (lead < 0xf0 ? 3 : 1) : lead >= 0xc2 ? 2 : 1;
}

size_t escapes_pass(struct escapes *e, const char *bytes, size_t length, char *out) {
  e->out = out;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if (e->state == GROUND && !e->is_ending && e->utf8_count == 0 && byte >= 0x20 && byte < 0x80) {
      *e->out++ = (char)byte;
      continue;
    }
    if (e->utf8_count > 0 && (byte & 0xc0) != 0x80) {
      /* Broken off: bytes of a character all the same, and no controls, or half a picture would swallow what follows. */
      size_t count = e->utf8_count;
      e->utf8_count = 0;
      whole(e, e->utf8, 1);
      for (size_t k = 1; k < count; k++) printable(e, e->utf8 + k, 1);
    }
    e->utf8[e->utf8_count++] = (char)byte;
    if (e->utf8_count < length_of((unsigned char)e->utf8[0])) continue;
    size_t count = e->utf8_count;
    e->utf8_count = 0;
    whole(e, e->utf8, count);
  }
  return (size_t)(e->out - out);
}

/* The filter alone, for tests and measurements: standard input to standard output, in pieces of at most so many bytes. */
int filter(int argc, char **argv) {
  static struct escapes escapes;
  static char in[65536], out[4 * 65536];
  const size_t size = argc > 0 ? (size_t)atoi(argv[0]) : sizeof in;
  if (size == 0 || size > sizeof in) die("filter: a size of 1 to 65536");
  for (ssize_t got; (got = read(0, in, sizeof in)) > 0;)
    for (size_t at = 0; at < (size_t)got; at += size) {
      const size_t piece = (size_t)got - at < size ? (size_t)got - at : size;
      const size_t length = escapes_pass(&escapes, in + at, piece, out);
      for (size_t done = 0; done < length;) {
        ssize_t put = write(1, out + done, length - done);
        if (put <= 0) return 1;
        done += (size_t)put;
      }
    }
  return 0;
}
