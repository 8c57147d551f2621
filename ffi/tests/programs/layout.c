/* What programs are compiled against: values, sizes and offsets on LP64. All of
 * it is checked by the compiler. */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "eventlog_socket.h"

#define SAME(what, is) _Static_assert((what) == (is), #what)

SAME(EVENTLOG_SOCKET_OK, 0);
SAME(EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT, 1);
SAME(EVENTLOG_SOCKET_ERR_RTS_FAIL, 2);
SAME(EVENTLOG_SOCKET_ERR_ENV_NOADDR, 3);
SAME(EVENTLOG_SOCKET_ERR_ENV_TOOLONG, 4);
SAME(EVENTLOG_SOCKET_ERR_ENV_NOHOST, 5);
SAME(EVENTLOG_SOCKET_ERR_ENV_NOPORT, 6);
SAME(EVENTLOG_SOCKET_ERR_CTL_NOSUPPORT, 7);
SAME(EVENTLOG_SOCKET_ERR_CTL_EXISTS, 8);
SAME(EVENTLOG_SOCKET_ERR_GAI, 9);
SAME(EVENTLOG_SOCKET_ERR_SYS, 10);
SAME(EVENTLOG_SOCKET_ERR_ENV_INVALID, 11);
SAME(EVENTLOG_SOCKET_UNIX, 0);
SAME(EVENTLOG_SOCKET_INET, 1);
SAME(EVENTLOG_SOCKET_OVERFLOW_DROP, 0);
SAME(EVENTLOG_SOCKET_OVERFLOW_BLOCK, 1);
SAME(EVENTLOG_SOCKET_CONTROL_UNIX, 0);
SAME(EVENTLOG_SOCKET_CONTROL_ON, 1);
SAME(EVENTLOG_SOCKET_CONTROL_OFF, 2);
SAME(EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING, 0);
SAME(EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING, 1);
SAME(EVENTLOG_SOCKET_CONTROL_PROTOCOL_VERSION, 0);
SAME(sizeof(EventlogSocketControlCommandId), 1);

SAME(sizeof(EventlogSocketStatus), 8);
SAME(offsetof(EventlogSocketStatus, ess_status_code), 0);
SAME(offsetof(EventlogSocketStatus, ess_error_code), 4);

SAME(sizeof(EventlogSocketUnixAddr), 8);
SAME(offsetof(EventlogSocketUnixAddr, esa_unix_path), 0);
SAME(sizeof(EventlogSocketInetAddr), 16);
SAME(offsetof(EventlogSocketInetAddr, esa_inet_host), 0);
SAME(offsetof(EventlogSocketInetAddr, esa_inet_port), 8);
SAME(sizeof(EventlogSocketAddr), 24);
SAME(offsetof(EventlogSocketAddr, esa_tag), 0);
SAME(offsetof(EventlogSocketAddr, esa_unix_addr), 8);
SAME(offsetof(EventlogSocketAddr, esa_inet_addr), 8);

SAME(sizeof(EventlogSocketOpts), 12);
SAME(offsetof(EventlogSocketOpts, eso_wait), 0);
SAME(offsetof(EventlogSocketOpts, eso_sndbuf), 4);
SAME(offsetof(EventlogSocketOpts, eso_linger), 8);

SAME(sizeof(EventLogWriter), 32);
SAME(offsetof(EventLogWriter, initEventLogWriter), 0);
SAME(offsetof(EventLogWriter, writeEventLog), 8);
SAME(offsetof(EventLogWriter, flushEventLog), 16);
SAME(offsetof(EventLogWriter, stopEventLogWriter), 24);

SAME(sizeof(EventlogSocketTuning), 32);
SAME(offsetof(EventlogSocketTuning, est_buffer_size), 0);
SAME(offsetof(EventlogSocketTuning, est_overflow), 8);
SAME(offsetof(EventlogSocketTuning, est_block_timeout_ms), 12);
SAME(offsetof(EventlogSocketTuning, est_exit_timeout_ms), 16);
SAME(offsetof(EventlogSocketTuning, est_flush_interval_ms), 20);
SAME(offsetof(EventlogSocketTuning, est_control), 24);

/* Twenty counters of 64 bits, the port, the flag; twenty-seven more. */
SAME(sizeof(EventlogSocketStats), 384);
SAME(offsetof(EventlogSocketStats, est_chunks_sent), 0);
SAME(offsetof(EventlogSocketStats, est_bytes_received), 96);
SAME(offsetof(EventlogSocketStats, est_commands_received), 104);
SAME(offsetof(EventlogSocketStats, est_bytes_garbage), 152);
SAME(offsetof(EventlogSocketStats, est_inet_port), 160);
SAME(offsetof(EventlogSocketStats, est_connected), 162);
SAME(offsetof(EventlogSocketStats, est_sleeps), 168);
SAME(offsetof(EventlogSocketStats, est_clients_displaced), 272);
SAME(offsetof(EventlogSocketStats, est_ring_file_lost), 328);
SAME(offsetof(EventlogSocketStats, est_socket_files_remade), 344);
SAME(offsetof(EventlogSocketStats, est_clients_refused), 360);
SAME(offsetof(EventlogSocketStats, est_flush_ns_total), 376);
