/* The C half of Worker.hs: what returns structs, and what only C can do. */
#include "control.h"
#include "eventlog_socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
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

void worker_stats(void) { control_say_stats(STDOUT_FILENO); }

/* WORKER_STATS=FILE: the counters when everything is over. */
static pid_t owner;

static void stats_at_exit(void) {
  const char *path = getenv("WORKER_STATS");
  if (path == NULL || getpid() != owner) return;
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  control_say_stats(fd);
  close(fd);
}

__attribute__((constructor)) static void prepare(void) {
  owner = getpid();
  atexit(stats_at_exit);
}

/* Haskell's, so that it takes the way of every message of a program. */
extern void worker_log(const char *text);

void control_log(const char *text) { worker_log(text); }

void worker_hook(int hook, EventlogSocketHookHandler *handler) {
  say_status("hook", eventlog_socket_register_hook((EventlogSocketHook)hook,
                                                   handler, NULL));
}

void worker_command(char *name, int id,
                    EventlogSocketControlCommandHandler *handler) {
  say_status("command", control_register_command(name, id, handler, NULL));
}

/* A child that knows nothing of Haskell, and runs the atexit handlers. */
void worker_fork_and_exit(void) {
  pid_t child = fork();
  if (child == 0) exit(7);
  int status = -1;
  waitpid(child, &status, 0);
  dprintf(STDOUT_FILENO, "child: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* A child that tries to stream by itself, though its RTS does not work. */
void worker_fork_and_start(void) {
  pid_t child = fork();
  if (child == 0) {
    worker_start();
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

/* What a child that execs has open. */
void worker_descriptors_of_child(void) {
  if (system("ls -l /proc/self/fd | sed -n 's/.* -> //p'") != 0)
    dprintf(STDOUT_FILENO, "failed\n");
}

void worker_exit(int code) { exit(code); }

/* How often the RTS flushes by itself, in its ticks; 0: never. */
void worker_flush_ticks(void) {
#if __GLASGOW_HASKELL__ >= 902
  dprintf(STDOUT_FILENO, "ticks: %d\n", RtsFlags.TraceFlags.eventlogFlushTicks);
#else
  dprintf(STDOUT_FILENO, "ticks: 0\n");
#endif
}

/* For the next start, with everything else as it is. */
void worker_flush_interval(int milliseconds) {
  EventlogSocketTuning tuning;
  eventlog_socket_tuning_init(&tuning);
  tuning.est_flush_interval_ms = (uint32_t)milliseconds;
  say_status("tuning", eventlog_socket_set_tuning(&tuning));
}

/* Called unsafely: whoever wants to stop the program waits for it. */
void worker_nap(int milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0) {
  }
}

/* Nanoseconds. */
uint64_t worker_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
