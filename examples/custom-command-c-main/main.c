/*
 * custom-command-c-main - a program with commands of its own, registered in C.
 *
 * Build, in the repository's root:
 *
 *   scripts/build-example custom-command-c-main
 *
 * Run (for ten seconds, or --forever; GHC 9.0 cannot flush from Haskell, so with
 * it set GHC_EVENTLOG_FLUSH_INTERVAL=500ms):
 *
 *   GHC_EVENTLOG_UNIX_PATH=/tmp/custom.sock GHC_EVENTLOG_WAIT=1 \
 *     target/examples/custom-command-c-main/custom-command-c-main [--forever]
 *
 * Send command 1 (ping) or 2 (pong), and see "handled ping" or "handled pong":
 *
 *   eventlog record unix:/tmp/custom.sock -o custom.eventlog \
 *     --control custom-command/1
 */
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern StgClosure ZCMain_main_closure;
/* In Main.hs. */
extern void custom_command_message(const char *text);

/* One handler for both: command_data is the message. */
static void on_command(const EventlogSocketControlNamespace *control_namespace,
                       EventlogSocketControlCommandId command_id,
                       const void *command_data) {
  (void)control_namespace;
  (void)command_id;
  custom_command_message(command_data);
}

static void require(EventlogSocketStatus status) {
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) return;
  char *reason = eventlog_socket_strerror(status);
  fprintf(stderr, "custom-command-c-main: %s\n", reason == NULL ? "?" : reason);
  free(reason);
  exit(EXIT_FAILURE);
}

int main(int argc, char *argv[]) {
  static const char name[] = "custom-command";
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  EventlogSocketControlNamespace *space;
  require(eventlog_socket_from_env(&addr, &opts));
  require(eventlog_socket_control_register_namespace((uint8_t)strlen(name), name,
                                                     &space));
  require(eventlog_socket_control_register_command(space, 1, on_command,
                                                   "handled ping"));
  require(eventlog_socket_control_register_command(space, 2, on_command,
                                                   "handled pong"));

  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  conf.rts_opts = "-l";
  /* Does not return. */
  eventlog_socket_wrap_hs_main(argc, argv, conf, &ZCMain_main_closure, &addr,
                               &opts);
}
