/* The functions of an RTS that another library may refer to. A log is only a header; the
 * other functions are never called. */
#include "Rts.h"

#include <stdlib.h>

/* In writer.c. */
void bench_start_log(const EventLogWriter *writer);

static const EventLogWriter *running = NULL;

/* writer.c starts its log before the peer calls this. */
enum EventLogStatus eventLogStatus(void) { return EVENTLOG_RUNNING; }

bool startEventLogging(const EventLogWriter *writer) {
  running = writer;
  bench_start_log(writer);
  return true;
}

void endEventLogging(void) {
  if (running != NULL) running->stopEventLogWriter();
}

void hs_init_ghc(int *argc, char **argv[], RtsConfig config) {
  (void)argc, (void)argv, (void)config;
  abort();
}
Capability *rts_lock(void) { abort(); }
void rts_unlock(Capability *cap) {
  (void)cap;
  abort();
}
void rts_evalLazyIO(Capability **cap, StgClosure *closure, StgClosure **result) {
  (void)cap, (void)closure, (void)result;
  abort();
}
SchedulerStatus rts_getSchedStatus(Capability *cap) {
  (void)cap;
  abort();
}
void errorBelch(const char *format, ...) {
  (void)format;
  abort();
}
void barf(const char *format, ...) {
  (void)format;
  abort();
}
void shutdownHaskellAndExit(int status, int fast) {
  (void)fast;
  exit(status);
}
