/* writers ADDRESS SEED PRODUCERS CHUNKS BYTES LARGEST NAP - threads that write chunks
 * at the same time, as capabilities do. No RTS: it links with the library alone.
 *
 * ADDRESS is a path, or "tcp" for a port that the system chooses. Each of the
 * PRODUCERS (at most 8) writes up to CHUNKS chunks and BYTES bytes, of 0 to LARGEST
 * bytes, and naps after one in NAP (0: never).
 *
 * Every byte of a chunk follows from SEED, the producer and the number of the chunk:
 * writers.rs makes the same chunk to compare.
 *
 * It says "ready PORT", then takes commands on stdin, one a line, and says "done"
 * after each:
 *   go       let the producers begin
 *   halt     have them stop after the chunk that they are at
 *   join     wait for them; "attempts PRODUCER CHUNKS BYTES" for each
 *   exiting  what the exit hook of an RTS does
 *   stop     end the log, as an RTS does at its exit
 *   stats    the counters */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "control.h"
#include "eventlog_socket_rts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  BLOCK_MARKER = 18,
  USER_MSG = 19,
  VARIABLE = 0xFFFF,
  MARKER_BYTES = 24,
  HEAD_BYTES = 12, /* of a message: number, time, length */
  LONGEST_MESSAGE = 60000,
  MOST_PRODUCERS = 8,
  OFFSETS = 256,
  REUSED = 4096
};

static uint64_t seed, most_chunks, most_bytes, largest, nap;
static atomic_bool halted = false;
static unsigned char filling[LONGEST_MESSAGE + OFFSETS];

static void fail(const char *why) {
  fprintf(stderr, "writers: %s\n", why);
  exit(1);
}

static void must(EventlogSocketStatus status, const char *what) {
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) fail(what);
}

/* ----------------------------------------------------------------- chunks -- */

static uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

static uint64_t key_of(uint64_t producer, uint64_t number) {
  return mix(seed ^ mix(producer << 48 | number));
}

/* As many of every order of magnitude; nothing that is not a block. */
static uint64_t size_of(uint64_t key) {
  uint64_t size = ((key >> 8) & ((UINT64_C(1) << key % 23) - 1)) % (largest + 1);
  if (size == 0) return 0;
  return size < MARKER_BYTES + HEAD_BYTES ? MARKER_BYTES : size;
}

static uint64_t time_of(uint64_t producer, uint64_t number) {
  return 1000 * (1 + MOST_PRODUCERS * number + producer);
}

static unsigned char *put(unsigned char *to, uint64_t value, int bytes) {
  while (bytes-- > 0) *to++ = (unsigned char)(value >> (8 * bytes));
  return to;
}

/* One block: a marker, and messages that fill it. */
static void make_chunk(unsigned char *to, uint64_t size, uint64_t producer,
                       uint64_t number, uint64_t offset) {
  uint64_t time = time_of(producer, number);
  to = put(put(put(put(put(to, BLOCK_MARKER, 2), time, 8), size, 4), time, 8), producer, 2);
  for (uint64_t left = size - MARKER_BYTES; left > 0; offset++) {
    uint64_t part = left < HEAD_BYTES + LONGEST_MESSAGE ? left : HEAD_BYTES + LONGEST_MESSAGE;
    /* What is left must be a message, too. */
    if (left - part > 0 && left - part < HEAD_BYTES) part -= HEAD_BYTES;
    to = put(put(put(to, USER_MSG, 2), time, 8), part - HEAD_BYTES, 2);
    memcpy(to, filling + offset % OFFSETS, part - HEAD_BYTES);
    to += part - HEAD_BYTES;
    left -= part;
  }
}

static void hand_over(unsigned char *chunk, size_t size) {
  if (!EventLogSocketWriter.writeEventLog(chunk, size)) fail("not written");
}

static void write_header(void) {
  static const uint16_t types[][2] = {
      {BLOCK_MARKER, 14}, {USER_MSG, VARIABLE}, {25, 6},        {26, 4},
      {27, 6},            {28, 6},              {29, VARIABLE}, {30, VARIABLE},
      {31, VARIABLE},     {32, 8},              {33, 8},        {43, 16},
      {45, 2},            {46, 2},              {47, 2},        {48, 2},
      {52, 38},
  };
  unsigned char chunk[1024], *end = chunk;
  memcpy(end, "hdrbhetb", 8), end += 8;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    memcpy(end, "etb\0", 4), end += 4;
    end = put(put(end, types[i][0], 2), types[i][1], 2);
    end = put(put(end, 0, 4), 0, 4);
    memcpy(end, "ete\0", 4), end += 4;
  }
  memcpy(end, "hetehdredatb", 12), end += 12;
  hand_over(chunk, (size_t)(end - chunk));
}

/* -------------------------------------------------------------- producers -- */

typedef struct {
  pthread_t thread;
  uint64_t number, chunks, bytes;
} Producer;

static Producer producers[MOST_PRODUCERS];
static unsigned producer_count;

static void *produce(void *of) {
  Producer *producer = of;
  unsigned char *chunk = malloc(largest + MARKER_BYTES + 1);
  if (chunk == NULL) fail("no memory");
  while (!halted && producer->chunks < most_chunks && producer->bytes < most_bytes) {
    uint64_t key = key_of(producer->number, producer->chunks);
    uint64_t size = size_of(key);
    if (size > 0) make_chunk(chunk, size, producer->number, producer->chunks, key >> 32);
    hand_over(chunk, size);
    /* As the RTS does: whoever still reads it is found out. */
    memset(chunk, 0xEE, size < REUSED ? size : REUSED);
    producer->chunks++;
    producer->bytes += size;
    if (nap > 0 && mix(key) % nap == 0) usleep((useconds_t)(mix(key + 1) % 2000));
  }
  free(chunk);
  return NULL;
}

static void join(void) {
  for (unsigned i = 0; i < producer_count; i++) {
    pthread_join(producers[i].thread, NULL);
    printf("attempts %u %" PRIu64 " %" PRIu64 "\n", i, producers[i].chunks,
           producers[i].bytes);
  }
}

static void go(void) {
  for (unsigned i = 0; i < producer_count; i++) {
    producers[i].number = i;
    if (pthread_create(&producers[i].thread, NULL, produce, &producers[i]) != 0)
      fail("no thread");
  }
}

/* ------------------------------------------------------------- a fake RTS -- */

static bool yes(void) { return true; }

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  (void)writer; /* the log runs already */
  return EVENTLOG_SOCKET_ERR_RTS_FAIL;
}

static void flush_here(void) {}
static bool obey(uint8_t command) { return command % 2 == 0; }

static void facts(EventlogSocketRtsFacts *out) {
  memset(out, 0, sizeof *out);
  out->esf_rts_identifier = "fake RTS";
  out->esf_capabilities = producer_count;
}

static void cost_centres(EventlogSocketCostCentre *each, void *context) {
  (void)each;
  (void)context;
}

static const EventlogSocketRts rts = {
    .esr_threaded = true,
    .esr_exit_hooked = yes,
    .esr_supports_eventlog = yes,
    .esr_attach = attach,
    .esr_flush_here = flush_here,
    .esr_command = obey,
    .esr_facts = facts,
    .esr_cost_centres = cost_centres,
};

void control_log(const char *text) { (void)text; }

/* ------------------------------------------------------------------- main -- */

static void listen_at(char *where) {
  EventlogSocketAddr addr = {.esa_tag = EVENTLOG_SOCKET_UNIX};
  char host[] = "127.0.0.1", port[] = "0";
  if (strcmp(where, "tcp") == 0) {
    addr.esa_tag = EVENTLOG_SOCKET_INET;
    addr.esa_inet_addr.esa_inet_host = host;
    addr.esa_inet_addr.esa_inet_port = port;
  } else {
    addr.esa_unix_addr.esa_unix_path = where;
  }
  eventlog_socket_rts_register(&rts);
  must(eventlog_socket_init(&addr, NULL), "init");
  EventLogSocketWriter.initEventLogWriter();
  write_header();
  must(eventlog_socket_signal_ghc_rts_ready(), "ready");
}

int main(int argc, char *argv[]) {
  char line[64];
  if (argc != 8) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  seed = strtoull(argv[2], NULL, 10);
  producer_count = (unsigned)atoi(argv[3]);
  most_chunks = strtoull(argv[4], NULL, 10);
  most_bytes = strtoull(argv[5], NULL, 10);
  largest = strtoull(argv[6], NULL, 10);
  nap = strtoull(argv[7], NULL, 10);
  if (producer_count > MOST_PRODUCERS) return 2;
  for (size_t i = 0; i < sizeof filling; i++) filling[i] = (unsigned char)mix(i);
  listen_at(argv[1]);
  EventlogSocketStats stats;
  must(eventlog_socket_stats(&stats, sizeof stats), "stats");
  printf("ready %u\n", (unsigned)stats.est_inet_port);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "go") == 0) go();
    else if (strcmp(line, "halt") == 0) halted = true;
    else if (strcmp(line, "join") == 0) join();
    else if (strcmp(line, "exiting") == 0) eventlog_socket_rts_exiting();
    else if (strcmp(line, "stop") == 0) EventLogSocketWriter.stopEventLogWriter();
    else if (strcmp(line, "stats") == 0) control_say_stats(STDOUT_FILENO);
    else fail(line);
    puts("done");
  }
  return 0;
}
