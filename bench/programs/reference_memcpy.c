/* The minimum for a writer: copy the chunk into 16 MiB that are used as a circle, without
 * any synchronisation with a reader. */
#include "eventlog_socket.h"

#include <stdatomic.h>
#include <string.h>

enum { AREA = 16 << 20 };

static _Alignas(64) unsigned char area[AREA];
static atomic_size_t claimed = 0;

static void nothing(void) {}

static bool copy(void *chunk, size_t size) {
  size_t at = atomic_fetch_add_explicit(&claimed, size, memory_order_relaxed) % AREA;
  if (at + size > AREA) at = 0;
  memcpy(area + at, chunk, size);
  return true;
}

const EventLogWriter EventLogSocketWriter = {nothing, copy, nothing, nothing};

static const EventlogSocketStatus ok = {EVENTLOG_SOCKET_OK, 0};

EventlogSocketStatus eventlog_socket_init(const EventlogSocketAddr *address,
                                          const EventlogSocketOpts *opts) {
  (void)address, (void)opts;
  memset(area, 1, AREA);
  return ok;
}

EventlogSocketStatus eventlog_socket_signal_ghc_rts_ready(void) { return ok; }
EventlogSocketStatus eventlog_socket_wait(void) { return ok; }
