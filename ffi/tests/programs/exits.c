/* Linked with driver.c: an RTS that any thread may flush, and that tells of its exit.
 * A client has these commands of the namespace "exits":
 *
 *   1  a thread of its own ends the RTS; the handler never returns
 *   2  the handler ends the RTS
 *   3  the handler forks, and returns in the child; says what became of that
 *   4  a thread of its own logs 20000 short messages, then says "filled"
 *
 * FLUSH_SAYS: a flush says "flush". FLUSH_UNTIL_EXIT=MS: it lasts until so many
 * milliseconds after the exit has begun. */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "control.h"
#include "eventlog_socket_rts.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOT_YET = 0 };

static atomic_int flushes_inside = 0;
/* Milliseconds. */
static atomic_long exit_begun = NOT_YET;

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1 + now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---------------------------------------------------------------- the RTS -- */

static bool yes(void) { return true; }
static void do_nothing(void) {}

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  (void)writer; /* the log runs already */
  return EVENTLOG_SOCKET_ERR_RTS_FAIL;
}

static void flush(void) {
  const char *until = getenv("FLUSH_UNTIL_EXIT");
  flushes_inside++;
  if (getenv("FLUSH_SAYS") != NULL) dprintf(STDOUT_FILENO, "flush\n");
  if (until != NULL)
    while (exit_begun == NOT_YET || now_ms() < exit_begun + atol(until))
      usleep(1000);
  flushes_inside--;
}

static bool refuse_command(uint8_t command) {
  (void)command;
  return false;
}

static void facts(EventlogSocketRtsFacts *out) {
  memset(out, 0, sizeof *out);
  out->esf_rts_identifier = "an RTS that exits";
  out->esf_capabilities = 2;
}

static void cost_centres(EventlogSocketCostCentre *each, void *context) {
  (void)each;
  (void)context;
}

static EventlogSocketRts rts = {
    .esr_threaded = true,
    .esr_exit_hooked = yes,
    .esr_supports_eventlog = yes,
    .esr_attach = attach,
    .esr_flush_here = do_nothing,
    .esr_flush = flush,
    .esr_make_census = do_nothing,
    .esr_command = refuse_command,
    .esr_facts = facts,
    .esr_cost_centres = cost_centres,
};

/* ------------------------------------------------------------- the exits -- */

static void *end_rts(void *nothing) {
  (void)nothing;
  exit_begun = now_ms();
  eventlog_socket_rts_exiting();
  dprintf(STDOUT_FILENO, "flushes inside: %d\n", (int)flushes_inside);
  EventLogSocketWriter.stopEventLogWriter();
  _exit(0);
}

static void end_aside(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, end_rts, NULL) != 0) _exit(97);
  for (;;) pause();
}

static void fork_here(void) {
  /* Waits for a line that another thread is saying: the child must not say it, too. */
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) return;
  int status = 0;
  for (int turn = 0; turn < 3000; turn++) {
    if (waitpid(child, &status, WNOHANG) == child) {
      dprintf(STDOUT_FILENO, "child: %d\n",
              WIFEXITED(status) ? WEXITSTATUS(status) : -1);
      return;
    }
    usleep(10000);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  dprintf(STDOUT_FILENO, "child: does not end\n");
}

static void *fill(void *nothing) {
  for (int count = 0; count < 20000; count++) control_log("f");
  dprintf(STDOUT_FILENO, "filled\n");
  return nothing;
}

static void fill_aside(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, fill, NULL) != 0) _exit(97);
}

static void on_command(const EventlogSocketControlNamespace *name,
                       EventlogSocketControlCommandId id, const void *data) {
  (void)name;
  (void)data;
  switch (id) {
  case 1: end_aside(); break;
  case 2: end_rts(NULL); break;
  case 3: fork_here(); break;
  default: fill_aside();
  }
}

__attribute__((constructor)) static void prepare(void) {
  EventlogSocketControlNamespace *name;
  eventlog_socket_rts_register(&rts);
  eventlog_socket_control_register_namespace(5, "exits", &name);
  for (uint8_t id = 1; id <= 4; id++)
    eventlog_socket_control_register_command(name, id, on_command, NULL);
}
