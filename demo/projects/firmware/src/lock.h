#ifndef LOCK_H
#define LOCK_H

int lock_try(const char *code, unsigned now);
unsigned lock_locked_until(void);
int code_is_good(const char *code);
int bolt_open(void);

#endif
