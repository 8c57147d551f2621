/* Linked to a program, this makes it one with 4 MiB of thread-local variables, as some
 * numeric libraries and compilers at run time have. The C library takes them out of the
 * stack of each thread. */
enum { BYTES = 4 << 20 };
static __thread volatile char variables[BYTES];

__attribute__((constructor)) static void touch_all(void) {
  for (int i = 0; i < BYTES; i += 4096) variables[i] = 1;
}
