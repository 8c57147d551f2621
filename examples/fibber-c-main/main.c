/*
 * fibber-c-main - Fibonacci numbers, watched from the RTS's first event on.
 *
 * With a C main the library is there before the RTS: a client gets everything
 * since hs_init, however late it is.
 *
 * Build, in the repository's root after `cargo build --release` (leave out
 * -eventlog from GHC 9.4 on), or with scripts/build-example fibber-c-main:
 *
 *   ghc -threaded -eventlog -no-hs-main -Iinclude -outputdir build \
 *     -o fibber-c-main examples/fibber-c-main/main.c \
 *     examples/fibber-c-main/Main.hs ffi/rts/eventlog_socket_rts.c \
 *     target/release/libeventlog_socket.a
 *
 * Run (GHC_EVENTLOG_WAIT=1 makes it wait for a client):
 *
 *   GHC_EVENTLOG_UNIX_PATH=/tmp/fibber.sock ./fibber-c-main 30 32 34
 */
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>

extern StgClosure ZCMain_main_closure;

int main(int argc, char *argv[]) {
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  EventlogSocketStatus status = eventlog_socket_from_env(&addr, &opts);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    char *reason = eventlog_socket_strerror(status);
    fprintf(stderr, "fibber-c-main: %s\n", reason == NULL ? "?" : reason);
    free(reason);
    return EXIT_FAILURE;
  }

  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  conf.rts_opts = "-l";
  /* Does not return. */
  eventlog_socket_wrap_hs_main(argc, argv, conf, &ZCMain_main_closure, &addr,
                               &opts);
}
