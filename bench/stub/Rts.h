/* The names of GHC's Rts.h that a library with the header eventlog_socket.h needs in a
 * program without an RTS. */
#ifndef BENCH_STUB_RTS_H
#define BENCH_STUB_RTS_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rts/EventLogWriter.h"

typedef struct Capability_ Capability;
typedef struct StgClosure_ StgClosure;
typedef struct {
  const EventLogWriter *eventlog_writer;
} RtsConfig;
typedef enum { NoStatus, Success, Killed, Interrupted, HeapExhausted } SchedulerStatus;
enum { EXIT_INTERRUPTED = 252, EXIT_HEAPOVERFLOW = 251, EXIT_KILLED = 250 };

void hs_init_ghc(int *argc, char **argv[], RtsConfig config);
Capability *rts_lock(void);
void rts_unlock(Capability *cap);
void rts_evalLazyIO(Capability **cap, StgClosure *closure, StgClosure **result);
SchedulerStatus rts_getSchedStatus(Capability *cap);
void errorBelch(const char *format, ...);
void barf(const char *format, ...) __attribute__((noreturn));
void shutdownHaskellAndExit(int status, int fast) __attribute__((noreturn));

#endif
