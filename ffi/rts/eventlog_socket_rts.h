/*
 * eventlog_socket_rts.h - the interface between libeventlog_socket.a and
 * eventlog_socket_rts.c. Private: programs include eventlog_socket.h only.
 *
 * The library imports no symbol of the RTS. It is given a table of functions, in
 * which those that this RTS lacks are NULL.
 */
#ifndef EVENTLOG_SOCKET_RTS_H
#define EVENTLOG_SOCKET_RTS_H

#include "eventlog_socket.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the RTS writes into a log file when it starts. The library uses it to
 *  complete a log that it has joined late. Strings belong to the RTS and are valid
 *  until the process ends. */
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
  /** The program was built so that commands are run over TCP, too, unless the environment
   *  or the program says otherwise. */
  bool esr_control;
  /** A flush of this RTS does not end the log (GHC 9.2), and any thread can do it: it is
   *  done at an interval, unless the environment or the program says otherwise. */
  bool esr_flush_by_default;
  /** The exit hook of this RTS is ours, so that calls into the RTS from a
   *  thread of ours end before the RTS goes away. */
  bool (*esr_exit_hooked)(void);
  /** eventLogStatus() != EVENTLOG_NOT_SUPPORTED. */
  bool (*esr_supports_eventlog)(void);
  /** How many capabilities the RTS has; before it runs, as many as `-N` gives it. May be
   *  called at any time. NULL if that is not known. */
  uint32_t (*esr_capabilities)(void);
  /** What attach would return, as far as that is known before anything is started. On a
   *  thread as for attach. NULL if nothing is known. */
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
  /** Stop the RTS from flushing at its own interval (--eventlog-flush-interval); returns
   *  that interval in nanoseconds, 0 for none. On any thread, until the exit hook has
   *  returned. NULL if this RTS has no such interval. */
  uint64_t (*esr_take_flushes)(void);
  /** Make the RTS flush at its own interval again, if that was stopped. NULL as above. */
  void (*esr_give_back_flushes)(void);
  /** Perform the major collection that makes a requested census, on any thread.
   *  NULL if this RTS cannot. */
  void (*esr_make_census)(void);
  /** Run the command of this number: 1 to 5 of the namespace "eventlog-socket", 6 to 19 of
   *  "eventlog-socket-rts". On any thread, at any time: commands store to variables of the
   *  RTS, which are valid until the process ends. False if this RTS, or this program as it
   *  was built and started, cannot run it. */
  bool (*esr_command)(uint8_t command);
  void (*esr_facts)(EventlogSocketRtsFacts *facts);
  void (*esr_cost_centres)(EventlogSocketCostCentre *each, void *context);
  /** The start function of the library's thread that calls handlers: make every call that
   *  eventlog_socket_rts_next_call returns, until that returns false. The stack must contain
   *  only C frames, because the RTS calls pthread_exit on a thread that is in Haskell when
   *  it shuts down. NULL: the library makes the calls itself. */
  void *(*esr_call_handlers)(void *thread);
  /** The program runs without +RTS -l: no event class is on. Called while the RTS runs.
   *  NULL: assume that it logs. */
  bool (*esr_logs_nothing)(void);
} EventlogSocketRts;

/** Called before main, by a constructor. */
void eventlog_socket_rts_register(const EventlogSocketRts *rts);

/** Called by the exit hook, before the RTS begins to shut down. Calls the hooks of the
 *  program, and returns when no thread of ours is inside the RTS any more, or after a
 *  time limit. */
void eventlog_socket_rts_exiting(void);

/** eventlog_socket_wait for at most this many milliseconds, for a caller that checks for
 *  something else in between. *seen is 0 in the first of a series of calls; each call
 *  stores the value for the next. ERR_SYS with ETIMEDOUT if no client has connected. */
EventlogSocketStatus eventlog_socket_rts_wait(uint64_t *seen, uint32_t milliseconds);

/** A handler that is due, and its arguments: the handler of a hook gets its data, that of
 *  a command (esc_namespace is not NULL) gets all three. */
typedef struct {
  void (*esc_handler)(void);
  const void *esc_data;
  EventlogSocketControlNamespace *esc_namespace;
  EventlogSocketControlCommandId esc_command;
} EventlogSocketRtsCall;

/** Whether no thread of the library may enter this RTS, because its exit cannot be hooked;
 *  a thread of the program may, and must call eventlog_socket_rts_next from then on. */
bool eventlog_socket_rts_needs_thread(void);

/** For that thread: wait for the next handler to call. The previous one has returned. */
void eventlog_socket_rts_next(EventlogSocketRtsCall *call);

/** Wait for the next handler to call, and fill it in; the previous one has returned.
 *  False: the thread must end. */
bool eventlog_socket_rts_next_call(void *thread, EventlogSocketRtsCall *call);

/** Whether the log that runs is ours. */
bool eventlog_socket_rts_attached(void);

/** Called before and after an endEventLogging and startEventLogging with the writer that
 *  is attached already: what the RTS writes between them is neither an end nor a start. */
void eventlog_socket_rts_restarting(bool begin);

#ifdef __cplusplus
}
#endif

#endif
