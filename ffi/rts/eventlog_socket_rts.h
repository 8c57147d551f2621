/*
 * eventlog_socket_rts.h - what libeventlog_socket.a and eventlog_socket_rts.c
 * say to each other. Private: programs include eventlog_socket.h only.
 *
 * The library imports no symbol of the RTS. It is handed a table of functions,
 * with those that this RTS lacks as NULL.
 */
#ifndef EVENTLOG_SOCKET_RTS_H
#define EVENTLOG_SOCKET_RTS_H

#include "eventlog_socket.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the RTS told a log file when it started, or would have told. The
 *  library fills the gaps of a log that it joined late with it. Strings are
 *  the RTS's own and live as long as the process. */
typedef struct {
  const char *esf_rts_identifier;
  int esf_argc;
  char **esf_argv;
  uint32_t esf_capabilities;
  /** HEAP_INFO_GHC: bytes, except the number of generations. */
  uint16_t esf_generations;
  uint64_t esf_max_heap_size;
  uint64_t esf_alloc_area_size;
  uint64_t esf_mblock_size;
  uint64_t esf_block_size;
  /** HEAP_PROF_BEGIN: breakdown as in the eventlog, 0 without a heap profile. */
  uint32_t esf_heap_profile_breakdown;
  uint64_t esf_heap_profile_period_ns;
  /** module, closure descr, type descr, cost centre, cost-centre stack,
   *  retainer, biography; NULL where there is none. */
  const char *esf_heap_profile_filters[7];
} EventlogSocketRtsFacts;

typedef void EventlogSocketCostCentre(void *context, uint32_t id,
                                      const char *label, const char *module,
                                      const char *srcloc, bool is_caf);

typedef struct {
  /** Haskell code may run on more than one OS thread. */
  bool esr_threaded;
  /** The program was built to have commands obeyed over TCP, too, if nobody says
   *  otherwise. */
  bool esr_control;
  /** A flush of this RTS leaves the log as it is (GHC 9.2), and can be done by any thread:
   *  it is done by interval, if nobody says otherwise. */
  bool esr_flush_by_default;
  /** The exit hook of this RTS is ours, so that calls into the RTS from a
   *  thread of ours end before the RTS goes away. */
  bool (*esr_exit_hooked)(void);
  /** eventLogStatus() != EVENTLOG_NOT_SUPPORTED. */
  bool (*esr_supports_eventlog)(void);
  /** How many capabilities the RTS has; before it runs, as many as `-N` gives it. At any
   *  time. NULL if that is not known. */
  uint32_t (*esr_capabilities)(void);
  /** What attach would say, as far as that is known before anything is made. On a
   *  thread as for attach. NULL if nothing is. */
  EventlogSocketStatusCode (*esr_can_attach)(void);
  /** End the log that is running, if any, and start one with this writer.
   *  Called on a Haskell thread (safe call), or on the thread that called
   *  hs_init. */
  EventlogSocketStatusCode (*esr_attach)(const EventLogWriter *writer);
  /** Make the RTS hand over every buffer, on a thread as for attach. NULL if
   *  this RTS cannot. */
  void (*esr_flush_here)(void);
  /** The same on any thread. NULL if this RTS cannot. */
  void (*esr_flush)(void);
  /** Have the RTS not flush by its own interval (--eventlog-flush-interval) any more; that
   *  interval in nanoseconds, 0 for none. On any thread, until the exit hook has returned.
   *  NULL if this RTS has none. */
  uint64_t (*esr_take_flushes)(void);
  /** Have it do so again, if that was taken from it. NULL as above. */
  void (*esr_give_back_flushes)(void);
  /** The major collection that makes a census which was asked for, on any thread.
   *  NULL if this RTS cannot. */
  void (*esr_make_census)(void);
  /** What a command of this number asks for: 1 to 5 of the namespace
   *  "eventlog-socket", 6 to 19 of "eventlog-socket-rts". On any thread, at any
   *  time: they store to variables of the RTS, which live as long as the process.
   *  False if this RTS, or this program as it was built and started, cannot. */
  bool (*esr_command)(uint8_t command);
  void (*esr_facts)(EventlogSocketRtsFacts *facts);
  void (*esr_cost_centres)(EventlogSocketCostCentre *each, void *context);
  /** What a thread of the library's begins with that calls handlers: make every call
   *  that eventlog_socket_rts_next_call says, until that returns false. With nothing
   *  but C on the stack, as the RTS ends a thread that is in Haskell when it shuts
   *  down by pthread_exit. NULL: the library makes them itself. */
  void *(*esr_call_handlers)(void *thread);
  /** The program runs without +RTS -l: no event class is on. Called when the RTS runs.
   *  NULL: it logs. */
  bool (*esr_logs_nothing)(void);
} EventlogSocketRts;

/** Called before main, by a constructor. */
void eventlog_socket_rts_register(const EventlogSocketRts *rts);

/** Called by the exit hook, before the RTS begins to shut down. Has the hooks of
 *  the program called; returns when no thread of ours is inside the RTS (or seems
 *  stuck there). */
void eventlog_socket_rts_exiting(void);

/** eventlog_socket_wait for at most this many milliseconds, for a caller who looks for
 *  something else in between. *seen is 0 in the first call of a row, and kept for the
 *  next. ERR_SYS with ETIMEDOUT if nobody came. */
EventlogSocketStatus eventlog_socket_rts_wait(uint64_t *seen, uint32_t milliseconds);

/** A handler that is due, and what it is called with: one of a hook with its data, one of
 *  a command (it has a namespace) with all of it. */
typedef struct {
  void (*esc_handler)(void);
  const void *esc_data;
  EventlogSocketControlNamespace *esc_namespace;
  EventlogSocketControlCommandId esc_command;
} EventlogSocketRtsCall;

/** No thread of the library's may enter this RTS, as nobody tells when it exits; a thread
 *  of the program's may, and is expected to from then on. */
bool eventlog_socket_rts_needs_thread(void);

/** For that thread: wait for the next handler to call, the last one having returned. */
void eventlog_socket_rts_next(EventlogSocketRtsCall *call);

/** Wait for the next handler that is to be called, and fill it in; the one before has
 *  returned. False: the thread is to end. */
bool eventlog_socket_rts_next_call(void *thread, EventlogSocketRtsCall *call);

/** The log that runs is ours. */
bool eventlog_socket_rts_attached(void);

/** Around an endEventLogging and startEventLogging with the writer that is
 *  attached already: what the RTS writes between them is neither an end nor a start. */
void eventlog_socket_rts_restarting(bool begin);

#ifdef __cplusplus
}
#endif

#endif
