/*
 * fibber-c-main - Fibonacci numbers, watched from the RTS's first event on.
 *
 * With a C main the library starts before the RTS: a client gets everything
 * since hs_init, even if it connects late.
 *
 * Build, in the repository's root:
 *
 *   scripts/build-example fibber-c-main
 *
 * Run (GHC_EVENTLOG_WAIT=1 makes it wait for a client; --forever begins again
 * after the last number):
 *
 *   GHC_EVENTLOG_UNIX_PATH=/tmp/fibber.sock \
 *     target/examples/fibber-c-main/fibber-c-main [--forever] 30 32 34
 *
 * Watch:
 *
 *   eventlog show unix:/tmp/fibber.sock
 */
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>

extern StgClosure ZCMain_main_closure;
/* In Main.hs. */
extern void fibber_marker(const char *text);

static void on_post_start(const void *hook_data) {
  (void)hook_data;
  fibber_marker("HookPostStartEventLogging fired.");
}

static void on_pre_end(const void *hook_data) {
  (void)hook_data;
  fibber_marker("HookPreEndEventLogging fired.");
}

static void require(EventlogSocketStatus status) {
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) return;
  char *reason = eventlog_socket_strerror(status);
  fprintf(stderr, "fibber-c-main: %s\n", reason == NULL ? "?" : reason);
  free(reason);
  exit(EXIT_FAILURE);
}

int main(int argc, char *argv[]) {
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  require(eventlog_socket_from_env(&addr, &opts));
  require(eventlog_socket_register_hook(
      EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING, on_post_start, NULL));
  require(eventlog_socket_register_hook(
      EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING, on_pre_end, NULL));

  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  conf.rts_opts = "-l";
  /* Does not return. */
  eventlog_socket_wrap_hs_main(argc, argv, conf, &ZCMain_main_closure, &addr,
                               &opts);
}
