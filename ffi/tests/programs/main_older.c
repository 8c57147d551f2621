/* A C main with the names of the first generation. GHC_EVENTLOG_WAIT makes it
 * wait before hs_init, as those programs did. */
#include "eventlog_socket.h"

#include <stdlib.h>

extern StgClosure ZCMain_main_closure;

int main(int argc, char *argv[]) {
  const char *path = getenv("GHC_EVENTLOG_UNIX_PATH");
  if (path != NULL)
    eventlog_socket_init_unix(path);
  else
    eventlog_socket_init_tcp(getenv("GHC_EVENTLOG_INET_HOST"),
                             getenv("GHC_EVENTLOG_INET_PORT"));
  if (getenv("GHC_EVENTLOG_WAIT") != NULL) eventlog_socket_wait();

  RtsConfig conf = defaultRtsConfig;
  conf.rts_opts_enabled = RtsOptsAll;
  conf.eventlog_writer = &SocketEventLogWriter;
  return eventlog_socket_hs_main(argc, argv, conf, &ZCMain_main_closure);
}
