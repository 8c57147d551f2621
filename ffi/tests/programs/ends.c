/* What only C can do for Ends.hs. */
#include "eventlog_socket.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *exit_soon(void *status) {
  usleep(100000);
  exit((int)(intptr_t)status);
}

/* On a thread that the RTS does not know, while it runs. */
void ends_exit_aside(int status) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, exit_soon, (void *)(intptr_t)status) != 0)
    abort();
}

/* End the log, and start one to the RTS's own file. */
void ends_other_log(void) {
  endEventLogging();
  if (!startEventLogging(&FileEventLogWriter))
    dprintf(STDERR_FILENO, "no other log\n");
}
