/* Linked to a program, this makes it run, by its environment, with
 *   STACK_LIMIT   what `ulimit -s` says, in KiB, or "unlimited"
 *   LOCK_MEMORY   all memory locked that it has and will have */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* The C library looks at the limit when a program starts. */
static void limit_stack(const char *kib, char **argv) {
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur =
      strcmp(kib, "unlimited") == 0 ? RLIM_INFINITY : strtoul(kib, NULL, 10) << 10;
  if (setrlimit(RLIMIT_STACK, &limit) != 0) perror("setrlimit");
  unsetenv("STACK_LIMIT");
  execv("/proc/self/exe", argv);
  perror("execv");
}

__attribute__((constructor)) static void begin(int argc, char **argv) {
  (void)argc;
  const char *limit = getenv("STACK_LIMIT");
  if (limit != NULL) limit_stack(limit, argv);
  if (getenv("LOCK_MEMORY") != NULL && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
    perror("mlockall");
}
