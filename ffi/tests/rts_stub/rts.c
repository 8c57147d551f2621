/*
 * rts.c - the functions of Rts.h, and a main that names all that is to be linked.
 */
#include "eventlog_socket_rts.h"

#include <stdio.h>
#include <stdlib.h>

RTS_FLAGS RtsFlags;
uint32_t n_capabilities = 1, enabled_capabilities = 1;

EventLogStatus eventLogStatus(void) { return EVENTLOG_NOT_CONFIGURED; }
bool startEventLogging(const EventLogWriter *writer) {
  writer->initEventLogWriter();
  return true;
}
void endEventLogging(void) {}
void flushEventLog(Capability **cap) { (void)cap; }
int rtsSupportsBoundThreads(void) { return 1; }
int rts_isProfiled(void) { return 0; }
void getFullProgArgv(int *argc, char ***argv) { *argc = 0, *argv = NULL; }
void requestHeapCensus(void) {}
void startHeapProfTimer(void) {}
void stopHeapProfTimer(void) {}
void startProfTimer(void) {}
void stopProfTimer(void) {}
void performMajorGC(void) {}
uint32_t getNumberOfProcessors(void) { return 1; }
Capability *rts_lock(void) { return NULL; }
void rts_unlock(Capability *cap) { (void)cap; }
void rts_evalLazyIO(Capability **cap, StgClosure *closure, StgClosure **result) {
  (void)cap, (void)closure, (void)result;
}
SchedulerStatus rts_getSchedStatus(Capability *cap) {
  (void)cap;
  return Success;
}
void errorBelch(const char *format, ...) { fputs(format, stderr); }
void barf(const char *format, ...) {
  fputs(format, stderr);
  abort();
}
void hs_init_ghc(int *argc, char ***argv, RtsConfig config) {
  (void)argc, (void)argv, (void)config;
}
void shutdownHaskellAndExit(int status, int fast) {
  (void)fast;
  exit(status);
}

/* What the RTS part refers to if it is there. */
RtsConfig rtsConfig;
bool performHeapProfile;
uint8_t TRACE_sched, TRACE_gc, TRACE_nonmoving_gc, TRACE_spark_sampled, TRACE_spark_full,
    TRACE_user, TRACE_cap;
CostCentre *CC_LIST = NULL;
int rts_isDebugged(void) { return 0; }
#if __GLASGOW_HASKELL__ < 902
bool concurrent_coll_running;
struct Task_;
struct Task_ *newBoundTask(void) { return NULL; }
void boundTaskExiting(struct Task_ *task) { (void)task; }
void waitForCapability(Capability **cap, struct Task_ *task) { (void)cap, (void)task; }
void stopAllCapabilities(Capability **cap, struct Task_ *task) { (void)cap, (void)task; }
void releaseAllCapabilities(uint32_t n, Capability *keep, struct Task_ *task) {
  (void)n, (void)keep, (void)task;
}
#endif

/* Of the Haskell package's C part. */
void eventlog_socket_hs_worker_status(int status_out[2]);
extern void OnExitHook(void);

int main(int argc, char *argv[]) {
  int status[2];
  RtsConfig config = {0};
  rtsConfig.onExitHook = OnExitHook;
  eventlog_socket_hs_worker_status(status);
  printf("%d\n", status[0]);
  if (argc > 1) return eventlog_socket_hs_main(argc, argv, config, NULL);
  return 0;
}
