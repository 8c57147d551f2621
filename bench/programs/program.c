/* The C half of the Haskell programs: main, and the clocks. With GHC_EVENTLOG_UNIX_PATH
 * it streams, with GHC_EVENTLOG_RING_FILE it records; without them the options of the RTS
 * decide about the eventlog. */
#include "eventlog_socket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern StgClosure ZCMain_main_closure;

static uint64_t clock_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_now(void) { return clock_of(CLOCK_MONOTONIC); }

static uint64_t *samples = NULL;
static size_t sample_count = 0;

uint64_t *bench_samples(HsInt count) {
  sample_count = (size_t)count;
  samples = malloc(sample_count * sizeof *samples);
  if (samples == NULL) exit(1);
  memset(samples, 1, sample_count * sizeof *samples);
  return samples;
}

static uint64_t wall, cpu;

void bench_begin(void) {
  wall = bench_now();
  cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_end(const char *file) {
  wall = bench_now() - wall;
  cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  if (sample_count > 0) {
    FILE *out = fopen(file, "w");
    if (out == NULL || fwrite(samples, sizeof *samples, sample_count, out) != sample_count ||
        fclose(out) != 0)
      exit(1);
  }
  printf("result wall_ns=%" PRIu64 " cpu_ns=%" PRIu64 " max_rss_kib=%ld", wall, cpu,
         usage.ru_maxrss);
#ifdef BENCH_HAS_STATS
  EventlogSocketStats stats;
  if (eventlog_socket_stats(&stats, sizeof stats).ess_status_code == EVENTLOG_SOCKET_OK)
    printf(" bytes_lost=%" PRIu64 " bytes_sent=%" PRIu64 " wakeups=%" PRIu64,
           stats.est_bytes_lost + stats.est_ring_file_bytes_refused, stats.est_bytes_sent, stats.est_wakeups);
#endif
  putchar('\n');
  fflush(stdout);
  /* So that data which is still to be flushed arrives. Then the harness ends this program. */
  sleep(30);
}

int main(int argc, char *argv[]) {
  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  if (getenv("GHC_EVENTLOG_UNIX_PATH") == NULL && getenv("GHC_EVENTLOG_RING_FILE") == NULL)
    return hs_main(argc, argv, &ZCMain_main_closure, conf);
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  memset(&addr, 0, sizeof addr);
  if (eventlog_socket_from_env(&addr, &opts).ess_status_code != EVENTLOG_SOCKET_OK) return 1;
  eventlog_socket_wrap_hs_main(argc, argv, conf, &ZCMain_main_closure, &addr, &opts);
  return 1;
}
