// Refers to every function of the header, from C++: all of them must link.
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "eventlog_socket.h"

#include <cstdio>
#include <cstdlib>

template <typename F> static int there(F *function) {
  F *volatile pointer = function;
  return pointer != nullptr;
}

int main() {
  int count = there(eventlog_socket_strerror) + there(eventlog_socket_addr_free) +
              there(eventlog_socket_opts_init) + there(eventlog_socket_opts_free) +
              there(eventlog_socket_from_env) + there(eventlog_socket_tuning_init) +
              there(eventlog_socket_set_tuning) + there(eventlog_socket_init) +
              there(eventlog_socket_signal_ghc_rts_ready) +
              there(eventlog_socket_wait) + there(eventlog_socket_start) +
              there(eventlog_socket_worker_status) + there(eventlog_socket_stats) +
              there(eventlog_socket_init_unix) + there(eventlog_socket_init_tcp) +
              there(eventlog_socket_ready) + there(eventlog_socket_start_unix) +
              there(eventlog_socket_start_tcp) +
              there(eventlog_socket_register_hook) +
              there(eventlog_socket_control_strnamespace) +
              there(eventlog_socket_control_register_namespace) +
              there(eventlog_socket_control_register_command) +
              there(eventlog_socket_control_status);
  EventlogSocketStatus status = {EVENTLOG_SOCKET_ERR_SYS, 2};
  char *text = eventlog_socket_strerror(status);
  std::printf("%d %s\n", count, text);
  std::free(text);
  bool writers = EventLogSocketWriter.writeEventLog != nullptr &&
                 SocketEventLogWriter.writeEventLog != nullptr;
  return writers ? 0 : 1;
}
