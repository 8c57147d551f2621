/* See ../Rts.h. */
#ifndef BENCH_STUB_EVENTLOG_WRITER_H
#define BENCH_STUB_EVENTLOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  void (*initEventLogWriter)(void);
  bool (*writeEventLog)(void *eventlog, size_t eventlog_size);
  void (*flushEventLog)(void);
  void (*stopEventLogWriter)(void);
} EventLogWriter;

enum EventLogStatus { EVENTLOG_NOT_SUPPORTED, EVENTLOG_NOT_CONFIGURED, EVENTLOG_RUNNING };

enum EventLogStatus eventLogStatus(void);
bool startEventLogging(const EventLogWriter *writer);
void endEventLogging(void);

#endif
