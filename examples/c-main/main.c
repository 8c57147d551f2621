/*
 * c-main - the library without GHC: this program does what the RTS would do.
 *
 * Several threads, each with a capability of its own, fill a buffer with events
 * and hand it to EventLogSocketWriter, as the RTS does. The stream that a client
 * gets is a valid eventlog: `ghc-events show` reads it.
 *
 * Build, in the repository's root after `cargo build --release`, or with
 * scripts/build-example c-main:
 *
 *   cc -std=c11 -pthread -Iinclude -DEVENTLOG_SOCKET_NO_RTS -o c-main \
 *     examples/c-main/main.c target/release/libeventlog_socket.a -ldl -lm
 *
 * Run (4 threads, 1000 blocks each):
 *
 *   GHC_EVENTLOG_UNIX_PATH=/tmp/c-main.sock GHC_EVENTLOG_WAIT=1 ./c-main 4 1000
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "eventlog_socket.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------- the format, big-endian -- */

enum {
  BLOCK_MARKER = 18,
  USER_MSG = 19,
  CAPSET_CREATE = 25,
  CAPSET_ASSIGN_CAP = 27,
  RTS_IDENTIFIER = 29,
  OSPROCESS_PID = 32,
  WALL_CLOCK_TIME = 43,
  CAP_CREATE = 45,
  DATA_END = 0xFFFF,

  VARIABLE_SIZE = 0xFFFF,
  GLOBAL_BUFFER = 0xFFFF, /* "capability" of events that belong to none */
  OS_PROCESS = 1,         /* a type of capset */
  MARKER_BYTES = 24
};

static const struct {
  uint16_t number, size;
  const char *description;
} event_types[] = {
    {BLOCK_MARKER, 14, "Block marker"},
    {USER_MSG, VARIABLE_SIZE, "User message"},
    {CAPSET_CREATE, 6, "Create capability set"},
    {CAPSET_ASSIGN_CAP, 6, "Add capability to capability set"},
    {RTS_IDENTIFIER, VARIABLE_SIZE, "Identify the RTS version"},
    {OSPROCESS_PID, 8, "Identify the process ID of a capability set"},
    {WALL_CLOCK_TIME, 16, "Record wall clock time"},
    {CAP_CREATE, 2, "Create capability"},
};

typedef struct {
  unsigned char bytes[64 * 1024];
  size_t used;
  uint16_t capability;
} Buffer;

/* The lowest BYTES bytes of a value, at most 8. */
static void put(Buffer *buffer, uint64_t value, int bytes) {
  while (bytes-- > 0)
    buffer->bytes[buffer->used++] = (unsigned char)(value >> (8 * bytes));
}

static void put_text(Buffer *buffer, const char *text) {
  size_t length = strlen(text);
  memcpy(buffer->bytes + buffer->used, text, length);
  buffer->used += length;
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t started;

/* Event times count from the start of the program. */
static void put_event(Buffer *buffer, uint16_t number) {
  put(buffer, number, 2);
  put(buffer, nanoseconds(CLOCK_MONOTONIC) - started, 8);
}

/* A block is a marker, whose size and end are known only when it is full, and
 * events. */
static void begin_block(Buffer *buffer, uint16_t capability) {
  buffer->used = 0;
  buffer->capability = capability;
  put_event(buffer, BLOCK_MARKER);
  put(buffer, 0, 4);
  put(buffer, 0, 8);
  put(buffer, capability, 2);
}

static void end_block(Buffer *buffer) {
  size_t size = buffer->used;
  buffer->used = 2 + 8;
  put(buffer, size, 4);
  put(buffer, nanoseconds(CLOCK_MONOTONIC) - started, 8);
  buffer->used = size;
}

/* One call of the writer: whole blocks, or the bare header. */
static void hand_over(Buffer *buffer) {
  EventLogSocketWriter.writeEventLog(buffer->bytes, buffer->used);
  buffer->used = 0;
}

static void write_header(void) {
  Buffer buffer = {.used = 0};
  put_text(&buffer, "hdrbhetb");
  for (size_t i = 0; i < sizeof event_types / sizeof event_types[0]; i++) {
    const char *description = event_types[i].description;
    put_text(&buffer, "etb");
    put(&buffer, 0, 1);
    put(&buffer, event_types[i].number, 2);
    put(&buffer, event_types[i].size, 2);
    put(&buffer, strlen(description), 4);
    put_text(&buffer, description);
    put(&buffer, 0, 4);
    put_text(&buffer, "ete");
    put(&buffer, 0, 1);
  }
  put_text(&buffer, "hetehdredatb");
  hand_over(&buffer);
}

static void write_definitions(int capabilities) {
  static const char identifier[] = "c-main, not an RTS";
  uint64_t now = nanoseconds(CLOCK_REALTIME);
  Buffer buffer;
  begin_block(&buffer, GLOBAL_BUFFER);
  put_event(&buffer, CAPSET_CREATE);
  put(&buffer, 0, 4);
  put(&buffer, OS_PROCESS, 2);
  put_event(&buffer, RTS_IDENTIFIER);
  put(&buffer, 4 + strlen(identifier), 2);
  put(&buffer, 0, 4);
  put_text(&buffer, identifier);
  put_event(&buffer, OSPROCESS_PID);
  put(&buffer, 0, 4);
  put(&buffer, (uint64_t)getpid(), 4);
  put_event(&buffer, WALL_CLOCK_TIME);
  put(&buffer, 0, 4);
  put(&buffer, now / 1000000000u, 8);
  put(&buffer, now % 1000000000u, 4);
  for (int capability = 0; capability < capabilities; capability++) {
    put_event(&buffer, CAP_CREATE);
    put(&buffer, (uint64_t)capability, 2);
    put_event(&buffer, CAPSET_ASSIGN_CAP);
    put(&buffer, 0, 4);
    put(&buffer, (uint64_t)capability, 2);
  }
  end_block(&buffer);
  hand_over(&buffer);
}

static void write_end(void) {
  Buffer buffer;
  begin_block(&buffer, GLOBAL_BUFFER);
  put(&buffer, DATA_END, 2);
  end_block(&buffer);
  hand_over(&buffer);
}

/* ---------------------------------------------------------------- program -- */

typedef struct {
  pthread_t thread;
  uint16_t capability;
  long blocks;
} Worker;

static void *work(void *argument) {
  Worker *worker = argument;
  Buffer *buffer = malloc(sizeof *buffer);
  if (buffer == NULL) return NULL;
  long number = 0;
  for (long block = 0; block < worker->blocks; block++) {
    begin_block(buffer, worker->capability);
    for (int event = 0; event < 100; event++) {
      char text[64];
      int length = snprintf(text, sizeof text, "capability %u, message %ld",
                            (unsigned)worker->capability, number++);
      put_event(buffer, USER_MSG);
      put(buffer, (uint64_t)length, 2);
      put_text(buffer, text);
    }
    end_block(buffer);
    hand_over(buffer);
    usleep(1000);
  }
  free(buffer);
  return NULL;
}

static void require(const char *what, EventlogSocketStatus status) {
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) return;
  char *reason = eventlog_socket_strerror(status);
  fprintf(stderr, "c-main: %s: %s\n", what, reason == NULL ? "?" : reason);
  free(reason);
  exit(EXIT_FAILURE);
}

int main(int argc, char *argv[]) {
  int threads = argc > 1 ? atoi(argv[1]) : 4;
  long blocks = argc > 2 ? atol(argv[2]) : 1000;
  if (threads < 1 || threads > 64) {
    fprintf(stderr, "usage: c-main [THREADS (1 to 64)] [BLOCKS]\n");
    return EXIT_FAILURE;
  }
  started = nanoseconds(CLOCK_MONOTONIC);

  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  require("environment", eventlog_socket_from_env(&addr, &opts));
  require("init", eventlog_socket_init(&addr, &opts));
  eventlog_socket_addr_free(&addr);

  /* As in hs_init: init, the header, the first definitions. */
  EventLogSocketWriter.initEventLogWriter();
  write_header();
  write_definitions(threads);
  EventLogSocketWriter.flushEventLog();
  require("ready", eventlog_socket_signal_ghc_rts_ready());
  if (opts.eso_wait) require("wait", eventlog_socket_wait());

  Worker workers[64];
  for (int i = 0; i < threads; i++) {
    workers[i].capability = (uint16_t)i;
    workers[i].blocks = blocks;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
      fprintf(stderr, "c-main: no more threads\n");
      return EXIT_FAILURE;
    }
  }
  for (int i = 0; i < threads; i++) pthread_join(workers[i].thread, NULL);

  /* As in hs_exit. The stop waits until the client has received everything. */
  write_end();
  EventLogSocketWriter.stopEventLogWriter();

  EventlogSocketStats stats;
  require("stats", eventlog_socket_stats(&stats, sizeof stats));
  fprintf(stderr, "c-main: sent %llu chunks, %llu bytes; lost %llu\n",
          (unsigned long long)stats.est_chunks_sent,
          (unsigned long long)stats.est_bytes_sent,
          (unsigned long long)stats.est_chunks_lost);
  return EXIT_SUCCESS;
}
