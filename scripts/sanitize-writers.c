/* sanitize-writers SOCKET RING-FILE SECONDS - the library under load, for scripts/sanitize: capabilities
 * that write at the same time, also into a ring file, a thread that flushes, clients that connect, send
 * commands and disconnect, handlers, and a thread that reads the statistics. No RTS. Fails if a stream
 * does not begin with the header of a log, or if the counters do not add up at the end. */
#define EVENTLOG_SOCKET_NO_RTS
#include "eventlog_socket_rts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CAPABILITIES = 4, BLOCK_MARKER = 18, USER_MSG = 19, VARIABLE = 0xFFFF, LONGEST = 60000 };

static atomic_uint_fast64_t clock_ns = 1;
static atomic_uint_fast64_t written = 0;
static atomic_bool stop = false;

static void fail(const char *why) {
  fprintf(stderr, "sanitize-writers: %s\n", why);
  exit(1);
}

static void must(EventlogSocketStatus status, const char *what) {
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) fail(what);
}

static unsigned below(unsigned *seed, unsigned bound) { return (unsigned)rand_r(seed) % bound; }

static void nap(unsigned *seed, unsigned longest_us) { usleep(below(seed, longest_us)); }

/* ------------------------------------------------------------------ chunks -- */

static unsigned char *put(unsigned char *to, uint64_t value, int bytes) {
  while (bytes-- > 0) *to++ = (unsigned char)(value >> (8 * bytes));
  return to;
}

/* For AddressSanitizer to find: added to the size of every chunk. */
static size_t beyond = 0;

static void hand_over(unsigned char *chunk, unsigned char *end) {
  written++;
  if (!EventLogSocketWriter.writeEventLog(chunk, (size_t)(end - chunk) + beyond)) fail("not written");
}

static void write_header(void) {
  static const uint16_t types[][2] = {{BLOCK_MARKER, 14}, {USER_MSG, VARIABLE}};
  unsigned char chunk[128], *end = chunk;
  memcpy(end, "hdrbhetb", 8), end += 8;
  for (int i = 0; i < 2; i++) {
    memcpy(end, "etb\0", 4), end += 4;
    end = put(put(end, types[i][0], 2), types[i][1], 2);
    end = put(put(end, 0, 4), 0, 4);
    memcpy(end, "ete\0", 4), end += 4;
  }
  memcpy(end, "hetehdredatb", 12), end += 12;
  hand_over(chunk, end);
}

/* One block with one message, as a capability's buffer is handed over. */
static void write_block(uint16_t cap, unsigned message) {
  unsigned char *chunk = malloc(24 + 12 + message), *end = chunk;
  if (chunk == NULL) fail("no memory");
  uint64_t now = clock_ns += 1000;
  end = put(put(put(end, BLOCK_MARKER, 2), now, 8), 24 + 12 + message, 4);
  end = put(put(end, now, 8), cap, 2);
  end = put(put(put(end, USER_MSG, 2), now, 8), message, 2);
  memset(end, 'a' + cap % 26, message);
  hand_over(chunk, end + message);
  /* Freed at once, so that a later read is found. */
  free(chunk);
}

/* -------------------------------------------------------------- a fake RTS -- */

static bool yes(void) { return true; }

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  (void)writer;
  return EVENTLOG_SOCKET_OK;
}

static void flush(void) { write_block(0xFFFF, 100); }

static bool obey(uint8_t command) { return command % 2 == 0; }

static void facts(EventlogSocketRtsFacts *out) {
  memset(out, 0, sizeof *out);
  out->esf_rts_identifier = "fake RTS";
  out->esf_capabilities = CAPABILITIES;
}

static void cost_centres(EventlogSocketCostCentre *each, void *context) {
  (void)each, (void)context;
}

static const EventlogSocketRts rts = {
    .esr_threaded = true,
    .esr_exit_hooked = yes,
    .esr_supports_eventlog = yes,
    .esr_attach = attach,
    .esr_flush_here = flush,
    .esr_flush = flush,
    .esr_make_census = flush,
    .esr_command = obey,
    .esr_facts = facts,
    .esr_cost_centres = cost_centres,
};

/* ----------------------------------------------------------------- threads -- */

static void *capability(void *number) {
  uint16_t cap = (uint16_t)(uintptr_t)number;
  unsigned seed = cap + 1u;
  while (!stop) {
    write_block(cap, below(&seed, below(&seed, 8) == 0 ? LONGEST : 400));
    if (below(&seed, 4) == 0) nap(&seed, 300);
  }
  return NULL;
}

static void *statistics(void *nothing) {
  unsigned seed = 99;
  EventlogSocketStats stats;
  while (!stop) {
    must(eventlog_socket_stats(&stats, sizeof stats), "stats");
    nap(&seed, 2000);
  }
  return nothing;
}

static const char *path;

/* One connection: read some data, perhaps slowly, and send something now and then. */
static void visit(unsigned *seed) {
  static const unsigned char said[][32] = {
      "\xF0\x9E\x97\x8C\x00\x13" "eventlog-socket-rts\x01", "\xF0\x9E\x97\x8C\x00\x13" "eventlog-socket-rts\x06", "\xF0\x9E\x97\x8C\x00\x13" "eventlog-socket-rts\x03",
      "\xF0\x9E\x97\x8C\x00\x04" "mine\x07", "GCTL\x03", "garbage"};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  static _Thread_local char bytes[1 << 16];
  size_t got = 0;
  for (unsigned turns = below(seed, 60); turns > 0 && !stop; turns--) {
    if (below(seed, 5) == 0) {
      const unsigned char *frame = said[below(seed, 6)];
      /* Six bytes, the namespace and the number; or another text. */
      size_t size = frame[0] == 0xF0 ? 7u + frame[5] : frame[0] == 'G' && frame[1] == 'C' ? 5 : 7;
      if (send(fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
    }
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    if (count <= 0) fail("the stream ended");
    if (got < 4 && memcmp(bytes, "hdrb" + got, (size_t)count < 4 - got ? (size_t)count : 4 - got) != 0)
      fail("no log");
    got += (size_t)count;
    if (below(seed, 3) == 0) nap(seed, 1000);
  }
  close(fd);
}

static void *client(void *number) {
  unsigned seed = 7u + (unsigned)(uintptr_t)number;
  while (!stop) visit(&seed);
  return NULL;
}

/* Handlers run one at a time on a thread of the library, so a plain variable suffices. */
static unsigned handled = 0;

static void hook(const void *cap) {
  handled++;
  write_block(*(const uint16_t *)cap, 50);
}

static void command(const EventlogSocketControlNamespace *name, uint8_t id, const void *cap) {
  (void)name, (void)id;
  hook(cap);
}

int main(int argc, char *argv[]) {
  static const uint16_t own_cap = 77;
  if (argc != 4) return 2;
  path = argv[1];
  int seconds = atoi(argv[3]);
  if (getenv("SANITIZE_BEYOND") != NULL) beyond = 8;
  eventlog_socket_rts_register(&rts);
  EventlogSocketTuning tuning;
  eventlog_socket_tuning_init(&tuning);
  tuning.est_buffer_size = 256 << 10;
  tuning.est_flush_interval_ms = 10;
  tuning.est_exit_timeout_ms = 500;
  if (seconds % 2 == 0) {
    tuning.est_overflow = EVENTLOG_SOCKET_OVERFLOW_BLOCK;
    tuning.est_block_timeout_ms = 5;
  }
  must(eventlog_socket_set_tuning(&tuning), "tuning");
  must(eventlog_socket_set_ring_file(argv[2], 1 << 20), "ring file");
  EventlogSocketAddr address = {.esa_tag = EVENTLOG_SOCKET_UNIX};
  address.esa_unix_addr.esa_unix_path = argv[1];
  must(eventlog_socket_init(&address, NULL), "init");
  EventLogSocketWriter.initEventLogWriter();
  write_header();
  must(eventlog_socket_signal_ghc_rts_ready(), "ready");
  /* Only definitions so far, which are kept and not counted. */
  written = 0;
  must(eventlog_socket_register_hook(EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING, hook, &own_cap), "hook");
  EventlogSocketControlNamespace *mine;
  must(eventlog_socket_control_register_namespace(4, "mine", &mine), "namespace");
  must(eventlog_socket_control_register_command(mine, 7, command, &own_cap), "command");

  enum { THREADS = CAPABILITIES + 3 };
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) {
    void *(*body)(void *) = i < CAPABILITIES ? capability : i < THREADS - 1 ? client : statistics;
    if (pthread_create(&threads[i], NULL, body, (void *)i) != 0) fail("no thread");
  }
  sleep((unsigned)seconds);
  stop = true;
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);

  eventlog_socket_rts_exiting();
  EventLogSocketWriter.stopEventLogWriter();
  EventlogSocketStats stats;
  must(eventlog_socket_stats(&stats, sizeof stats), "stats");
  uint64_t accounted = stats.est_chunks_sent + stats.est_chunks_lost + stats.est_chunks_discarded;
  printf("%ju chunks: %ju sent, %ju lost, %ju discarded; %ju connections, %ju commands run, %ju flushes, %u handled\n",
         (uintmax_t)written, (uintmax_t)stats.est_chunks_sent, (uintmax_t)stats.est_chunks_lost,
         (uintmax_t)stats.est_chunks_discarded, (uintmax_t)stats.est_connections,
         (uintmax_t)stats.est_commands_run, (uintmax_t)stats.est_flushes, handled);
  if (accounted != written) fail("the counters do not add up");
  printf("%ju chunks overwritten in the ring file, %ju refused\n",
         (uintmax_t)stats.est_ring_file_chunks_overwritten, (uintmax_t)stats.est_ring_file_chunks_refused);
  if (stats.est_ring_file_chunks_overwritten == 0 || stats.est_ring_file_lost != 0) fail("not recorded");
  if (stats.est_chunks_sent == 0 || stats.est_connections == 0 || handled == 0) fail("nothing happened");
  return 0;
}
