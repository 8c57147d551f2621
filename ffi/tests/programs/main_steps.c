/* A C main that takes the steps of wrap_hs_main itself, and ends the RTS with
 * hs_exit instead of shutdownHaskellAndExit. With MAIN_PAUSE it waits for a line
 * before it says that the RTS is ready. */
#include "control.h"
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern StgClosure ZCMain_main_closure;

static void require(const char *what, EventlogSocketStatus status) {
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) return;
  char *text = eventlog_socket_strerror(status);
  fprintf(stderr, "%s: %d %d %s\n", what, (int)status.ess_status_code,
          status.ess_error_code, text == NULL ? "(null)" : text);
  free(text);
  exit(98);
}

/* Until a line comes. Not by stdio, which would take more than it. */
static void pause_here(void) {
  char byte = 0;
  dprintf(STDOUT_FILENO, "not ready yet\n");
  while (byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1) continue;
}

int main(int argc, char *argv[]) {
  control_from_environment();
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  require("from_env", eventlog_socket_from_env(&addr, &opts));
  require("init", eventlog_socket_init(&addr, &opts));
  eventlog_socket_addr_free(&addr);

  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  conf.eventlog_writer = &EventLogSocketWriter;
  hs_init_ghc(&argc, &argv, conf);
  if (getenv("MAIN_PAUSE") != NULL) pause_here();
  require("ready", eventlog_socket_signal_ghc_rts_ready());
  require("ready again", eventlog_socket_signal_ghc_rts_ready());
  if (opts.eso_wait) require("wait", eventlog_socket_wait());

  Capability *cap = rts_lock();
  rts_evalLazyIO(&cap, &ZCMain_main_closure, NULL);
  SchedulerStatus status = rts_getSchedStatus(cap);
  rts_unlock(cap);
  hs_exit();
  return status == Success ? 0 : 1;
}
