/* The C half of Worker.hs: what returns structs, and what only C can do. */
#include "eventlog_socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void say_status(const char *what, EventlogSocketStatus status) {
  char *text = eventlog_socket_strerror(status);
  dprintf(STDOUT_FILENO, "%s: %d %d %s\n", what, (int)status.ess_status_code,
          status.ess_error_code, text == NULL ? "(null)" : text);
  free(text);
}

/* Start as the environment says. */
void worker_start(void) {
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  EventlogSocketStatus status = eventlog_socket_from_env(&addr, &opts);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    say_status("from_env", status);
    return;
  }
  say_status("start", eventlog_socket_start(&addr, &opts));
  eventlog_socket_addr_free(&addr);
}

void worker_wait(void) { say_status("wait", eventlog_socket_wait()); }

static void write_stats(int fd) {
  EventlogSocketStats s;
  EventlogSocketStatus status = eventlog_socket_stats(&s, sizeof s);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    dprintf(fd, "stats: failed %d %d\n", (int)status.ess_status_code,
            status.ess_error_code);
    return;
  }
  dprintf(fd,
          "stats: chunks_sent=%llu bytes_sent=%llu chunks_lost=%llu "
          "bytes_lost=%llu chunks_discarded=%llu bytes_discarded=%llu "
          "ring_size=%llu ring_high_water=%llu definition_bytes=%llu "
          "connections=%llu wakeups=%llu flushes=%llu bytes_received=%llu "
          "commands_received=%llu commands_run=%llu commands_unknown=%llu "
          "commands_refused=%llu commands_denied=%llu commands_dropped=%llu "
          "bytes_garbage=%llu inet_port=%u connected=%d\n",
          (unsigned long long)s.est_chunks_sent,
          (unsigned long long)s.est_bytes_sent,
          (unsigned long long)s.est_chunks_lost,
          (unsigned long long)s.est_bytes_lost,
          (unsigned long long)s.est_chunks_discarded,
          (unsigned long long)s.est_bytes_discarded,
          (unsigned long long)s.est_ring_size,
          (unsigned long long)s.est_ring_high_water,
          (unsigned long long)s.est_definition_bytes,
          (unsigned long long)s.est_connections,
          (unsigned long long)s.est_wakeups, (unsigned long long)s.est_flushes,
          (unsigned long long)s.est_bytes_received,
          (unsigned long long)s.est_commands_received,
          (unsigned long long)s.est_commands_run,
          (unsigned long long)s.est_commands_unknown,
          (unsigned long long)s.est_commands_refused,
          (unsigned long long)s.est_commands_denied,
          (unsigned long long)s.est_commands_dropped,
          (unsigned long long)s.est_bytes_garbage, (unsigned)s.est_inet_port,
          (int)s.est_connected);
}

void worker_stats(void) { write_stats(STDOUT_FILENO); }

/* WORKER_STATS=FILE: the counters when everything is over. */
static pid_t owner;

static void stats_at_exit(void) {
  const char *path = getenv("WORKER_STATS");
  if (path == NULL || getpid() != owner) return;
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  write_stats(fd);
  close(fd);
}

__attribute__((constructor)) static void prepare(void) {
  owner = getpid();
  atexit(stats_at_exit);
}

/* A child that knows nothing of Haskell, and runs the atexit handlers. */
void worker_fork_and_exit(void) {
  pid_t child = fork();
  if (child == 0) exit(7);
  int status = -1;
  waitpid(child, &status, 0);
  dprintf(STDOUT_FILENO, "child: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* What a child that execs has open. */
void worker_descriptors_of_child(void) {
  if (system("ls -l /proc/self/fd | sed -n 's/.* -> //p'") != 0)
    dprintf(STDOUT_FILENO, "failed\n");
}

void worker_exit(int code) { exit(code); }
