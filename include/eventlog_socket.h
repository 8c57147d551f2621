/*
 * eventlog_socket.h - stream the live eventlog of a GHC program over a socket.
 *
 * The library is libeventlog_socket.a, or libeventlog_socket.so. A GHC program
 * also links eventlog_socket_rts.c, compiled by the program's own ghc: that one
 * file holds everything that depends on the version of GHC's runtime (RTS).
 * A plain C program needs only the library.
 *
 * Conventions
 *   Thread safety  every function may be called from any thread, unless its
 *                  comment says otherwise.
 *   Ownership      strings and structs that are passed in remain the caller's;
 *                  no reference to them is kept after the call returns.
 *   Errors         are returned as an EventlogSocketStatus. Nothing is printed,
 *                  except by eventlog_socket_wrap_hs_main, which reports on stderr
 *                  that it could not start streaming.
 *   Cancellation   a thread that is cancelled (pthread_cancel) inside a function is
 *                  cancelled after it.
 *   Copies         two copies of the library in one process, for instance one in the
 *                  program and one in a plugin, share no state. Start only one.
 *   Unloading      threads and exit handlers remain when the log has ended. The shared
 *                  library cannot be unloaded; a plugin that contains the archive must
 *                  not be unloaded after a start: link it with -Wl,-z,nodelete.
 *   Sanitizers     ThreadSanitizer does not see how the library synchronises, because
 *                  the library is not instrumented: it reports data that one thread of
 *                  the library passes to another, and data that handlers read through
 *                  hook_data and command_data, as races. Build the library with the
 *                  sanitizer for such a host (scripts/sanitize does), or suppress those
 *                  reports.
 *   FFI            from Haskell, import every function as a `safe` call: most
 *                  of them wait, and some call back into the RTS.
 */
#ifndef EVENTLOG_SOCKET_H
#define EVENTLOG_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* If GHC's headers are found (in any compilation by ghc), its types are used.
 * Define EVENTLOG_SOCKET_NO_RTS to do without them. */
#if !defined(EVENTLOG_SOCKET_NO_RTS) && defined(__has_include)
#if __has_include(<Rts.h>)
#include <Rts.h>
#include <rts/EventLogWriter.h>
#define EVENTLOG_SOCKET_HAVE_RTS 1
#endif
#endif

#ifndef EVENTLOG_SOCKET_HAVE_RTS
/* The same four pointers as in GHC's rts/EventLogWriter.h (9.0 to 9.14). */
typedef struct {
  void (*initEventLogWriter)(void);
  bool (*writeEventLog)(void *eventlog, size_t eventlog_size);
  void (*flushEventLog)(void);
  void (*stopEventLogWriter)(void);
} EventLogWriter;
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- status -- */

typedef enum {
  /** Success. */
  EVENTLOG_SOCKET_OK = 0,
  /** The RTS cannot log events, or the program does not link
   *  eventlog_socket_rts.c, or this RTS offers no safe way to attach. */
  EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT = 1,
  /** The RTS refused to start event logging with our writer. */
  EVENTLOG_SOCKET_ERR_RTS_FAIL = 2,
  /** No address in the environment. */
  EVENTLOG_SOCKET_ERR_ENV_NOADDR = 3,
  /** GHC_EVENTLOG_UNIX_PATH is longer than a Unix socket address can be. */
  EVENTLOG_SOCKET_ERR_ENV_TOOLONG = 4,
  /** GHC_EVENTLOG_INET_PORT is set but GHC_EVENTLOG_INET_HOST is not. */
  EVENTLOG_SOCKET_ERR_ENV_NOHOST = 5,
  /** GHC_EVENTLOG_INET_HOST is set but GHC_EVENTLOG_INET_PORT is not. */
  EVENTLOG_SOCKET_ERR_ENV_NOPORT = 6,
  /** A program needs the -threaded RTS to register commands, and this one lacks it. */
  EVENTLOG_SOCKET_ERR_CTL_NOSUPPORT = 7,
  /** A namespace of this name, or a command of this number in it, exists already. */
  EVENTLOG_SOCKET_ERR_CTL_EXISTS = 8,
  /** getaddrinfo failed; ess_error_code is its EAI_* value. */
  EVENTLOG_SOCKET_ERR_GAI = 9,
  /** A system call failed; ess_error_code is errno. */
  EVENTLOG_SOCKET_ERR_SYS = 10,
  /** An environment variable has a value that cannot be used.
   *  eventlog_socket_strerror names the variable and the value. */
  EVENTLOG_SOCKET_ERR_ENV_INVALID = 11,
  /** The ring file cannot be created; ess_error_code is errno. EBUSY: another process
   *  records into it. EEXIST: the file that exists is not a ring file. EPERM: it belongs to
   *  another user, in a directory where others may write. eventlog_socket_strerror names
   *  the file. */
  EVENTLOG_SOCKET_ERR_RING_FILE = 12
} EventlogSocketStatusCode;

typedef struct {
  EventlogSocketStatusCode ess_status_code;
  /** errno for ERR_SYS and ERR_RING_FILE, EAI_* for ERR_GAI, the variable for ERR_ENV_INVALID,
   *  otherwise 0. */
  int ess_error_code;
} EventlogSocketStatus;

/** The status as text. The caller frees the string with free(). NULL only if
 *  memory is exhausted. */
char *eventlog_socket_strerror(EventlogSocketStatus status);

/* --------------------------------------------------- address and options -- */

typedef enum {
  EVENTLOG_SOCKET_UNIX = 0,
  EVENTLOG_SOCKET_INET = 1,
  /** No socket: for a program that only has a ring file. */
  EVENTLOG_SOCKET_NONE = 2
} EventlogSocketTag;

typedef struct {
  /** At most 107 bytes (Linux). */
  char *esa_unix_path;
} EventlogSocketUnixAddr;

typedef struct {
  /** Name or numeric address; NULL or "" listens on every interface. */
  char *esa_inet_host;
  /** Port number or service name; "0" lets the system choose (the choice is in
   *  EventlogSocketStats). */
  char *esa_inet_port;
} EventlogSocketInetAddr;

typedef struct {
  /** Wait for a client before continuing. Used by eventlog_socket_start and
   *  eventlog_socket_wrap_hs_main. Default false. */
  bool eso_wait;
  /** SO_SNDBUF of the client's socket in bytes, if the system allows it; <= 0 is 1 MiB
   *  for a Unix socket, and the system's choice for TCP. */
  int eso_sndbuf;
  /** SO_LINGER of the client's socket, in seconds, for the close that ends a
   *  complete stream; <= 0 leaves the system's. */
  int eso_linger;
} EventlogSocketOpts;

typedef struct {
  EventlogSocketTag esa_tag;
  /* Anonymous, so that the members are accessed directly; an extension in C99. */
#if defined(__GNUC__)
  __extension__
#endif
  union {
    EventlogSocketUnixAddr esa_unix_addr;
    EventlogSocketInetAddr esa_inet_addr;
  };
} EventlogSocketAddr;

/** Free the strings of an address that eventlog_socket_from_env filled in, and
 *  set them to NULL. NULL is allowed. */
void eventlog_socket_addr_free(EventlogSocketAddr *eventlog_socket_addr);

/** Fill in the defaults. NULL is allowed. */
void eventlog_socket_opts_init(EventlogSocketOpts *eventlog_socket_opts);

/** Free what the options own (at present nothing). NULL is allowed. */
void eventlog_socket_opts_free(EventlogSocketOpts *eventlog_socket_opts);

/* ----------------------------------------------------------- environment -- */

/** Path of the Unix socket. Overrides host and port. In it, and in RING_FILE and PORT_FILE
 *  (in values of these variables, not in paths that a program passes itself), %p is the
 *  process id, %n the name of the executable, %h the name of the host (`/` and a leading dot
 *  of either become `_`), %% a percent sign; any other % is kept. The limit on the length of
 *  the path applies to the result. */
#define EVENTLOG_SOCKET_ENV_UNIX_PATH "GHC_EVENTLOG_UNIX_PATH"
/** Host and port of the TCP socket. Both are needed. With port 0 the system chooses. */
#define EVENTLOG_SOCKET_ENV_INET_HOST "GHC_EVENTLOG_INET_HOST"
#define EVENTLOG_SOCKET_ENV_INET_PORT "GHC_EVENTLOG_INET_PORT"
/** If set, to any value: wait for a client before continuing. */
#define EVENTLOG_SOCKET_ENV_WAIT "GHC_EVENTLOG_WAIT"

/* The following are read by eventlog_socket_init and _start, wherever the address is
 * from. They override what the program sets itself. */

/** Size of the ring: bytes, or with a suffix K, M, G (powers of 1024). Rounded
 *  up to a power of two; from 64K to 4G. Default: room for all buffers of the RTS at once,
 *  (capabilities + 1) * 2M, but at least 16M and at most 256M; before the RTS runs, the
 *  number of processors is used for that of capabilities. */
#define EVENTLOG_SOCKET_ENV_BUFFER_SIZE "GHC_EVENTLOG_BUFFER_SIZE"
/** What happens to a chunk that does not fit: `drop`, `block`, or
 *  `block:TIMEOUT`. Default drop. */
#define EVENTLOG_SOCKET_ENV_OVERFLOW "GHC_EVENTLOG_OVERFLOW"
/** How long the exit of the program may wait for the client to read the rest:
 *  `2s`, `250ms`, `0`. Default 2s. With a ring file up to 2s more, if the disk does not
 *  accept definitions. */
#define EVENTLOG_SOCKET_ENV_EXIT_TIMEOUT "GHC_EVENTLOG_EXIT_TIMEOUT"
/** While a client is connected, or a ring file is written, flush the RTS's buffers
 *  this often: `1s`, `100ms`; `0` never. Default 1s; 0 with GHC 9.0, which flushes by
 *  ending the log, and without -threaded. A flush stops the program: after one that took a
 *  time t there is none for 100 t (10 t if a client has connected since; a command that asks
 *  for a flush does not wait). If the program has --eventlog-flush-interval, the library
 *  flushes instead of the RTS meanwhile, at the shorter of the two intervals. */
#define EVENTLOG_SOCKET_ENV_FLUSH_INTERVAL "GHC_EVENTLOG_FLUSH_INTERVAL"
/** How long a client that reads nothing although there is data for it stays connected when
 *  another client waits to be served: `30s`; `0` forever. Default 30s. */
#define EVENTLOG_SOCKET_ENV_STALL_TIMEOUT "GHC_EVENTLOG_STALL_TIMEOUT"
/** SO_SNDBUF of the client's socket: bytes, or with a suffix K, M, G. */
#define EVENTLOG_SOCKET_ENV_SNDBUF "GHC_EVENTLOG_SNDBUF"
/** Which commands are run: `on` those of every client, `off` none. Unset: those of
 *  clients of a Unix socket. Over a Unix socket, only this process's own user (and
 *  root) can ever send commands. */
#define EVENTLOG_SOCKET_ENV_CONTROL "GHC_EVENTLOG_CONTROL"

/** Path of a file that contains the port of the TCP socket, digits and a newline, while the
 *  program listens. It is complete before eventlog_socket_init returns. A file with other
 *  content, or of another user in a directory where others may write, is not changed, and
 *  init fails (ERR_SYS). */
#define EVENTLOG_SOCKET_ENV_PORT_FILE "GHC_EVENTLOG_PORT_FILE"

/** Path of a ring file: the newest chunks, which survive the program however it ends.
 *  `eventlog recover` reads them. */
#define EVENTLOG_SOCKET_ENV_RING_FILE "GHC_EVENTLOG_RING_FILE"
/** Bytes of chunks that the ring file holds, in the form of BUFFER_SIZE; from 1M to 4G.
 *  Default 64M. On the disk it takes an eighth and 2M more; the apparent size of the file
 *  includes 64M for tables, which take room only when they are used. The RTS hands over up
 *  to 2M at once: less than 8M is for tests. */
#define EVENTLOG_SOCKET_ENV_RING_FILE_SIZE "GHC_EVENTLOG_RING_FILE_SIZE"

/** Read address and options from the environment.
 *
 *  If it names a ring file and no address, the address is EVENTLOG_SOCKET_NONE.
 *
 *  A program that has more rights than the user who started it (setuid, setgid, file
 *  capabilities) ignores the environment, as if none of these variables were set.
 *
 *  Not thread-safe against setenv. addr_out must not be NULL (ERR_SYS, EINVAL);
 *  opts_out may be. On OK, ERR_ENV_TOOLONG, ERR_ENV_NOHOST and ERR_ENV_NOPORT the
 *  address is filled in and must be freed with eventlog_socket_addr_free (missing
 *  parts are empty strings); on ERR_ENV_NOADDR, and on ERR_SYS, which is ENOMEM, nothing
 *  is written. */
EventlogSocketStatus
eventlog_socket_from_env(EventlogSocketAddr *eventlog_socket_addr_out,
                         EventlogSocketOpts *eventlog_socket_opts_out);

/* ---------------------------------------------------------------- tuning -- */

typedef enum {
  /** Drop the newest whole chunk; the program never waits. */
  EVENTLOG_SOCKET_OVERFLOW_DROP = 0,
  /** Wait for a connected client to make room. This stops the whole program,
   *  with all its capabilities, at the next garbage collection at the latest. */
  EVENTLOG_SOCKET_OVERFLOW_BLOCK = 1
} EventlogSocketOverflow;

/** Which commands are run; see EVENTLOG_SOCKET_ENV_CONTROL. */
typedef enum {
  EVENTLOG_SOCKET_CONTROL_UNIX = 0,
  EVENTLOG_SOCKET_CONTROL_ON = 1,
  EVENTLOG_SOCKET_CONTROL_OFF = 2
} EventlogSocketControl;

/** The values of the environment variables above, for programs that set them
 *  themselves. */
typedef struct {
  /** Bytes; see EVENTLOG_SOCKET_ENV_BUFFER_SIZE. */
  uint64_t est_buffer_size;
  EventlogSocketOverflow est_overflow;
  /** With OVERFLOW_BLOCK: milliseconds until the chunk is dropped; 0 waits for as
   *  long as the client stays connected. */
  uint32_t est_block_timeout_ms;
  /** Milliseconds. */
  uint32_t est_exit_timeout_ms;
  /** Milliseconds; 0 never flushes. See EVENTLOG_SOCKET_ENV_FLUSH_INTERVAL. */
  uint32_t est_flush_interval_ms;
  EventlogSocketControl est_control;
} EventlogSocketTuning;

/** Fill in the defaults. NULL is allowed. */
void eventlog_socket_tuning_init(EventlogSocketTuning *tuning);

/** Use this tuning in the next eventlog_socket_init or _start. ERR_SYS with
 *  EINVAL for NULL or a value out of range, EALREADY after init. */
EventlogSocketStatus
eventlog_socket_set_tuning(const EventlogSocketTuning *tuning);

/** Record into a ring file, from the next eventlog_socket_init or _start on: the newest
 *  `size` bytes of chunks (rounded up to a power of two, from 1M to 4G; 0 is 64M). The
 *  environment overrides path and size separately. NULL or "" records nothing. `path` is
 *  copied; a relative one is relative to the working directory at the time of the init.
 *
 *  The file that an ended process has left at `path` is kept as `path`.1. The file is
 *  created with mode 0600, and all its room is allocated on the disk.
 *  ERR_SYS with EINVAL for a size out of range, EALREADY after init, EOPNOTSUPP in a forked
 *  child, except in a child of forkProcess. */
EventlogSocketStatus eventlog_socket_set_ring_file(const char *path,
                                                   uint64_t size);

/* ----------------------------------------------------------------- start -- */

/** The writer to pass to the RTS (RtsConfig.eventlog_writer, or
 *  startEventLogging), after eventlog_socket_init. Before init, everything
 *  written is discarded. */
extern const EventLogWriter EventLogSocketWriter;

/** Open the socket and start the poll thread. For programs with a C main: the
 *  RTS need not be running. At most once in a process. eso_wait is ignored.
 *
 *  On return clients can connect. Everything written from now on is kept for
 *  the first client; when the ring is full, newer chunks are dropped.
 *
 *  opts may be NULL (defaults).
 *  ERR_SYS: EALREADY (started before; if that failed in the RTS, its error instead), EINVAL
 *  (bad argument, or EVENTLOG_SOCKET_NONE and no ring file), ENAMETOOLONG, ENOENT (a
 *  directory is missing; directories are created, with mode 0700, below one that is ours, and
 *  stay), EADDRINUSE (another process listens there, or the file belongs to another user in a
 *  directory that others may write to; eventlog_socket_strerror names it), ENOTSOCK (the path
 *  exists and is not a socket; it is not changed), EOPNOTSUPP (in a forked child, except in a
 *  child of forkProcess, which may start by itself), and the errors of socket, bind and
 *  listen. ERR_GAI (EAI_SERVICE: not a port). ERR_ENV_INVALID. ERR_RING_FILE.
 *  eventlog_socket_strerror names the path, host or port that is the cause, and its variable.
 *  After an error nothing but directories is left behind, and init may be called again. */
EventlogSocketStatus
eventlog_socket_init(const EventlogSocketAddr *eventlog_socket_addr,
                     const EventlogSocketOpts *eventlog_socket_opts);

/** Signal that the RTS is running (after hs_init). Attaches the writer if the RTS
 *  does not have it yet, makes the RTS hand over its definitions, and starts the
 *  streams of clients. Needed once after eventlog_socket_init; later calls wait for
 *  the first one, return its status, and do nothing else.
 *  In the non-threaded RTS, call it on the thread that called hs_init. */
EventlogSocketStatus eventlog_socket_signal_ghc_rts_ready(void);

/** Wait until a client is connected and its stream has begun: everything that is
 *  logged after the return is part of it. ERR_SYS with ENOTCONN if nothing was
 *  started, or without a socket; the status of the start, or of the poll thread, if that
 *  has failed. */
EventlogSocketStatus eventlog_socket_wait(void);

/** The whole start for a running RTS (from Haskell): init, then attach, then, if
 *  eso_wait is set, wait. The errors of init, ERR_RTS_NOSUPPORT, ERR_RTS_FAIL. */
EventlogSocketStatus
eventlog_socket_start(const EventlogSocketAddr *eventlog_socket_addr,
                      const EventlogSocketOpts *eventlog_socket_opts);

/** OK, or why nothing is streamed: the error that stopped the poll thread, or made
 *  eventlog_socket_signal_ghc_rts_ready fail. */
EventlogSocketStatus eventlog_socket_worker_status(void);

#ifdef EVENTLOG_SOCKET_HAVE_RTS
/** A whole C main: init, hs_init with our writer and exit hook, ready, wait if
 *  eso_wait is set, run the closure, exit. Does not return. If init fails, it
 *  reports that on stderr and runs the program without streaming. */
void eventlog_socket_wrap_hs_main(
    int argc, char *argv[], RtsConfig rts_config, StgClosure *main_closure,
    const EventlogSocketAddr *eventlog_socket_addr,
    const EventlogSocketOpts *eventlog_socket_opts);
#endif

/* ----------------------------------------------------------------- hooks -- */

/* Handlers, of hooks and of commands, are called one at a time, on a thread of the
 * library, which is neither the one that serves clients nor the one that flushes: a
 * handler that takes long delays other handlers and commands, and nothing else,
 * except for eventlog_socket_signal_ghc_rts_ready and _start, which wait for the hooks
 * of the log that begins. No lock is held. A handler may enter Haskell, call
 * flushEventLog, and call every function of this header. It must return, and no
 * exception may escape from Haskell code in it. When the program exits, a handler that
 * is still running gets two seconds; if it is in Haskell then, the RTS prints
 * `interrupted` on stderr.
 *
 * If the exit cannot be hooked (docs/environment.md), no thread of the library may safely
 * enter the RTS: if the program uses the Haskell package, a Haskell thread calls the
 * handlers. Otherwise, and without -threaded, where no other thread may enter the RTS,
 * hooks are called by eventlog_socket_signal_ghc_rts_ready (or _start), and by the exit
 * if that can be hooked, on their thread, and not when clients connect and disconnect;
 * commands that the program registers are refused. */

typedef enum {
  /** A log has begun: when the RTS is ready, for the first client; then for each
   *  later one, when it has connected. What the handler logs reaches that client.
   *  A handler that is registered while a log runs is called for it at once. */
  EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING = 0,
  /** The log ends: its client has gone, or the program is about to exit (what is
   *  logged then still reaches the client). If other code ends the log with
   *  endEventLogging, this is called afterwards. Not called at the exit of a program
   *  whose exit cannot be hooked (docs/environment.md). */
  EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING = 1
} EventlogSocketHook;

typedef void EventlogSocketHookHandler(const void *hook_data);

/** Call handler with hook_data at each such moment, in the order of registration.
 *  hook_data remains the caller's and is used until the process ends.
 *  ERR_SYS with EINVAL for NULL or an unknown hook. */
EventlogSocketStatus
eventlog_socket_register_hook(EventlogSocketHook hook,
                              EventlogSocketHookHandler *handler,
                              const void *hook_data);

/* --------------------------------------------------------------- control -- */

/* A client may send commands over its connection, in frames
 *
 *   F0 9E 97 8C | version 00 | length | namespace | command
 *
 * with one byte each for version, length (1 to 255, of the namespace) and command.
 * The program never answers. The namespace "eventlog-socket" has the commands 1
 * startProfiling, 2 stopProfiling, 3 startHeapProfiling, 4 stopHeapProfiling, 5
 * requestHeapCensus; "eventlog-socket-rts" has those that only this library has:
 * 1 flush, 2 sync, and event classes on and off, 6 to 19
 * (EventlogSocketRtsCommand). The older frames, "GCTL" and a byte, for 1
 * startHeapProfiling, 2 stopHeapProfiling, 3 requestHeapCensus, are accepted, too.
 * Anything else is dropped. */

#define EVENTLOG_SOCKET_CONTROL_PROTOCOL_VERSION 0

/** Commands of the namespace "eventlog-socket-rts". */
typedef enum {
  /** Flush the RTS's buffers now. */
  EVENTLOG_SOCKET_COMMAND_FLUSH = 1,
  /** Flush, then put the user message `eventlog-socket: sync N` into the stream, N
   *  counting from 1: what was logged before is before it. */
  EVENTLOG_SOCKET_COMMAND_SYNC = 2,
  /** Event classes, in the letters of `+RTS -l`: s, g, n, p, f, u, and capabilities.
   *  With -dynamic only user events: the other variables of the RTS are not accessible
   *  there. */
  EVENTLOG_SOCKET_COMMAND_START_SCHEDULER = 6,
  EVENTLOG_SOCKET_COMMAND_STOP_SCHEDULER = 7,
  EVENTLOG_SOCKET_COMMAND_START_GC = 8,
  EVENTLOG_SOCKET_COMMAND_STOP_GC = 9,
  EVENTLOG_SOCKET_COMMAND_START_NONMOVING_GC = 10,
  EVENTLOG_SOCKET_COMMAND_STOP_NONMOVING_GC = 11,
  EVENTLOG_SOCKET_COMMAND_START_SPARK_SAMPLED = 12,
  EVENTLOG_SOCKET_COMMAND_STOP_SPARK_SAMPLED = 13,
  EVENTLOG_SOCKET_COMMAND_START_SPARK_FULL = 14,
  EVENTLOG_SOCKET_COMMAND_STOP_SPARK_FULL = 15,
  EVENTLOG_SOCKET_COMMAND_START_USER = 16,
  EVENTLOG_SOCKET_COMMAND_STOP_USER = 17,
  EVENTLOG_SOCKET_COMMAND_START_CAPABILITY = 18,
  EVENTLOG_SOCKET_COMMAND_STOP_CAPABILITY = 19
} EventlogSocketRtsCommand;

/** A namespace of commands. Never freed. */
typedef struct EventlogSocketControlNamespace EventlogSocketControlNamespace;

/** 0 to 255. */
typedef uint8_t EventlogSocketControlCommandId;

/** Called as described for the hooks, in the order in which commands arrive. */
typedef void EventlogSocketControlCommandHandler(
    const EventlogSocketControlNamespace *control_namespace,
    EventlogSocketControlCommandId command_id, const void *command_data);

/** The name, terminated by NUL; it belongs to the library and stays valid until the
 *  process ends. NULL if the argument is not a namespace. */
const char *eventlog_socket_control_strnamespace(
    EventlogSocketControlNamespace *control_namespace);

/** Make a namespace. There may be any number of them. The name has namespace_len bytes (1
 *  to 255, none of them NUL) and is copied; names are compared byte by byte.
 *  ERR_CTL_EXISTS: one of this name exists, or the name is the library's own.
 *  ERR_CTL_NOSUPPORT: not -threaded. ERR_SYS with EINVAL: NULL, or not a valid name. */
EventlogSocketStatus eventlog_socket_control_register_namespace(
    uint8_t namespace_len, const char *control_namespace,
    EventlogSocketControlNamespace **namespace_out);

/** Register the handler of a command of a namespace. command_data remains the caller's and
 *  is used until the process ends. ERR_CTL_EXISTS: the command has a handler already.
 *  ERR_SYS with EINVAL: NULL, or a pointer that is not a namespace. */
EventlogSocketStatus eventlog_socket_control_register_command(
    EventlogSocketControlNamespace *control_namespace,
    EventlogSocketControlCommandId command_id,
    EventlogSocketControlCommandHandler *command_handler,
    const void *command_data);

/** OK, or why no commands are run. */
EventlogSocketStatus eventlog_socket_control_status(void);

/* ------------------------------------------------------------ statistics -- */

/** Counted since init. "Chunk" is one call of the RTS to writeEventLog. */
typedef struct {
  /** Chunks and bytes sent whole to a client. */
  uint64_t est_chunks_sent;
  uint64_t est_bytes_sent;
  /** Chunks and bytes that did not fit into the ring and were dropped. Each is
   *  reported in the stream, if there is one. */
  uint64_t est_chunks_lost;
  uint64_t est_bytes_lost;
  /** Chunks and bytes that arrived while no client was connected or after the end
   *  mark of the log, or were still in the ring when their client disconnected. */
  uint64_t est_chunks_discarded;
  uint64_t est_bytes_discarded;
  /** Bytes of the ring, and the most that was ever in use. */
  uint64_t est_ring_size;
  uint64_t est_ring_high_water;
  /** Bytes held for late clients: header, definitions, and records of what was deleted. */
  uint64_t est_definition_bytes;
  /** Clients accepted so far. */
  uint64_t est_connections;
  /** Times a writer had to wake the poll thread. */
  uint64_t est_wakeups;
  /** Times that the library flushed the RTS's buffers. */
  uint64_t est_flushes;
  /** Bytes received from clients. */
  uint64_t est_bytes_received;
  /** Whole commands received. Each is waiting, or counted once below. */
  uint64_t est_commands_received;
  /** Commands that were run. */
  uint64_t est_commands_run;
  /** Commands with an unknown namespace or number, or of a later protocol. */
  uint64_t est_commands_unknown;
  /** Commands that this RTS, or this program as it was built and started, cannot run; and
   *  commands that arrived while the program was exiting. */
  uint64_t est_commands_refused;
  /** Commands of a client that may not send any. */
  uint64_t est_commands_denied;
  /** Commands for which the queue (64 KiB) had no room, after a handler had delayed all
   *  others for a second. Until then no more is read, and the sender waits. */
  uint64_t est_commands_dropped;
  /** Bytes received that belong to no command. */
  uint64_t est_bytes_garbage;
  /** Port that the TCP socket is bound to; 0 for a Unix socket. */
  uint16_t est_inet_port;
  /** A client is connected. */
  bool est_connected;
  /** Times the poll thread slept until something happened. */
  uint64_t est_sleeps;

  /* Errors that were handled. */

  /** System calls that a signal interrupted. */
  uint64_t est_calls_interrupted;
  /** Sends of which the client's socket accepted a part, or nothing because it was full. */
  uint64_t est_sends_partial;
  uint64_t est_sends_full;
  /** Sends delayed for 50 ms because the system was short of memory. */
  uint64_t est_sends_deferred;
  /** Connections that were gone before they were accepted. */
  uint64_t est_accepts_aborted;
  /** Accepts delayed for 50 ms because the system was short of descriptors or memory, or
   *  refused. */
  uint64_t est_accepts_deferred;
  /** Failures of poll, each followed by a pause of 50 ms. */
  uint64_t est_polls_failed;
  /** Wake-ups that found the eventfd full (one is pending then), and that failed. */
  uint64_t est_wakeups_pending;
  uint64_t est_wakeups_failed;
  /** Options of a socket that could not be set. The stream works without them. */
  uint64_t est_options_failed;
  /** Connections that an error ended, such as ECONNRESET or EPIPE. */
  uint64_t est_clients_broken;
  /** Clients that closed the half of the connection that they send on. Over TCP,
   *  those that closed all of it may be among them. */
  uint64_t est_clients_half_closed;
  /** Clients disconnected because they read nothing for
   *  EVENTLOG_SOCKET_ENV_STALL_TIMEOUT while another waited. */
  uint64_t est_clients_displaced;

  /* The ring file; all 0 without one. */

  /** Bytes of chunks that it holds. */
  uint64_t est_ring_file_size;
  /** Chunks and bytes that were overwritten by newer ones. */
  uint64_t est_ring_file_chunks_overwritten;
  uint64_t est_ring_file_bytes_overwritten;
  /** Chunks and bytes that were not recorded: they were larger than the file, or their place
   *  was still occupied by a chunk whose writing had begun a whole lap earlier. */
  uint64_t est_ring_file_chunks_refused;
  uint64_t est_ring_file_bytes_refused;
  /** Bytes of definitions for which it has no room, or that could not be written. */
  uint64_t est_ring_file_definitions_left_out;
  /** 1: the file was truncated while it was written, or its disk failed. Nothing is
   *  recorded any more. */
  uint64_t est_ring_file_lost;

  /** Times that the file of the Unix socket was found to be removed or replaced, and times
   *  that it was created again. While the first is more, no client can connect. */
  uint64_t est_socket_files_removed;
  uint64_t est_socket_files_remade;
  /** Bytes of definitions that could not be kept, or could not be sent to a client, for
   *  lack of memory: what they define has no name in its stream. */
  uint64_t est_definitions_left_out;
  /** Clients that were turned away for lack of memory. */
  uint64_t est_clients_refused;

  /** Nanoseconds that flushes of the library took, the longest of them and all together: the
   *  program, or a part of it, may have been stopped for this long. */
  uint64_t est_flush_ns_longest;
  uint64_t est_flush_ns_total;
} EventlogSocketStats;

/** Fill in the counters. stats_size is sizeof(EventlogSocketStats): a library
 *  that has more counters than its caller fills in no more than that.
 *  ERR_SYS: EINVAL for NULL, ENOTCONN if nothing was started. */
EventlogSocketStatus eventlog_socket_stats(EventlogSocketStats *stats,
                                           size_t stats_size);

/* ------------------------------------------------------------- older API -- */

/* Names of the first generation. They return no status: errors are in
 * eventlog_socket_worker_status(), and the program continues without streaming. */

/** The same writer as EventLogSocketWriter. */
extern const EventLogWriter SocketEventLogWriter;

void eventlog_socket_init_unix(const char *sock_path);
void eventlog_socket_init_tcp(const char *host, const char *port);
/** eventlog_socket_signal_ghc_rts_ready. */
void eventlog_socket_ready(void);
void eventlog_socket_start_unix(const char *sock_path, bool wait);
void eventlog_socket_start_tcp(const char *host, const char *port, bool wait);

#ifdef EVENTLOG_SOCKET_HAVE_RTS
/** hs_init, ready, run the closure, exit: the end of a C main that has called
 *  eventlog_socket_init_unix or _tcp and set conf.eventlog_writer. Does not
 *  return. */
int eventlog_socket_hs_main(int argc, char *argv[], RtsConfig conf,
                            StgClosure *main_closure);
#endif

#ifdef __cplusplus
}
#endif

#endif
