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
 *   Ownership      strings and structs that are passed in stay the caller's;
 *                  nothing of them is kept after the call returns.
 *   Errors         are returned as an EventlogSocketStatus. Nothing is printed,
 *                  except by eventlog_socket_wrap_hs_main, which says on stderr
 *                  that it could not start streaming.
 *   Cancellation   a thread that is cancelled (pthread_cancel) inside a function is
 *                  cancelled after it.
 *   Copies         two copies of the library in one process, one in the program and
 *                  one in a plugin, say, know nothing of each other. Start one.
 *   Unloading      threads and exit handlers stay when the log has ended. The shared
 *                  library cannot be unloaded; a plugin that has the archive in it must
 *                  not be after a start: link it with -Wl,-z,nodelete.
 *   Sanitizers     ThreadSanitizer does not see how the library synchronises, as that
 *                  is not instrumented: it reports what one thread of the library
 *                  hands to another, and what handlers read of hook_data and
 *                  command_data, as races. Build the library with the sanitizer for
 *                  such a host (scripts/sanitize does), or suppress those reports.
 *   FFI            from Haskell, import every function as a `safe` call: most
 *                  of them wait, and some call back into the RTS.
 */
#ifndef EVENTLOG_SOCKET_H
#define EVENTLOG_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With GHC's headers in reach (any compilation by ghc) its own types are used.
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
  /** Commands of its own need the -threaded RTS, which this program lacks. */
  EVENTLOG_SOCKET_ERR_CTL_NOSUPPORT = 7,
  /** A namespace of this name, or a command of this number in it, is there. */
  EVENTLOG_SOCKET_ERR_CTL_EXISTS = 8,
  /** getaddrinfo failed; ess_error_code is its EAI_* value. */
  EVENTLOG_SOCKET_ERR_GAI = 9,
  /** A system call failed; ess_error_code is errno. */
  EVENTLOG_SOCKET_ERR_SYS = 10,
  /** An environment variable has a value that cannot be used.
   *  eventlog_socket_strerror names the variable and the value. */
  EVENTLOG_SOCKET_ERR_ENV_INVALID = 11,
  /** The ring file cannot be made; ess_error_code is errno. EBUSY: another process
   *  records into it. EEXIST: what is there is not a ring file. EPERM: it is another
   *  user's, where others may write. eventlog_socket_strerror names the file. */
  EVENTLOG_SOCKET_ERR_RING_FILE = 12
} EventlogSocketStatusCode;

typedef struct {
  EventlogSocketStatusCode ess_status_code;
  /** errno for ERR_SYS and ERR_RING_FILE, EAI_* for ERR_GAI, the variable for ERR_ENV_INVALID,
   *  otherwise 0. */
  int ess_error_code;
} EventlogSocketStatus;

/** The status in words. The caller frees the string with free(). NULL only if
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
  /** Wait for a client before going on. Used by eventlog_socket_start and
   *  eventlog_socket_wrap_hs_main. Default false. */
  bool eso_wait;
  /** SO_SNDBUF of the client's socket in bytes, if the system allows it; <= 0 is 1 MiB
   *  for a Unix socket, and what the system finds for TCP. */
  int eso_sndbuf;
  /** SO_LINGER of the client's socket, in seconds, for the close that ends a
   *  complete stream; <= 0 leaves the system's. */
  int eso_linger;
} EventlogSocketOpts;

typedef struct {
  EventlogSocketTag esa_tag;
  /* Without a name, as the members are reached; C99 knows that as an extension. */
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

/** Free what options own (at present nothing). NULL is allowed. */
void eventlog_socket_opts_free(EventlogSocketOpts *eventlog_socket_opts);

/* ----------------------------------------------------------- environment -- */

/** Path of the Unix socket. Wins over host and port. In it, and in RING_FILE and PORT_FILE
 *  (in values of these variables, not in what a program says itself), %p is the process id,
 *  %n the name of the executable, %h that of the host (`/` and a leading dot of either
 *  become `_`), %% a percent sign; any other % stays. It is the result that must fit. */
#define EVENTLOG_SOCKET_ENV_UNIX_PATH "GHC_EVENTLOG_UNIX_PATH"
/** Host and port of the TCP socket. Both are needed. With port 0 the system chooses. */
#define EVENTLOG_SOCKET_ENV_INET_HOST "GHC_EVENTLOG_INET_HOST"
#define EVENTLOG_SOCKET_ENV_INET_PORT "GHC_EVENTLOG_INET_PORT"
/** Set to anything at all: wait for a client before going on. */
#define EVENTLOG_SOCKET_ENV_WAIT "GHC_EVENTLOG_WAIT"

/* The following are read by eventlog_socket_init and _start wherever the
 * address came from. They win over what the program set itself. */

/** Size of the ring: bytes, or with a suffix K, M, G (powers of 1024). Rounded
 *  up to a power of two; from 64K to 4G. Default: room for all buffers of the RTS at once,
 *  (capabilities + 1) * 2M, but at least 16M and at most 256M; where the RTS does not run
 *  yet, with as many capabilities as there are processors. */
#define EVENTLOG_SOCKET_ENV_BUFFER_SIZE "GHC_EVENTLOG_BUFFER_SIZE"
/** What happens to a chunk that does not fit: `drop`, `block`, or
 *  `block:TIMEOUT`. Default drop. */
#define EVENTLOG_SOCKET_ENV_OVERFLOW "GHC_EVENTLOG_OVERFLOW"
/** How long the exit of the program may wait for the client to take the rest:
 *  `2s`, `250ms`, `0`. Default 2s. With a ring file up to 2s more, for a disk that takes
 *  no definitions. */
#define EVENTLOG_SOCKET_ENV_EXIT_TIMEOUT "GHC_EVENTLOG_EXIT_TIMEOUT"
/** While a client is connected, or a ring file is written, flush the RTS's buffers
 *  this often: `1s`, `100ms`; `0` never. Default 1s; 0 with GHC 9.0, which flushes by
 *  ending the log, and without -threaded. The program stands still for a flush: after one
 *  that took a time t there is none for 100 t (10 t if a client has come since, none if it
 *  asks for one by a command). If the program has --eventlog-flush-interval, that is taken
 *  over meanwhile, and the shorter of the two intervals is kept. */
#define EVENTLOG_SOCKET_ENV_FLUSH_INTERVAL "GHC_EVENTLOG_FLUSH_INTERVAL"
/** How long a client that takes nothing of what there is for it keeps its place when
 *  another waits to be served: `30s`; `0` forever. Default 30s. */
#define EVENTLOG_SOCKET_ENV_STALL_TIMEOUT "GHC_EVENTLOG_STALL_TIMEOUT"
/** SO_SNDBUF of the client's socket: bytes, or with a suffix K, M, G. */
#define EVENTLOG_SOCKET_ENV_SNDBUF "GHC_EVENTLOG_SNDBUF"
/** Whose commands are obeyed: `on` those of every client, `off` nobody's. Unset:
 *  those that come over a Unix socket. Over a Unix socket only this process's own
 *  user (and root) ever may. */
#define EVENTLOG_SOCKET_ENV_CONTROL "GHC_EVENTLOG_CONTROL"

/** Path of a file that has the port of the TCP socket, digits and a newline, while the
 *  program listens. It is written whole before eventlog_socket_init returns; a file that is
 *  no such file, or another user's where others may write, is left alone, which is an
 *  error of init (ERR_SYS). */
#define EVENTLOG_SOCKET_ENV_PORT_FILE "GHC_EVENTLOG_PORT_FILE"

/** Path of a ring file: the newest chunks, which survive the program however it ends.
 *  Read back by `eventlog recover`. */
#define EVENTLOG_SOCKET_ENV_RING_FILE "GHC_EVENTLOG_RING_FILE"
/** Bytes of chunks that the ring file holds, as BUFFER_SIZE; from 1M to 4G. Default
 *  64M. An eighth of it and 2M more are taken on the disk; the size that the file shows
 *  has 64M for tables besides, which take room when they are used. The RTS hands over up
 *  to 2M at once: less than 8M is for tests. */
#define EVENTLOG_SOCKET_ENV_RING_FILE_SIZE "GHC_EVENTLOG_RING_FILE_SIZE"

/** Read address and options from the environment.
 *
 *  If it names a ring file and no address, the address is EVENTLOG_SOCKET_NONE.
 *
 *  A program that has more rights than who started it (setuid, setgid, file
 *  capabilities) does not believe the environment: for it none of these variables is set.
 *
 *  Not thread-safe against setenv. addr_out must not be NULL (ERR_SYS, EINVAL);
 *  opts_out may be. On OK, ERR_ENV_TOOLONG, ERR_ENV_NOHOST and ERR_ENV_NOPORT the
 *  address is filled in and must be freed with eventlog_socket_addr_free (what is
 *  missing is an empty string); on ERR_ENV_NOADDR nothing is written, and neither on
 *  ERR_SYS, which is ENOMEM. */
EventlogSocketStatus
eventlog_socket_from_env(EventlogSocketAddr *eventlog_socket_addr_out,
                         EventlogSocketOpts *eventlog_socket_opts_out);

/* ---------------------------------------------------------------- tuning -- */

typedef enum {
  /** Drop the newest whole chunk; the program never waits. */
  EVENTLOG_SOCKET_OVERFLOW_DROP = 0,
  /** Wait for a connected client to make room. This stalls the whole program,
   *  all capabilities of it, at the next garbage collection at the latest. */
  EVENTLOG_SOCKET_OVERFLOW_BLOCK = 1
} EventlogSocketOverflow;

/** Whose commands are obeyed; see EVENTLOG_SOCKET_ENV_CONTROL. */
typedef enum {
  EVENTLOG_SOCKET_CONTROL_UNIX = 0,
  EVENTLOG_SOCKET_CONTROL_ON = 1,
  EVENTLOG_SOCKET_CONTROL_OFF = 2
} EventlogSocketControl;

/** What the environment variables above set, for programs that set it
 *  themselves. */
typedef struct {
  /** Bytes; see EVENTLOG_SOCKET_ENV_BUFFER_SIZE. */
  uint64_t est_buffer_size;
  EventlogSocketOverflow est_overflow;
  /** With OVERFLOW_BLOCK: milliseconds until the chunk is dropped after all;
   *  0 waits for as long as the client stays connected. */
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
 *  environment wins, path and size each. NULL or "" records nothing. `path` is copied; if
 *  it is relative, it is so to the directory at the time of the init.
 *
 *  What a process that is gone has left at `path` is kept as `path`.1. The file is made
 *  with mode 0600, and all its room is taken on the disk.
 *  ERR_SYS with EINVAL for a size out of range, EALREADY after init, EOPNOTSUPP in a forked
 *  child, but not in one of forkProcess. */
EventlogSocketStatus eventlog_socket_set_ring_file(const char *path,
                                                   uint64_t size);

/* ----------------------------------------------------------------- start -- */

/** The writer to hand to the RTS (RtsConfig.eventlog_writer, or
 *  startEventLogging), after eventlog_socket_init. Before it, everything
 *  written is discarded. */
extern const EventLogWriter EventLogSocketWriter;

/** Open the socket and start the poll thread. For programs with a C main: the
 *  RTS need not be running. At most once in a process. eso_wait is ignored.
 *
 *  On return clients can connect. Everything written from now on is kept for
 *  the first client; when the ring is full, the oldest is kept.
 *
 *  opts may be NULL (defaults).
 *  ERR_SYS: EALREADY (started before; if that failed in the RTS, its error instead), EINVAL
 *  (bad argument, or EVENTLOG_SOCKET_NONE and no
 *  ring file), ENAMETOOLONG,
 *  ENOENT (a directory is missing; it is made, with mode 0700, below one that is ours, and
 *  stays), EADDRINUSE (another process listens there, or the file is another user's in a directory
 *  that others may write to; eventlog_socket_strerror names it), ENOTSOCK (the path exists and is
 *  not a socket; it is left alone), EOPNOTSUPP (in a forked child; not in
 *  one of forkProcess, which may start by itself), and whatever
 *  socket, bind, listen report. ERR_GAI (EAI_SERVICE: what is not a port).
 *  ERR_ENV_INVALID. ERR_RING_FILE. eventlog_socket_strerror names the path, host or port
 *  that is the cause, and its variable. After an error nothing is left behind but directories, and init may be called again. */
EventlogSocketStatus
eventlog_socket_init(const EventlogSocketAddr *eventlog_socket_addr,
                     const EventlogSocketOpts *eventlog_socket_opts);

/** Tell that the RTS is running (after hs_init). Attaches the writer if the RTS
 *  has none of ours yet, makes the RTS hand over its definitions, and lets
 *  clients begin. Needed once after eventlog_socket_init; later calls do
 *  nothing, and return what the first did, which they wait for.
 *  In the non-threaded RTS, call it on the thread that called hs_init. */
EventlogSocketStatus eventlog_socket_signal_ghc_rts_ready(void);

/** Wait until a client is connected and its stream has begun: whatever is
 *  logged after the return is part of it. ERR_SYS with ENOTCONN if nothing was
 *  started, or without a socket; the status of the start, or of the poll thread, if that
 *  has failed. */
EventlogSocketStatus eventlog_socket_wait(void);

/** All of it for a running RTS (from Haskell): init, then attach, then, if
 *  eso_wait is set, wait. The errors of init, ERR_RTS_NOSUPPORT, ERR_RTS_FAIL. */
EventlogSocketStatus
eventlog_socket_start(const EventlogSocketAddr *eventlog_socket_addr,
                      const EventlogSocketOpts *eventlog_socket_opts);

/** OK, or why nothing is streamed: what made the poll thread give up, or
 *  eventlog_socket_signal_ghc_rts_ready fail. */
EventlogSocketStatus eventlog_socket_worker_status(void);

#ifdef EVENTLOG_SOCKET_HAVE_RTS
/** A whole C main: init, hs_init with our writer and exit hook, ready, wait if
 *  asked, run the closure, exit. Does not return. If init fails, it says so on
 *  stderr and runs the program without streaming. */
void eventlog_socket_wrap_hs_main(
    int argc, char *argv[], RtsConfig rts_config, StgClosure *main_closure,
    const EventlogSocketAddr *eventlog_socket_addr,
    const EventlogSocketOpts *eventlog_socket_opts);
#endif

/* ----------------------------------------------------------------- hooks -- */

/* Handlers, of hooks and of commands, are called one at a time, on a thread of the
 * library's own, which is neither the one that serves clients nor the one that
 * flushes: a handler that takes long delays other handlers and commands, and
 * nothing else, except for eventlog_socket_signal_ghc_rts_ready and _start, which
 * wait for the hooks of the log that begins. No lock is held. A handler may enter
 * Haskell, call flushEventLog, and call every function of this header. It must
 * return, and Haskell code in it must let no exception out. When the program exits,
 * one that is still running gets two seconds; if it is in Haskell then, the RTS says
 * `interrupted` on stderr.
 *
 * Where the exit cannot be hooked (docs/environment.md) no thread of the library's may enter the RTS
 * safely: if the program uses the Haskell package, a thread of Haskell's calls the
 * handlers. Otherwise, and without -threaded, where no other thread may enter the RTS,
 * hooks are called by eventlog_socket_signal_ghc_rts_ready (or _start), and by the exit
 * where that can be hooked, on their thread, and not when clients come and go; commands of
 * the program's own are refused. */

typedef enum {
  /** A log has begun: when the RTS is ready, for the first client; then for each
   *  later one, when it has connected. What the handler logs reaches that client.
   *  A handler that is registered while a log runs is called for it at once. */
  EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING = 0,
  /** The log ends: its client has gone, or the program is about to exit (what is
   *  logged then still reaches the client). When somebody else ends the log with
   *  endEventLogging, this comes after it. Not called at the exit of a program
   *  whose exit cannot be hooked (docs/environment.md). */
  EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING = 1
} EventlogSocketHook;

typedef void EventlogSocketHookHandler(const void *hook_data);

/** Call handler with hook_data at each such moment, in the order of registration.
 *  hook_data stays the caller's and is used for as long as the process lives.
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
 * Nothing is ever answered. The namespace "eventlog-socket" has the commands 1
 * startProfiling, 2 stopProfiling, 3 startHeapProfiling, 4 stopHeapProfiling, 5
 * requestHeapCensus; "eventlog-socket-rts" has those of this library alone:
 * 1 flush, 2 sync, and event classes on and off, 6 to 19
 * (EventlogSocketRtsCommand). The older frames "GCTL" and a byte, for 1
 * startHeapProfiling, 2 stopHeapProfiling, 3 requestHeapCensus, are understood,
 * too. Anything else is dropped. */

#define EVENTLOG_SOCKET_CONTROL_PROTOCOL_VERSION 0

/** Commands of the namespace "eventlog-socket-rts". */
typedef enum {
  /** Flush the RTS's buffers now. */
  EVENTLOG_SOCKET_COMMAND_FLUSH = 1,
  /** Flush, then put the user message `eventlog-socket: sync N` into the stream, N
   *  counting from 1: what was logged before is before it. */
  EVENTLOG_SOCKET_COMMAND_SYNC = 2,
  /** Event classes, as `+RTS -l` names them: s, g, n, p, f, u, and capabilities.
   *  With -dynamic only those of the user: the other variables of the RTS are out of
   *  reach there. */
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

/** Called as said at the hooks, in the order in which commands came. */
typedef void EventlogSocketControlCommandHandler(
    const EventlogSocketControlNamespace *control_namespace,
    EventlogSocketControlCommandId command_id, const void *command_data);

/** The name, ended by NUL; it is the library's and lives as long as the process.
 *  NULL for what is no namespace. */
const char *eventlog_socket_control_strnamespace(
    EventlogSocketControlNamespace *control_namespace);

/** Make a namespace, of any number. The name has namespace_len bytes (1 to 255,
 *  none of them NUL) and is copied; names are compared whole, byte by byte.
 *  ERR_CTL_EXISTS: there is one of this name, or it is the library's own.
 *  ERR_CTL_NOSUPPORT: not -threaded. ERR_SYS with EINVAL: NULL, or no such name. */
EventlogSocketStatus eventlog_socket_control_register_namespace(
    uint8_t namespace_len, const char *control_namespace,
    EventlogSocketControlNamespace **namespace_out);

/** Have a command of a namespace handled. command_data stays the caller's and is
 *  used for as long as the process lives. ERR_CTL_EXISTS: it is handled already.
 *  ERR_SYS with EINVAL: NULL, or a pointer that is no namespace. */
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
  /** Chunks and bytes that did not fit into the ring and were dropped. Each of
   *  them is told in the stream, if there is one. */
  uint64_t est_chunks_lost;
  uint64_t est_bytes_lost;
  /** Chunks and bytes that came while no client was connected or after the end
   *  mark of the log, or that were still in the ring when their client left. */
  uint64_t est_chunks_discarded;
  uint64_t est_bytes_discarded;
  /** Bytes of the ring, and the most that was ever in use. */
  uint64_t est_ring_size;
  uint64_t est_ring_high_water;
  /** Bytes held for late clients: header, definitions, and marks of what was deleted. */
  uint64_t est_definition_bytes;
  /** Clients accepted so far. */
  uint64_t est_connections;
  /** Times a writer had to wake the poll thread. */
  uint64_t est_wakeups;
  /** Times the RTS's buffers were flushed by us. */
  uint64_t est_flushes;
  /** Bytes received from clients. */
  uint64_t est_bytes_received;
  /** Whole commands received. Each is waiting, or counted once below. */
  uint64_t est_commands_received;
  /** Run. */
  uint64_t est_commands_run;
  /** Of no namespace or number that is known, or of a later protocol. */
  uint64_t est_commands_unknown;
  /** What this RTS, or this program as it was built and started, cannot do; and what
   *  came too late, as the program was exiting. */
  uint64_t est_commands_refused;
  /** From a client that may not. */
  uint64_t est_commands_denied;
  /** More than could be kept waiting (64 KiB of them), while a handler let all others
   *  wait for a second. Before that nothing more is read: the sender waits. */
  uint64_t est_commands_dropped;
  /** Bytes received that belong to no command. */
  uint64_t est_bytes_garbage;
  /** Port that the TCP socket is bound to; 0 for a Unix socket. */
  uint16_t est_inet_port;
  /** A client is connected. */
  bool est_connected;
  /** Times the poll thread slept until something happened. */
  uint64_t est_sleeps;

  /* What went wrong, and was dealt with. */

  /** System calls that a signal interrupted. */
  uint64_t est_calls_interrupted;
  /** Sends of which the client's socket took a part, or nothing as it was full. */
  uint64_t est_sends_partial;
  uint64_t est_sends_full;
  /** Sends put off for 50 ms, as the system was short of memory. */
  uint64_t est_sends_deferred;
  /** Connections that were gone before they were accepted. */
  uint64_t est_accepts_aborted;
  /** Accepts put off for 50 ms, as the system was short of descriptors or memory, or
   *  refused. */
  uint64_t est_accepts_deferred;
  /** Failures of poll, each followed by 50 ms of rest. */
  uint64_t est_polls_failed;
  /** Wake-ups that found the eventfd full (one is pending then), and that failed. */
  uint64_t est_wakeups_pending;
  uint64_t est_wakeups_failed;
  /** Options of a socket that could not be set. The stream does without. */
  uint64_t est_options_failed;
  /** Connections that an error ended, such as ECONNRESET or EPIPE. */
  uint64_t est_clients_broken;
  /** Clients that closed the half of the connection that they send on. Over TCP,
   *  those that closed all of it may be among them. */
  uint64_t est_clients_half_closed;
  /** Clients disconnected because they took nothing for
   *  EVENTLOG_SOCKET_ENV_STALL_TIMEOUT while another waited. */
  uint64_t est_clients_displaced;

  /* The ring file; all 0 without one. */

  /** Bytes of chunks that it holds. */
  uint64_t est_ring_file_size;
  /** Chunks and bytes that made room for newer ones. */
  uint64_t est_ring_file_chunks_overwritten;
  uint64_t est_ring_file_bytes_overwritten;
  /** Chunks and bytes that were not recorded: larger than the file, or another that
   *  had been in the making for a whole lap was in the way. */
  uint64_t est_ring_file_chunks_refused;
  uint64_t est_ring_file_bytes_refused;
  /** Bytes of definitions that it has no room for, or that could not be written. */
  uint64_t est_ring_file_definitions_left_out;
  /** 1: the file was truncated while it was written, or its disk failed. Nothing is
   *  recorded any more. */
  uint64_t est_ring_file_lost;

  /** Times that the file of the Unix socket was found to be removed, or to be another's,
   *  and times that it was made again. While the first is more, nobody can connect. */
  uint64_t est_socket_files_removed;
  uint64_t est_socket_files_remade;
  /** Bytes of definitions that could not be kept, or could not be told to a client, for
   *  want of memory: what they define has no name in its stream. */
  uint64_t est_definitions_left_out;
  /** Clients that were turned away for lack of memory. */
  uint64_t est_clients_refused;

  /** Nanoseconds that flushes of ours took, the longest of them and all together: for so
   *  long the program, or a part of it, may have stood still. */
  uint64_t est_flush_ns_longest;
  uint64_t est_flush_ns_total;
} EventlogSocketStats;

/** Fill in the counters. stats_size is sizeof(EventlogSocketStats): a library
 *  that knows more counters than its caller fills in no more than that.
 *  ERR_SYS: EINVAL for NULL, ENOTCONN if nothing was started. */
EventlogSocketStatus eventlog_socket_stats(EventlogSocketStats *stats,
                                           size_t stats_size);

/* ------------------------------------------------------------- older API -- */

/* Names of the first generation. They have no statuses: what went wrong is in
 * eventlog_socket_worker_status(), and the program runs on without streaming. */

/** The same writer as EventLogSocketWriter. */
extern const EventLogWriter SocketEventLogWriter;

void eventlog_socket_init_unix(const char *sock_path);
void eventlog_socket_init_tcp(const char *host, const char *port);
/** eventlog_socket_signal_ghc_rts_ready. */
void eventlog_socket_ready(void);
void eventlog_socket_start_unix(const char *sock_path, bool wait);
void eventlog_socket_start_tcp(const char *host, const char *port, bool wait);

#ifdef EVENTLOG_SOCKET_HAVE_RTS
/** hs_init, ready, run the closure, exit: the tail of a C main that has called
 *  eventlog_socket_init_unix or _tcp and set conf.eventlog_writer. Does not
 *  return. */
int eventlog_socket_hs_main(int argc, char *argv[], RtsConfig conf,
                            StgClosure *main_closure);
#endif

#ifdef __cplusplus
}
#endif

#endif
