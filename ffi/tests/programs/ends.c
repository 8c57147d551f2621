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
static void change_log(void) {
  endEventLogging();
  if (!startEventLogging(&FileEventLogWriter))
    dprintf(STDERR_FILENO, "no other log\n");
}

#if __GLASGOW_HASKELL__ < 902
/* The RTS of 9.0 takes no lock for either. What other threads log meanwhile (the thread
 * of a hook, on its way into Haskell) would be written into the middle of a block, so
 * the world stands still. Weak: the RTS without -threaded lacks some of these, and no
 * program without it comes here. */
struct Task_;
#define WEAK_SYMBOL __attribute__((weak))
extern WEAK_SYMBOL struct Task_ *newBoundTask(void);
extern WEAK_SYMBOL void boundTaskExiting(struct Task_ *task);
extern WEAK_SYMBOL void waitForCapability(Capability **cap, struct Task_ *task);
extern WEAK_SYMBOL void stopAllCapabilities(Capability **cap, struct Task_ *task);
extern WEAK_SYMBOL void releaseAllCapabilities(uint32_t n, Capability *keep,
                                               struct Task_ *task);

void ends_other_log(void) {
  Capability *cap = NULL;
  struct Task_ *task = newBoundTask();
  waitForCapability(&cap, task);
  stopAllCapabilities(&cap, task);
  change_log();
  releaseAllCapabilities(n_capabilities, NULL, task);
  boundTaskExiting(task);
}
#else
void ends_other_log(void) { change_log(); }
#endif
