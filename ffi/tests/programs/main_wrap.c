/* A C main as it should be: everything in eventlog_socket_wrap_hs_main. */
#include "control.h"
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern StgClosure ZCMain_main_closure;

int main(int argc, char *argv[]) {
  control_from_environment();
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  memset(&addr, 0, sizeof addr);
  EventlogSocketStatus status = eventlog_socket_from_env(&addr, &opts);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    char *text = eventlog_socket_strerror(status);
    fprintf(stderr, "from_env: %d %d %s\n", (int)status.ess_status_code,
            status.ess_error_code, text == NULL ? "(null)" : text);
    free(text);
  }
  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  eventlog_socket_wrap_hs_main(argc, argv, conf, &ZCMain_main_closure, &addr,
                               &opts);
}
