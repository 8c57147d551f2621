/*
 * Rts.h - as much of GHC's as eventlog_socket_rts.c uses, to compile it for systems that
 * there is no GHC for here. rts.c beside it defines the functions. They do nothing: it can
 * be linked, not run.
 */
#ifndef STUB_RTS_H
#define STUB_RTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __GLASGOW_HASKELL__
#define __GLASGOW_HASKELL__ 910
#endif
#define __GLASGOW_HASKELL_PATCHLEVEL1__ 3

#define BLOCK_SIZE 4096
#define MBLOCK_SIZE 1048576

#define EXIT_KILLED 250
#define EXIT_INTERRUPTED 251
#define EXIT_HEAPOVERFLOW 251

#define TRACE_EVENTLOG 1

#define NO_HEAP_PROFILING 0
#define HEAP_BY_CCS 1
#define HEAP_BY_MOD 2
#define HEAP_BY_DESCR 4
#define HEAP_BY_TYPE 5
#define HEAP_BY_RETAINER 6
#define HEAP_BY_LDV 7
#define HEAP_BY_CLOSURE_TYPE 8
#define HEAP_BY_INFO_TABLE 9
#define HEAP_BY_ERA 10

typedef struct StgClosure_ StgClosure;
typedef struct Capability_ Capability;
typedef struct {
  void (*initEventLogWriter)(void);
  bool (*writeEventLog)(void *eventlog, size_t eventlog_size);
  void (*flushEventLog)(void);
  void (*stopEventLogWriter)(void);
} EventLogWriter;

typedef struct {
  const EventLogWriter *eventlog_writer;
  void (*onExitHook)(void);
} RtsConfig;

typedef struct {
  struct { bool user, nonmoving_gc; int tracing, eventlogFlushTicks; } TraceFlags;
  struct { uint32_t nCapabilities; } ParFlags;
  struct { int64_t tickInterval; } MiscFlags;
  struct { uint32_t generations, maxHeapSize, minAllocAreaSize; } GcFlags;
  struct {
    uint32_t doHeapProfile;
    int64_t heapProfileInterval;
    const char *modSelector, *descrSelector, *typeSelector, *ccSelector, *ccsSelector,
        *retainerSelector, *bioSelector;
  } ProfFlags;
} RTS_FLAGS;

typedef struct CostCentre_ {
  intptr_t ccID;
  const char *label, *module, *srcloc;
  bool is_caf;
  struct CostCentre_ *link;
} CostCentre;

typedef enum { NoStatus, Success, Killed, Interrupted, HeapExhausted } SchedulerStatus;
typedef enum {
  EVENTLOG_NOT_SUPPORTED,
  EVENTLOG_NOT_CONFIGURED,
  EVENTLOG_RUNNING
} EventLogStatus;

extern RTS_FLAGS RtsFlags;
extern uint32_t n_capabilities, enabled_capabilities;

EventLogStatus eventLogStatus(void);
bool startEventLogging(const EventLogWriter *writer);
void endEventLogging(void);
void flushEventLog(Capability **cap);
int rtsSupportsBoundThreads(void);
int rts_isProfiled(void);
void getFullProgArgv(int *argc, char ***argv);
void requestHeapCensus(void);
void startHeapProfTimer(void);
void stopHeapProfTimer(void);
void startProfTimer(void);
void stopProfTimer(void);
void performMajorGC(void);
uint32_t getNumberOfProcessors(void);
Capability *rts_lock(void);
void rts_unlock(Capability *cap);
void rts_evalLazyIO(Capability **cap, StgClosure *closure, StgClosure **result);
SchedulerStatus rts_getSchedStatus(Capability *cap);
void errorBelch(const char *format, ...);
void barf(const char *format, ...) __attribute__((noreturn));
void hs_init_ghc(int *argc, char ***argv, RtsConfig config);
void shutdownHaskellAndExit(int status, int fast) __attribute__((noreturn));

#endif
