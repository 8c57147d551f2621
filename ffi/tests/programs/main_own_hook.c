/* A C main with an exit hook of its own, which the library is told nothing of. */
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern StgClosure ZCMain_main_closure;

static void say(const char *text) { dprintf(STDOUT_FILENO, "%s\n", text); }

static void own_exit_hook(void) { say("own exit hook"); }

static void require(const char *what, EventlogSocketStatus status) {
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) return;
  dprintf(STDERR_FILENO, "%s: %d %d\n", what, (int)status.ess_status_code,
          status.ess_error_code);
  exit(98);
}

int main(int argc, char *argv[]) {
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  require("from_env", eventlog_socket_from_env(&addr, &opts));
  require("init", eventlog_socket_init(&addr, &opts));
  eventlog_socket_addr_free(&addr);

  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  conf.eventlog_writer = &EventLogSocketWriter;
  conf.onExitHook = own_exit_hook;
  hs_init_ghc(&argc, &argv, conf);
  require("ready", eventlog_socket_signal_ghc_rts_ready());

  Capability *cap = rts_lock();
  rts_evalLazyIO(&cap, &ZCMain_main_closure, NULL);
  SchedulerStatus status = rts_getSchedStatus(cap);
  rts_unlock(cap);
  shutdownHaskellAndExit(status == Success ? 0 : 1, 0);
}
