/* A whole life of the library, again and again, each time in a child of its own: of what it
 * asks the C library for, the first thing is not available, then the second, ... It asks
 * through the functions at "__wrap_" below, by an option of the linker; this program itself
 * asks for nothing.
 *
 *   program once|from DIRECTORY unix|tcp
 *
 * "once": that one thing is not available. "from": nothing is from then on, until memory is
 * there again towards the end of the life. Says how many lives there were, or what was wrong
 * in which of them. */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "eventlog_socket.h"
#include "eventlog_socket_rts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ------------------------------------------------------------ the memory -- */

static struct shared {
  atomic_uint asked;  /* how often it has asked so far */
  atomic_uint failed; /* how often in vain */
} *shared;
static unsigned fails_at;
static bool fails_from;
static atomic_bool memory_is_back;

static bool is_had(void) {
  unsigned number = ++shared->asked;
  bool had = fails_from ? number < fails_at || memory_is_back : number != fails_at;
  if (!had) shared->failed++;
  return had;
}

#define WRAP(type, name, parameters, arguments, failure) \
  type __real_##name parameters;                         \
  type __wrap_##name parameters;                         \
  type __wrap_##name parameters {                        \
    if (is_had()) return __real_##name arguments;        \
    failure;                                             \
  }

#define NOTHING \
  errno = ENOMEM; \
  return NULL

WRAP(void *, malloc, (size_t size), (size), NOTHING)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NOTHING)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NOTHING)
WRAP(int, posix_memalign, (void **out, size_t align, size_t size), (out, align, size),
     return ENOMEM)
WRAP(void *, mmap64, (void *at, size_t len, int prot, int flags, int fd, off_t offset),
     (at, len, prot, flags, fd, offset), errno = ENOMEM;
     return MAP_FAILED)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg),
     (thread, attr, start, arg), return EAGAIN)
WRAP(int, pthread_atfork, (void (*before)(void), void (*parent)(void), void (*child)(void)),
     (before, parent, child), return ENOMEM)

/* ------------------------------------------------------------- complaints -- */

static _Noreturn void wrong(const char *what, int number) {
  char text[200];
  int length = snprintf(text, sizeof text, "%s (%d)\n", what, number);
  if (write(STDOUT_FILENO, text, (size_t)length) < 0) _exit(2);
  _exit(1);
}

/* A status is OK, or says that there is no memory. */
static bool is_fine(const char *what, EventlogSocketStatus status) {
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) return true;
  char *text = eventlog_socket_strerror(status);
  bool said = text == NULL || strlen(text) > 0;
  free(text);
  int error = status.ess_error_code;
  bool memory = (status.ess_status_code == EVENTLOG_SOCKET_ERR_SYS ||
                 status.ess_status_code == EVENTLOG_SOCKET_ERR_RING_FILE) &&
                (error == ENOMEM || error == EAGAIN);
  if (!memory || !said || shared->failed == 0) wrong(what, (int)status.ess_status_code * 1000 + error);
  return false;
}

/* --------------------------------------------------------------- the log -- */

enum { TASKS = 40, TABLES = 1200, TABLE_BYTES = 12 + 8 + 33 + 200, MARKER = 24 };

static unsigned char chunk[1 << 20];
static size_t chunk_size;
static uint64_t clock_ns;

static void put(uint64_t value, int bytes) {
  while (bytes-- > 0) chunk[chunk_size++] = (unsigned char)(value >> (8 * bytes));
}

static void put_text(const char *text, size_t size) {
  memcpy(chunk + chunk_size, text, size);
  chunk_size += size;
}

static void put_event(unsigned number) {
  put(number, 2);
  put(clock_ns += 1000, 8);
}

static void hand_over(void) {
  if (!EventLogSocketWriter.writeEventLog(chunk, chunk_size)) wrong("not written", 0);
  chunk_size = 0;
}

static void begin(void) { chunk_size = MARKER; }

static void end(unsigned cap) {
  size_t size = chunk_size;
  chunk_size = 0;
  put(18, 2);
  put(clock_ns, 8);
  put(size, 4);
  put(clock_ns += 1000, 8);
  put(cap, 2);
  chunk_size = size;
  hand_over();
}

enum { GLOBAL = 0xFFFF };

static void put_task(unsigned id) {
  put_event(55);
  put(id, 8);
  put(0, 2);
  put(id, 8);
}

static void put_table(unsigned id) {
  static const char strings[] = "name\0desc\0type\0label\0module\0file";
  static const char filling[200] = {[0 ... 199] = 'x'};
  put_event(169);
  put(8 + sizeof strings + sizeof filling, 2);
  put(id, 8);
  put_text(filling, sizeof filling);
  put_text(strings, sizeof strings);
}

static void put_header(void) {
  static const unsigned types[][2] = {{18, 14}, {19, GLOBAL}, {25, 6},  {27, 6},  {29, GLOBAL},
                                      {30, GLOBAL}, {32, 8},  {33, 8},  {43, 16}, {45, 2},
                                      {52, 38}, {55, 18},     {57, 8},  {160, GLOBAL},
                                      {161, GLOBAL}, {169, GLOBAL}};
  put_text("hdrbhetb", 8);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    put_text("etb", 4);
    put(types[i][0], 2);
    put(types[i][1], 2);
    put(0, 8);
    put_text("ete", 4);
  }
  put_text("hetehdredatb", 12);
}

/* All tasks of this life, in the order of their numbers; and info tables. */
static void define(unsigned from, unsigned to, unsigned tables) {
  begin();
  for (unsigned id = from; id < to; id++) put_task(id);
  for (unsigned id = 0; id < tables; id++) put_table(from * 1000 + id);
  end(GLOBAL);
}

/* ------------------------------------------------------------- a fake RTS -- */

static bool yes(void) { return true; }
static void nothing(void) {}

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  writer->initEventLogWriter();
  put_header();
  hand_over();
  return EVENTLOG_SOCKET_OK;
}

static void flush_here(void) { define(0, 10, TABLES / 4); }

static bool obey(uint8_t command) {
  (void)command;
  return true;
}

static void facts(EventlogSocketRtsFacts *out) {
  static char *arguments[] = {"program", "argument"};
  memset(out, 0, sizeof *out);
  out->esf_rts_identifier = "fake RTS";
  out->esf_argc = 2;
  out->esf_argv = arguments;
  out->esf_capabilities = 2;
  out->esf_heap_profile_breakdown = 1;
  out->esf_heap_profile_filters[3] = "centre";
}

static void cost_centres(EventlogSocketCostCentre *each, void *context) {
  each(context, 1, "MAIN", "MAIN", "<built-in>", false);
  each(context, 2, "main", "Main", "Main.hs:1:1", true);
}

static const EventlogSocketRts rts = {
    .esr_threaded = true,
    .esr_exit_hooked = yes,
    .esr_supports_eventlog = yes,
    .esr_attach = attach,
    .esr_flush_here = flush_here,
    .esr_flush = nothing,
    .esr_make_census = nothing,
    .esr_command = obey,
    .esr_facts = facts,
    .esr_cost_centres = cost_centres,
};

/* --------------------------------------------------------------- clients -- */

static const char *directory;
static bool is_tcp;
static unsigned char stream[4 << 20];
static size_t stream_size;

static long now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

enum { PATIENCE_MS = 30000 };

static EventlogSocketStats counters(void) {
  EventlogSocketStats stats;
  is_fine("stats", eventlog_socket_stats(&stats, sizeof stats));
  return stats;
}

static int join(void) {
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  snprintf(path.sun_path, sizeof path.sun_path, "%s/socket", directory);
  struct sockaddr_in port = {.sin_family = AF_INET};
  port.sin_port = htons(counters().est_inet_port);
  port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const struct sockaddr *address = is_tcp ? (void *)&port : (void *)&path;
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, address, is_tcp ? sizeof port : sizeof path) != 0)
    wrong("connect", errno);
  stream_size = 0;
  return fd;
}

static bool has(const char *text) {
  return memmem(stream, stream_size, text, strlen(text)) != NULL;
}

/* Until the text is there (NULL: until the end). False at an end before that. */
static bool read_until(int fd, const char *text) {
  long deadline = now_ms() + PATIENCE_MS;
  while (text == NULL || !has(text)) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    if (poll(&entry, 1, (int)(deadline - now_ms())) <= 0) wrong("nothing comes", (int)stream_size);
    ssize_t got = read(fd, stream + stream_size, sizeof stream - stream_size);
    if (got < 0 && errno != ECONNRESET) wrong("read", errno);
    if (got <= 0) return text == NULL;
    stream_size += (size_t)got;
  }
  return true;
}

static unsigned long number(size_t at, int bytes) {
  unsigned long value = 0;
  while (bytes-- > 0) value = value << 8 | stream[at++];
  return value;
}

/* The stream is a header and whole blocks of whole events, and ends as a log does. How many
 * tasks and info tables it defines. */
static void check_stream(unsigned *tasks, unsigned *tables) {
  static const char data[] = "hdredatb";
  unsigned char *found = memmem(stream, stream_size, data, 8);
  if (found == NULL) wrong("no header", (int)stream_size);
  size_t at = (size_t)(found - stream) + 8;
  *tasks = *tables = 0;
  while (at + 2 < stream_size || number(at, 2) != GLOBAL) {
    if (at + MARKER > stream_size || number(at, 2) != 18) wrong("no block", (int)at);
    size_t block_end = at + number(at + 10, 4);
    if (block_end > stream_size) wrong("half a block", (int)at);
    for (at += MARKER; at < block_end;) {
      unsigned long kind = number(at, 2);
      size_t payload = 0, head = 10;
      switch (kind) {
        case 25: case 27: payload = 6; break;
        case 32: case 33: case 57: payload = 8; break;
        case 43: payload = 16; break;
        case 45: payload = 2; break;
        case 52: payload = 38; break;
        case 55: payload = 18; break;
        case 19: case 29: case 30: case 160: case 161: case 169:
          payload = number(at + 10, 2);
          head = 12;
          break;
        default: wrong("no event", (int)kind);
      }
      *tasks += kind == 55;
      *tables += kind == 169;
      at += head + payload;
    }
    if (at != block_end) wrong("half an event", (int)at);
  }
  if (at + 2 != stream_size) wrong("more than an end", (int)(stream_size - at));
}

/* ----------------------------------------------------------------- a life -- */

static atomic_uint handled;
static atomic_uint hooked;

static void on_command(const EventlogSocketControlNamespace *name,
                       EventlogSocketControlCommandId id, const void *data) {
  (void)name;
  (void)id;
  (void)data;
  handled++;
}

static void on_hook(const void *data) {
  (void)data;
  hooked++;
}

static void say(int fd, const char *bytes, size_t size) {
  /* One that was turned away need not hear it. */
  if (send(fd, bytes, size, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
    wrong("send", errno);
}

static const char sync_command[] = "\xf0\x9e\x97\x8c\0\x13" "eventlog-socket-rts\x02";
static const char dump_command[] = "\xf0\x9e\x97\x8c\0\x13" "eventlog-socket-rts\x03";
static const char app_command[] = "\xf0\x9e\x97\x8c\0\x03" "app\x01";

static void start(void) {
  eventlog_socket_rts_register(&rts);
  EventlogSocketAddr address;
  EventlogSocketOpts options;
  EventlogSocketTuning tuning;
  eventlog_socket_tuning_init(&tuning);
  tuning.est_buffer_size = 64 << 10;
  tuning.est_control = EVENTLOG_SOCKET_CONTROL_ON;
  is_fine("tuning", eventlog_socket_set_tuning(&tuning));
  for (int turn = 0;; turn++) {
    if (turn == 1) memory_is_back = true;
    if (turn == 2) wrong("no start", 0);
    if (!is_fine("from_env", eventlog_socket_from_env(&address, &options))) continue;
    bool started = is_fine("init", eventlog_socket_init(&address, &options));
    eventlog_socket_addr_free(&address);
    if (started) return;
  }
}

/* Whether commands of its own are run. */
static bool register_handlers(void) {
  EventlogSocketControlNamespace *name = NULL;
  is_fine("hook", eventlog_socket_register_hook(EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING, on_hook, NULL));
  is_fine("hook", eventlog_socket_register_hook(EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING, on_hook, NULL));
  return is_fine("namespace", eventlog_socket_control_register_namespace(3, "app", &name)) &&
         is_fine("command", eventlog_socket_control_register_command(name, 1, on_command, NULL));
}

static void *stop(void *nothing) {
  EventLogSocketWriter.stopEventLogWriter();
  return nothing;
}

static void live(void) {
  start();
  bool handles = register_handlers();
  is_fine("ready", eventlog_socket_signal_ghc_rts_ready());
  bool obeys = is_fine("control", eventlog_socket_control_status());

  /* A client, which perhaps is turned away. */
  int client = join();
  bool served = read_until(client, "hdredatb");
  define(10, 20, TABLES / 4);
  if (served) {
    say(client, sync_command, sizeof sync_command - 1);
    say(client, dump_command, sizeof dump_command - 1);
    say(client, app_command, sizeof app_command - 1);
  }
  /* More than the ring holds, while nobody reads: some of it is refused. */
  for (int i = 0; i < 8; i++) {
    begin();
    put_table(1000000);
    for (int fill = 0; fill < 60; fill++) {
      put_event(19);
      put(400, 2);
      memset(chunk + chunk_size, 'y', 400);
      chunk_size += 400;
    }
    end(GLOBAL);
    define(20 + 2 * (unsigned)i, 22 + 2 * (unsigned)i, TABLES / 32);
  }
  if (served && obeys && read_until(client, "sync 1") && handles)
    while (handled == 0 && counters().est_commands_dropped == 0) usleep(1000);
  close(client);

  /* Memory is there: whoever comes is served, with all that was not left out. */
  memory_is_back = true;
  define(36, TASKS, 0);
  client = join();
  while (!read_until(client, "hdredatb")) {
    close(client);
    client = join();
  }
  eventlog_socket_rts_exiting();
  /* What is left may be more than the socket holds. */
  pthread_t stops;
  if (__real_pthread_create(&stops, NULL, stop, NULL) != 0) wrong("no thread", 0);
  if (!read_until(client, NULL)) wrong("no end", 0);
  pthread_join(stops, NULL);
  unsigned tasks, tables;
  check_stream(&tasks, &tables);
  bool all = tasks >= TASKS && tables >= TABLES / 4 * 3;
  if (!all && counters().est_definitions_left_out == 0) wrong("definitions are missing", (int)tasks);
  if (tasks < 4) wrong("not even the last ones", (int)tasks);
  if (shared->failed == 0 && (!all || hooked == 0 || !handles || handled == 0))
    wrong("with all the memory there is", (int)hooked);
}

/* False if there were not so many things to ask for. */
static bool survives(unsigned life) {
  int out[2];
  shared->asked = shared->failed = 0;
  if (pipe(out) != 0) wrong("pipe", errno);
  pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    close(out[0]);
    close(out[1]);
    fails_at = life;
    alarm(120);
    live();
    exit(0);
  }
  close(out[1]);
  char said[4096];
  size_t size = 0;
  ssize_t got;
  while (size < sizeof said && (got = read(out[0], said + size, sizeof said - size)) > 0)
    size += (size_t)got;
  close(out[0]);
  int status;
  if (waitpid(child, &status, 0) != child) wrong("waitpid", errno);
  if (status != 0 || size != 0) {
    printf("life %u: status %#x, said: %.*s\n", life, (unsigned)status, (int)size, said);
    fflush(stdout);
    _exit(1);
  }
  return shared->failed != 0;
}

int main(int argc, char **argv) {
  static char output[BUFSIZ];
  setvbuf(stdout, output, _IOFBF, sizeof output);
  if (argc < 4) return 2;
  fails_from = strcmp(argv[1], "from") == 0;
  directory = argv[2];
  is_tcp = strcmp(argv[3], "tcp") == 0;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char path[200];
  snprintf(path, sizeof path, "%s/socket", directory);
  if (is_tcp) {
    setenv("GHC_EVENTLOG_INET_HOST", "127.0.0.1", 1);
    setenv("GHC_EVENTLOG_INET_PORT", "0", 1);
  } else {
    setenv("GHC_EVENTLOG_UNIX_PATH", path, 1);
  }
  snprintf(path, sizeof path, "%s/ring", directory);
  setenv("GHC_EVENTLOG_RING_FILE", path, 1);
  setenv("GHC_EVENTLOG_RING_FILE_SIZE", "1M", 1);
  /* More than these words: not from the first one. */
  unsigned life = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
  while (survives(life)) life++;
  printf("lives: %u\n", life);
  return 0;
}
