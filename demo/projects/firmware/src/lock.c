#include "lock.h"

static int wrong_in_a_row;
static unsigned locked_until;

/* Seconds since the lock was powered. */
int lock_try(const char *code, unsigned now) {
  if (code_is_good(code)) {
    wrong_in_a_row = 0;
    return bolt_open();
  }
  wrong_in_a_row++;
  return -1;
}

unsigned lock_locked_until(void) { return locked_until; }
