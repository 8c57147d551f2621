/*
 * eventlog_socket_hs.c - eventlog_socket.h for GHC's foreign function interface.
 *
 * The foreign function interface cannot pass or return structs and unions. Here
 * they are numbers, strings and arrays of them. A status is two ints, code and
 * error. Only GHC.Eventlog.Socket.Internal.Foreign calls these functions.
 */
#include "eventlog_socket.h"
#include "eventlog_socket_rts.h"

#include <stddef.h>

static void put_status(EventlogSocketStatus status, int out[2]) {
  out[0] = (int)status.ess_status_code;
  out[1] = status.ess_error_code;
}

/* The path, or host and port. */
static EventlogSocketAddr make_addr(int tag, char *first, char *second) {
  EventlogSocketAddr addr;
  if (tag == EVENTLOG_SOCKET_UNIX) {
    addr.esa_tag = EVENTLOG_SOCKET_UNIX;
    addr.esa_unix_addr.esa_unix_path = first;
  } else if (tag == EVENTLOG_SOCKET_NONE) {
    addr.esa_tag = EVENTLOG_SOCKET_NONE;
  } else {
    addr.esa_tag = EVENTLOG_SOCKET_INET;
    addr.esa_inet_addr.esa_inet_host = first;
    addr.esa_inet_addr.esa_inet_port = second;
  }
  return addr;
}

static void put_opts(const EventlogSocketOpts *opts, int out[3]) {
  out[0] = opts->eso_wait ? 1 : 0;
  out[1] = opts->eso_sndbuf;
  out[2] = opts->eso_linger;
}

char *eventlog_socket_hs_strerror(int code, int error) {
  EventlogSocketStatus status = {(EventlogSocketStatusCode)code, error};
  return eventlog_socket_strerror(status);
}

/* ------------------------------------------------- address, options, start -- */

void eventlog_socket_hs_opts_defaults(int opts_out[3]) {
  EventlogSocketOpts opts;
  eventlog_socket_opts_init(&opts);
  put_opts(&opts, opts_out);
}

void eventlog_socket_hs_start(int tag, char *first, char *second,
                              const int opts_in[3], int status_out[2]) {
  EventlogSocketAddr addr = make_addr(tag, first, second);
  EventlogSocketOpts opts;
  eventlog_socket_opts_init(&opts);
  opts.eso_wait = opts_in[0] != 0;
  opts.eso_sndbuf = opts_in[1];
  opts.eso_linger = opts_in[2];
  put_status(eventlog_socket_start(&addr, &opts), status_out);
}

/* The strings are freed with eventlog_socket_hs_addr_free; NULL if there are
 * none. */
void eventlog_socket_hs_from_env(int *tag_out, char *strings_out[2],
                                 int opts_out[3], int status_out[2]) {
  EventlogSocketAddr addr = make_addr(EVENTLOG_SOCKET_INET, NULL, NULL);
  EventlogSocketOpts opts;
  eventlog_socket_opts_init(&opts);
  put_status(eventlog_socket_from_env(&addr, &opts), status_out);
  put_opts(&opts, opts_out);
  *tag_out = (int)addr.esa_tag;
  if (addr.esa_tag == EVENTLOG_SOCKET_UNIX) {
    strings_out[0] = addr.esa_unix_addr.esa_unix_path;
    strings_out[1] = NULL;
  } else if (addr.esa_tag == EVENTLOG_SOCKET_NONE) {
    strings_out[0] = NULL;
    strings_out[1] = NULL;
  } else {
    strings_out[0] = addr.esa_inet_addr.esa_inet_host;
    strings_out[1] = addr.esa_inet_addr.esa_inet_port;
  }
}

void eventlog_socket_hs_addr_free(int tag, char *strings[2]) {
  EventlogSocketAddr addr = make_addr(tag, strings[0], strings[1]);
  eventlog_socket_addr_free(&addr);
}

void eventlog_socket_hs_wait(uint64_t *seen, uint32_t milliseconds,
                             int status_out[2]) {
  put_status(eventlog_socket_rts_wait(seen, milliseconds), status_out);
}

void eventlog_socket_hs_worker_status(int status_out[2]) {
  put_status(eventlog_socket_worker_status(), status_out);
}

void eventlog_socket_hs_control_status(int status_out[2]) {
  put_status(eventlog_socket_control_status(), status_out);
}

/* ------------------------------------------------------- hooks and commands -- */

void eventlog_socket_hs_register_hook(uint32_t hook,
                                      EventlogSocketHookHandler *handler,
                                      const void *data, int status_out[2]) {
  put_status(
      eventlog_socket_register_hook((EventlogSocketHook)hook, handler, data),
      status_out);
}

void eventlog_socket_hs_register_namespace(
    uint8_t length, const char *name, EventlogSocketControlNamespace **space_out,
    int status_out[2]) {
  put_status(
      eventlog_socket_control_register_namespace(length, name, space_out),
      status_out);
}

void eventlog_socket_hs_register_command(
    EventlogSocketControlNamespace *space, uint8_t command,
    EventlogSocketControlCommandHandler *handler, const void *data,
    int status_out[2]) {
  put_status(
      eventlog_socket_control_register_command(space, command, handler, data),
      status_out);
}

int eventlog_socket_hs_needs_thread(void) {
  return eventlog_socket_rts_needs_thread() ? 1 : 0;
}

void eventlog_socket_hs_next(void *out[4]) {
  EventlogSocketRtsCall call = {0};
  eventlog_socket_rts_next(&call);
  out[0] = (void *)call.esc_handler;
  out[1] = (void *)call.esc_data;
  out[2] = call.esc_namespace;
  out[3] = (void *)(uintptr_t)call.esc_command;
}

/* --------------------------------------------------- tuning and statistics -- */

/* In the order of EventlogSocketTuning's members. */
void eventlog_socket_hs_tuning_defaults(uint64_t out[6]) {
  EventlogSocketTuning tuning;
  eventlog_socket_tuning_init(&tuning);
  out[0] = tuning.est_buffer_size;
  out[1] = (uint64_t)tuning.est_overflow;
  out[2] = tuning.est_block_timeout_ms;
  out[3] = tuning.est_exit_timeout_ms;
  out[4] = tuning.est_flush_interval_ms;
  out[5] = (uint64_t)tuning.est_control;
}

void eventlog_socket_hs_set_tuning(const uint64_t in[6], int status_out[2]) {
  EventlogSocketTuning tuning;
  eventlog_socket_tuning_init(&tuning);
  tuning.est_buffer_size = in[0];
  tuning.est_overflow = (EventlogSocketOverflow)in[1];
  tuning.est_block_timeout_ms = (uint32_t)in[2];
  tuning.est_exit_timeout_ms = (uint32_t)in[3];
  tuning.est_flush_interval_ms = (uint32_t)in[4];
  tuning.est_control = (EventlogSocketControl)in[5];
  put_status(eventlog_socket_set_tuning(&tuning), status_out);
}

void eventlog_socket_hs_set_ring_file(const char *path, uint64_t size,
                                      int status_out[2]) {
  put_status(eventlog_socket_set_ring_file(path, size), status_out);
}

/* In the order of EventlogSocketStats' members. */
void eventlog_socket_hs_stats(uint64_t out[49], int status_out[2]) {
  EventlogSocketStats stats = {0};
  put_status(eventlog_socket_stats(&stats, sizeof stats), status_out);
  const uint64_t values[49] = {
      stats.est_chunks_sent,      stats.est_bytes_sent,
      stats.est_chunks_lost,      stats.est_bytes_lost,
      stats.est_chunks_discarded, stats.est_bytes_discarded,
      stats.est_ring_size,        stats.est_ring_high_water,
      stats.est_definition_bytes, stats.est_connections,
      stats.est_wakeups,          stats.est_flushes,
      stats.est_bytes_received,   stats.est_commands_received,
      stats.est_commands_run,     stats.est_commands_unknown,
      stats.est_commands_refused, stats.est_commands_denied,
      stats.est_commands_dropped, stats.est_bytes_garbage,
      stats.est_inet_port,        stats.est_connected ? 1 : 0,
      stats.est_sleeps, stats.est_calls_interrupted,
      stats.est_sends_partial, stats.est_sends_full,
      stats.est_sends_deferred, stats.est_accepts_aborted,
      stats.est_accepts_deferred, stats.est_polls_failed,
      stats.est_wakeups_pending, stats.est_wakeups_failed,
      stats.est_options_failed, stats.est_clients_broken,
      stats.est_clients_half_closed, stats.est_clients_displaced,
      stats.est_ring_file_size,
      stats.est_ring_file_chunks_overwritten,
      stats.est_ring_file_bytes_overwritten,
      stats.est_ring_file_chunks_refused,
      stats.est_ring_file_bytes_refused,
      stats.est_ring_file_definitions_left_out,
      stats.est_ring_file_lost,
      stats.est_socket_files_removed, stats.est_socket_files_remade,
      stats.est_definitions_left_out, stats.est_clients_refused,
      stats.est_flush_ns_longest, stats.est_flush_ns_total,
  };
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) out[i] = values[i];
}
