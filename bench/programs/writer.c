/* writer - calls writeEventLog as an RTS would, and measures the time of each call. It
 * links with any library that has the header: this one, the peer, or a reference.
 *
 *   writer key=value ...
 *     unix=PATH | port=N   where to listen; neither: nowhere, for a ring file
 *     threads=N chunk=BYTES calls=N (each thread)  pace_ns=N (0: flat out)
 *     wait=1               begin when a client is connected
 *     stamped=1            each chunk contains the time of its call
 *     idle_ms=N            afterwards, measure N ms of idle time
 *     samples=FILE         the times, 8 bytes each
 *
 * Prints "listening", then "result key=value ...", and ends when its stdin ends.
 * Links with -Wl,--wrap for the calls that are counted, see below. */
#include "eventlog_socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_MARKER = 18, USER_MSG = 19, VARIABLE = 0xFFFF, LONGEST = 60000 };
enum { MARKER_BYTES = 24, MESSAGE_BYTES = 12, STAMP_AT = MARKER_BYTES + MESSAGE_BYTES };
enum { SETTLE_MS = 30, MAX_THREADS = 16 };

static char **arguments;

static const char *text_of(const char *name) {
  size_t length = strlen(name);
  for (char **each = arguments; *each != NULL; each++)
    if (strncmp(*each, name, length) == 0 && (*each)[length] == '=') return *each + length + 1;
  return NULL;
}

static uint64_t number_of(const char *name) {
  const char *text = text_of(name);
  return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void fail(const char *why) {
  fprintf(stderr, "writer: %s\n", why);
  exit(1);
}

static void must(EventlogSocketStatus status, const char *what) {
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    fprintf(stderr, "writer: %s: status %d, error %d\n", what, (int)status.ess_status_code,
            status.ess_error_code);
    exit(1);
  }
}

static uint64_t clock_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void) { return clock_of(CLOCK_MONOTONIC); }

static void sleep_until(uint64_t when) {
  struct timespec at = {.tv_sec = (time_t)(when / 1000000000u), .tv_nsec = (long)(when % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0) continue;
}

static void sleep_ms(uint64_t ms) { sleep_until(now_ns() + ms * 1000000u); }

/* -------------------------------------------------- system calls, counted -- */

/* The calls that a library may make on a descriptor or a futex while the RTS waits for
 * it. Calls that libc makes itself (a contended mutex, more memory) are visible as context
 * switches or in the time. */
static _Thread_local uint64_t system_calls = 0;

ssize_t __real_write(int fd, const void *from, size_t size);
ssize_t __wrap_write(int fd, const void *from, size_t size) {
  system_calls++;
  return __real_write(fd, from, size);
}

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count) {
  system_calls++;
  return __real_writev(fd, parts, count);
}

ssize_t __real_send(int fd, const void *from, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t size, int flags) {
  system_calls++;
  return __real_send(fd, from, size, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
  system_calls++;
  return __real_sendmsg(fd, message, flags);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  system_calls++;
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ------------------------------------------------------------------ chunks -- */

static unsigned char *put(unsigned char *to, uint64_t value, int bytes) {
  while (bytes-- > 0) *to++ = (unsigned char)(value >> (8 * bytes));
  return to;
}

static void write_header(const EventLogWriter *writer) {
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
  writer->writeEventLog(chunk, (size_t)(end - chunk));
}

/* Does what an RTS does when it starts its log. The peer's stub calls it, too. */
void bench_start_log(const EventLogWriter *writer) {
  writer->initEventLogWriter();
  write_header(writer);
}

/* One block that is full of messages. */
static unsigned char *make_chunk(size_t size, uint16_t cap) {
  if (size < STAMP_AT + 28) fail("a chunk is too small");
  unsigned char *chunk = malloc(size), *end = chunk;
  if (chunk == NULL) fail("no memory");
  end = put(put(put(end, BLOCK_MARKER, 2), 1, 8), size, 4);
  end = put(put(end, 2, 8), cap, 2);
  for (size_t left = size - MARKER_BYTES; left > 0;) {
    size_t message = left - MESSAGE_BYTES;
    if (message > LONGEST) message = left < LONGEST + 2 * MESSAGE_BYTES ? LONGEST / 2 : LONGEST;
    end = put(put(put(end, USER_MSG, 2), 1, 8), message, 2);
    memset(end, 'x', message);
    end += message;
    left -= MESSAGE_BYTES + message;
  }
  return chunk;
}

/* ----------------------------------------------------------------- callers -- */

typedef struct {
  pthread_t thread;
  uint16_t number;
  uint64_t *samples;
  uint64_t start, end, cpu_ns, system_calls, yields, preemptions, faults, refused;
} Caller;

static size_t chunk_size;
static uint64_t calls, pace_ns;
static bool stamped;
static pthread_barrier_t together;

/* Sleeping costs tens of microseconds: for a shorter pace it waits in a loop. */
static void wait_until(uint64_t when) {
  if (pace_ns >= 100000) sleep_until(when);
  else while (now_ns() < when) continue;
}

static void *call(void *argument) {
  Caller *caller = argument;
  unsigned char *chunk = make_chunk(chunk_size, caller->number);
  struct rusage before, after;
  pthread_barrier_wait(&together);
  getrusage(RUSAGE_THREAD, &before);
  uint64_t calls_before = system_calls, paced_switches = 0;
  uint64_t cpu = clock_of(CLOCK_THREAD_CPUTIME_ID), next = caller->start = now_ns();
  for (uint64_t i = 0; i < calls; i++) {
    if (pace_ns != 0) {
      wait_until(next);
      next += pace_ns;
      if (pace_ns >= 100000) paced_switches++;
    }
    if (stamped) {
      char stamp[27];
      snprintf(stamp, sizeof stamp, "stamp:%020" PRIu64, now_ns());
      memcpy(chunk + STAMP_AT, stamp, 26);
    }
    uint64_t start = now_ns();
    if (!EventLogSocketWriter.writeEventLog(chunk, chunk_size)) caller->refused++;
    caller->samples[i] = now_ns() - start;
  }
  caller->end = now_ns();
  caller->cpu_ns = clock_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
  caller->system_calls = system_calls - calls_before;
  getrusage(RUSAGE_THREAD, &after);
  uint64_t yields = (uint64_t)(after.ru_nvcsw - before.ru_nvcsw);
  caller->yields = yields > paced_switches ? yields - paced_switches : 0;
  caller->preemptions = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
  caller->faults = (uint64_t)(after.ru_minflt - before.ru_minflt);
  /* Not freed, so that the end of one thread does not disturb another. */
  return NULL;
}

/* -------------------------------------------------------------- afterwards -- */

/* How often threads other than this one have gone to sleep. */
static uint64_t sleeps_of_others(void) {
  uint64_t sum = 0;
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
    if (task->d_name[0] == '.' || atol(task->d_name) == (long)getpid()) continue;
    char path[300], line[200];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
    FILE *status = fopen(path, "r");
    uint64_t count;
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
      if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &count) == 1) sum += count;
    if (status != NULL) fclose(status);
  }
  if (tasks != NULL) closedir(tasks);
  return sum;
}

static uint64_t cpu_of_others(void) {
  uint64_t own = clock_of(CLOCK_THREAD_CPUTIME_ID);
  uint64_t all = clock_of(CLOCK_PROCESS_CPUTIME_ID);
  return all - own;
}

static void say(const char *name, uint64_t value) { printf(" %s=%" PRIu64, name, value); }

#ifdef BENCH_HAS_STATS
static EventlogSocketStats stats_before, stats_after;
static void take_stats(EventlogSocketStats *stats) {
  must(eventlog_socket_stats(stats, sizeof *stats), "stats");
}
#define SAY_STAT(name) say(#name, stats_after.est_##name - stats_before.est_##name)
#endif

static void write_samples(const Caller *callers, uint64_t threads) {
  const char *path = text_of("samples");
  if (path == NULL) return;
  FILE *file = fopen(path, "w");
  if (file == NULL) fail("the file of samples");
  for (uint64_t i = 0; i < threads; i++) fwrite(callers[i].samples, sizeof(uint64_t), calls, file);
  if (fclose(file) != 0) fail("the file of samples");
}

int main(int argc, char *argv[]) {
  (void)argc;
  arguments = argv;
  /* As the RTS does. */
  signal(SIGPIPE, SIG_IGN);
  static Caller callers[MAX_THREADS];
  uint64_t threads = number_of("threads");
  chunk_size = number_of("chunk");
  calls = number_of("calls");
  pace_ns = number_of("pace_ns");
  stamped = number_of("stamped") != 0;
  if (threads < 1 || threads > MAX_THREADS || calls < 1) fail("threads or calls");

  EventlogSocketAddr address;
  memset(&address, 0, sizeof address);
  if (text_of("unix") != NULL) {
    address.esa_tag = EVENTLOG_SOCKET_UNIX;
    address.esa_unix_addr.esa_unix_path = strdup(text_of("unix"));
#ifdef EVENTLOG_SOCKET_ENV_RING_FILE
  } else if (text_of("port") == NULL) {
    address.esa_tag = EVENTLOG_SOCKET_NONE;
#endif
  } else {
    address.esa_tag = EVENTLOG_SOCKET_INET;
    address.esa_inet_addr.esa_inet_host = strdup("127.0.0.1");
    address.esa_inet_addr.esa_inet_port = strdup(text_of("port"));
  }
  EventlogSocketOpts opts = {false, 0, 0};
  must(eventlog_socket_init(&address, &opts), "init");
  bench_start_log(&EventLogSocketWriter);
  must(eventlog_socket_signal_ghc_rts_ready(), "ready");
  puts("listening");
  fflush(stdout);
  if (number_of("wait") != 0) must(eventlog_socket_wait(), "wait");
  /* A program is not at its busiest right at the beginning. */
  sleep_ms(SETTLE_MS);

  pthread_barrier_init(&together, NULL, (unsigned)threads + 1);
  for (uint64_t i = 0; i < threads; i++) {
    callers[i].number = (uint16_t)i;
    callers[i].samples = malloc(calls * sizeof(uint64_t));
    if (callers[i].samples == NULL) fail("no memory");
    memset(callers[i].samples, 1, calls * sizeof(uint64_t));
    if (pthread_create(&callers[i].thread, NULL, call, &callers[i]) != 0) fail("no thread");
  }
#ifdef BENCH_HAS_STATS
  take_stats(&stats_before);
#endif
  uint64_t cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
  pthread_barrier_wait(&together);
  uint64_t start = UINT64_MAX, end = 0, sum_cpu = 0, sum_calls = 0;
  uint64_t yields = 0, preemptions = 0, faults = 0, refused = 0;
  for (uint64_t i = 0; i < threads; i++) {
    pthread_join(callers[i].thread, NULL);
    if (callers[i].start < start) start = callers[i].start;
    if (callers[i].end > end) end = callers[i].end;
    sum_cpu += callers[i].cpu_ns;
    sum_calls += callers[i].system_calls;
    yields += callers[i].yields;
    preemptions += callers[i].preemptions;
    faults += callers[i].faults;
    refused += callers[i].refused;
  }
  uint64_t wall = end - start;
  cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
#ifdef BENCH_HAS_STATS
  take_stats(&stats_after);
#endif
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);

  uint64_t idle_ms = number_of("idle_ms"), idle_cpu = 0, idle_sleeps = 0;
  if (idle_ms != 0) {
    /* Wait until everything that was written has been sent. */
    sleep_ms(300);
    idle_sleeps = sleeps_of_others();
    idle_cpu = cpu_of_others();
    sleep_ms(idle_ms);
    /* The two clocks are not read at the same moment: the difference may be negative. */
    uint64_t later = cpu_of_others();
    idle_cpu = later > idle_cpu ? later - idle_cpu : 0;
    idle_sleeps = sleeps_of_others() - idle_sleeps;
  }

  write_samples(callers, threads);
  printf("result");
  say("wall_ns", wall);
  say("cpu_callers_ns", sum_cpu);
  say("cpu_library_ns", cpu > sum_cpu ? cpu - sum_cpu : 0);
  say("system_calls", sum_calls);
  say("yields", yields);
  say("preemptions", preemptions);
  say("faults", faults);
  say("refused", refused);
  say("max_rss_kib", (uint64_t)usage.ru_maxrss);
  say("idle_cpu_ns", idle_cpu);
  say("idle_sleeps", idle_sleeps);
#ifdef BENCH_HAS_STATS
  SAY_STAT(chunks_lost);
  SAY_STAT(bytes_lost);
  SAY_STAT(bytes_sent);
  SAY_STAT(wakeups);
  SAY_STAT(sleeps);
  SAY_STAT(connections);
  SAY_STAT(ring_file_chunks_refused);
#endif
  putchar('\n');
  fflush(stdout);
  while (getchar() != EOF) continue;
  /* At once: the rest of the stream is not needed. */
  _exit(0);
}
