/*
 * eventlog_socket_rts.c - the part of eventlog-socket that depends on GHC's runtime.
 *
 * Compiled by the program's own ghc, so that Rts.h, __GLASGOW_HASKELL__ and the
 * layout of RtsConfig and RtsFlags are those of the RTS it is linked with. It
 * contains the functions that take RtsConfig by value, and the table of RTS functions.
 *
 * GHC 9.0 has no public function to flush its event buffers: flushEventLog was added
 * in 9.2. It has endEventLogging, which writes all buffers, and startEventLogging;
 * neither takes a lock, so the world must be stopped during both. The functions that
 * stop the world are hidden in libHSrts.so but can be linked from libHSrts.a: they are
 * weak references here, NULL with -dynamic.
 */
#include "eventlog_socket_rts.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* g_NAME points to the RTS's NAME, or is NULL. GHC's own linker, which loads packages
 * into a statically linked GHC, refuses weak references; it could not resolve these
 * names, either. */
#ifdef EVENTLOG_SOCKET_FOR_GHCI
#define FROM_RTS(type, name) static type *const g_##name = NULL
#if __GLASGOW_HASKELL__ < 902
/* Nor can it resolve these functions of this version. */
#define eventLogStatus() EVENTLOG_NOT_SUPPORTED
#define startEventLogging(writer) ((void)(writer), false)
#define endEventLogging() ((void)0)
#endif
#else
#ifdef __APPLE__
/* The linker still refuses an undefined name, except with -U _NAME (which the package
 * passes). */
#define WEAK_REFERENCE __attribute__((weak_import))
#else
#define WEAK_REFERENCE __attribute__((weak))
#endif
#define FROM_RTS(type, name)                                                   \
  extern WEAK_REFERENCE type name;                                      \
  static type *const g_##name = &name
#endif

#if __GLASGOW_HASKELL__ < 902
#define NEEDS_STOPPED_WORLD 1
struct Task_;
typedef struct Task_ *NewTask(void);
typedef void EndTask(struct Task_ *task);
typedef void WithTask(Capability **cap, struct Task_ *task);
typedef void ReleaseAll(uint32_t n, Capability *keep, struct Task_ *task);
FROM_RTS(NewTask, newBoundTask);
FROM_RTS(EndTask, boundTaskExiting);
FROM_RTS(WithTask, waitForCapability);
FROM_RTS(WithTask, stopAllCapabilities);
FROM_RTS(ReleaseAll, releaseAllCapabilities);
/* The concurrent collector is running. */
FROM_RTS(bool, concurrent_coll_running);
#endif

/* ------------------------------------------------------------- exit hook -- */

/* The hook is installed in two ways: wrap_hs_main and hs_main set
 * RtsConfig.onExitHook; a program that starts from Haskell gets the definition of
 * OnExitHook below, which is linked instead of the empty one in the static RTS. With
 * -dynamic the RTS uses its own. */
static bool g_hook_in_config = false;
static void (*g_chained_exit_hook)(void) = NULL;

/* --eventlog-flush-interval: the RTS's ticker flushes, and reads the interval at every
 * tick. Its flush can deadlock with the exit (GHC #26573, 9.2 to 9.12.3), and with a
 * flush of ours at the same time. */
#if __GLASGOW_HASKELL__ >= 902
/* The interval that was taken from it, in ticks. */
static int g_taken_ticks = 0;

static void set_flush_ticks(int ticks) {
  __atomic_store_n(&RtsFlags.TraceFlags.eventlogFlushTicks, ticks, __ATOMIC_RELAXED);
}

static uint64_t take_flushes(void) {
  int ticks = RtsFlags.TraceFlags.eventlogFlushTicks;
  if (ticks <= 0) return 0;
  g_taken_ticks = ticks;
  set_flush_ticks(0);
  /* Time is in nanoseconds (rts/Time.h). */
  return (uint64_t)ticks * (uint64_t)RtsFlags.MiscFlags.tickInterval;
}

static void give_back_flushes(void) {
  int ticks = g_taken_ticks;
  g_taken_ticks = 0;
  if (ticks > 0) set_flush_ticks(ticks);
}

static void end_flushes(void) {
  g_taken_ticks = 0;
  set_flush_ticks(0);
}
#else
static void end_flushes(void) {}
#endif

static void on_exit_hook(void) {
  end_flushes();
  eventlog_socket_rts_exiting();
  /* The interval may have been given back at the same time; from here on it is not. */
  end_flushes();
  if (g_chained_exit_hook != NULL) g_chained_exit_hook();
}

/* Compares the address, because a program may define its own OnExitHook, which is
 * linked instead of a weak one. */
#ifdef __APPLE__
/* There are no aliases. Instead, the hook is alone in a section, for which the linker
 * defines symbols of the beginning and the end; it is empty if this hook was not
 * linked. */
#define HOOK_SECTION "__es_exit_hook"
__attribute__((weak, section("__TEXT," HOOK_SECTION ",regular,pure_instructions")))
void OnExitHook(void) {
  on_exit_hook();
}
extern const char g_hook_begin __asm("section$start$__TEXT$" HOOK_SECTION);
extern const char g_hook_end __asm("section$end$__TEXT$" HOOK_SECTION);
static bool is_our_hook(void (*hook)(void)) {
  uintptr_t at = (uintptr_t)hook;
  return hook == on_exit_hook ||
         (at >= (uintptr_t)&g_hook_begin && at < (uintptr_t)&g_hook_end);
}
#else
/* An alias has the same address. */
void OnExitHook(void) __attribute__((weak, alias("on_exit_hook")));
static bool is_our_hook(void (*hook)(void)) { return hook == on_exit_hook; }
#endif

static void hook_config(RtsConfig *config) {
  if (!is_our_hook(config->onExitHook))
    g_chained_exit_hook = config->onExitHook;
  config->onExitHook = on_exit_hook;
  g_hook_in_config = true;
}

/* The configuration in use; not accessible with -dynamic. */
FROM_RTS(RtsConfig, rtsConfig);

static bool exit_hooked(void) {
  if (g_rtsConfig != NULL) return is_our_hook(g_rtsConfig->onExitHook);
  return g_hook_in_config;
}

/* -------------------------------------------------------------- attaching -- */

static bool supports_eventlog(void) {
  return eventLogStatus() != EVENTLOG_NOT_SUPPORTED;
}

static bool logs_nothing(void) {
  return RtsFlags.TraceFlags.tracing != TRACE_EVENTLOG;
}

/* Before the options of the RTS are known, the number that `-N` chooses by itself. */
static uint32_t capabilities(void) {
  if (!rtsSupportsBoundThreads()) return 1;
  return n_capabilities > 0 ? n_capabilities : getNumberOfProcessors();
}

/* While no log runs, the RTS does not allocate buffers for capabilities that are added by
 * setNumCapabilities, and starting a log crashes. */
static bool lacks_buffers(void) {
  /* Without -threaded there is always one capability, with a buffer; and the flag, which
   * that RTS ignores, is 0. */
  return rtsSupportsBoundThreads() && eventLogStatus() != EVENTLOG_RUNNING &&
         n_capabilities > RtsFlags.ParFlags.nCapabilities;
}

static bool start_logging(const EventLogWriter *writer) {
  /* startEventLogging only tries its lock: it returns false while another thread
   * starts or ends a log. */
  for (int attempt = 0; attempt < 1000; attempt++) {
    if (startEventLogging(writer)) return true;
    usleep(1000);
  }
  return false;
}

static bool end_and_start(const EventLogWriter *writer) {
  if (eventLogStatus() == EVENTLOG_RUNNING) endEventLogging();
  return start_logging(writer);
}

#ifdef NEEDS_STOPPED_WORLD
typedef struct {
  const EventLogWriter *writer;
  bool started;
} Restart;

static bool can_stop_by_task(void) {
  return g_newBoundTask != NULL && g_boundTaskExiting != NULL &&
         g_waitForCapability != NULL && g_stopAllCapabilities != NULL &&
         g_releaseAllCapabilities != NULL;
}

static bool can_stop_world(void) {
  return !rtsSupportsBoundThreads() || can_stop_by_task() || enabled_capabilities == 1;
}

/* Whether the world could be stopped. */
static bool with_stopped_world(void (*action)(void *), void *context) {
  if (!rtsSupportsBoundThreads()) {
    /* One OS thread, this one, runs everything. The timer handler of 9.0 may log
     * profile samples, so its signal is blocked. */
    sigset_t timer, before;
    sigemptyset(&timer);
    sigaddset(&timer, SIGVTALRM);
    pthread_sigmask(SIG_BLOCK, &timer, &before);
    action(context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return true;
  }
  if (can_stop_by_task()) {
    Capability *cap = NULL;
    struct Task_ *task = g_newBoundTask();
    g_waitForCapability(&cap, task);
    g_stopAllCapabilities(&cap, task);
    action(context);
    g_releaseAllCapabilities(n_capabilities, NULL, task);
    g_boundTaskExiting(task);
    return true;
  }
  if (enabled_capabilities == 1) {
    /* -dynamic: holding the only capability stops the world. */
    Capability *cap = rts_lock();
    bool only_one = enabled_capabilities == 1;
    if (only_one) action(context);
    rts_unlock(cap);
    return only_one;
  }
  return false;
}

/* The thread of the concurrent collector still runs in a stopped world, and logs into
 * the buffer through which the header is written: what it logs while there is no log is
 * lost, and may damage the header. So wait for it to finish, for a limited time; it only
 * starts in a stopped world. */
static bool is_collecting(void) {
  return g_concurrent_coll_running != NULL &&
         __atomic_load_n(g_concurrent_coll_running, __ATOMIC_ACQUIRE);
}

typedef struct {
  void (*action)(void *);
  void *context;
  bool regardless, done;
} Undisturbed;

static void unless_collecting(void *context) {
  Undisturbed *it = context;
  it->done = it->regardless || !is_collecting();
  if (it->done) it->action(it->context);
}

static bool with_quiet_world(void (*action)(void *), void *context) {
  Undisturbed it = {action, context, false, false};
  for (int wait = 0; !it.done; wait++) {
    it.regardless = wait >= 100;
    if (is_collecting() && !it.regardless) usleep(1000);
    else if (!with_stopped_world(unless_collecting, &it)) return false;
  }
  return true;
}

static void restart_action(void *context) {
  Restart *restart = context;
  restart->started = end_and_start(restart->writer);
}

static EventlogSocketStatusCode can_attach(void) {
  return lacks_buffers() || !can_stop_world() ? EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT
                                              : EVENTLOG_SOCKET_OK;
}

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  Restart restart = {writer, false};
  if (lacks_buffers()) return EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT;
  if (!with_quiet_world(restart_action, &restart))
    return EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT;
  return restart.started ? EVENTLOG_SOCKET_OK : EVENTLOG_SOCKET_ERR_RTS_FAIL;
}

static void flush_action(void *context) {
  (void)context;
  /* Other code may have ended our log and started another one. */
  if (eventLogStatus() != EVENTLOG_RUNNING || !eventlog_socket_rts_attached())
    return;
  eventlog_socket_rts_restarting(true);
  end_and_start(&EventLogSocketWriter);
  eventlog_socket_rts_restarting(false);
}

static void flush_here(void) { with_quiet_world(flush_action, NULL); }

#else

static EventlogSocketStatusCode can_attach(void) {
  return lacks_buffers() ? EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT : EVENTLOG_SOCKET_OK;
}

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  if (lacks_buffers()) return EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT;
  return end_and_start(writer) ? EVENTLOG_SOCKET_OK
                               : EVENTLOG_SOCKET_ERR_RTS_FAIL;
}

static void flush_here(void) {
  if (eventLogStatus() != EVENTLOG_RUNNING) return;
  if (!rtsSupportsBoundThreads()) {
    flushEventLog(NULL);
    return;
  }
  /* Hold a capability. Without one, a request to stop the others would be pending while
   * forkProcess holds them all; the child would inherit the request, and wait for a
   * thread that it does not have. */
  Capability *cap = rts_lock();
  flushEventLog(&cap);
  rts_unlock(cap);
}
#endif

/* ------------------------------------------------------------------ facts -- */

/* Not in the RTS of 9.0. */
typedef int IsDebugged(void);
FROM_RTS(IsDebugged, rts_isDebugged);

static bool is_debugged(void) {
  return g_rts_isDebugged != NULL && g_rts_isDebugged();
}

static const char *rts_identifier(void) {
  /* As the RTS composes it for EVENT_RTS_IDENTIFIER: version and way. */
  static char identifier[64];
#ifdef __GLASGOW_HASKELL_FULL_VERSION__
  const char *version = __GLASGOW_HASKELL_FULL_VERSION__;
#else
  char version[16];
  snprintf(version, sizeof version, "%d.%d.%d", __GLASGOW_HASKELL__ / 100,
           __GLASGOW_HASKELL__ % 100, __GLASGOW_HASKELL_PATCHLEVEL1__);
#endif
  snprintf(identifier, sizeof identifier, "GHC-%s rts%s%s%s%s", version,
           rtsSupportsBoundThreads() ? "_thr" : "",
           is_debugged() ? "_debug" : "", rts_isProfiled() ? "_p" : "",
#ifdef NEEDS_STOPPED_WORLD
           is_debugged() || rts_isProfiled() ? "" : "_l"
#else
           ""
#endif
  );
  return identifier;
}

static uint32_t heap_profile_breakdown(void) {
  switch (RtsFlags.ProfFlags.doHeapProfile) {
  case HEAP_BY_CCS: return 1;
  case HEAP_BY_MOD: return 2;
  case HEAP_BY_DESCR: return 3;
  case HEAP_BY_TYPE: return 4;
  case HEAP_BY_RETAINER: return 5;
  case HEAP_BY_LDV: return 6;
  case HEAP_BY_CLOSURE_TYPE: return 7;
#ifdef HEAP_BY_INFO_TABLE
  case HEAP_BY_INFO_TABLE: return 8;
#endif
#ifdef HEAP_BY_ERA
  case HEAP_BY_ERA: return 9;
#endif
  default: return 0;
  }
}

static void facts(EventlogSocketRtsFacts *out) {
  memset(out, 0, sizeof *out);
  out->esf_rts_identifier = rts_identifier();
  getFullProgArgv(&out->esf_argc, &out->esf_argv);
  out->esf_capabilities = enabled_capabilities;
  out->esf_generations = (uint16_t)RtsFlags.GcFlags.generations;
  out->esf_max_heap_size = (uint64_t)RtsFlags.GcFlags.maxHeapSize * BLOCK_SIZE;
  out->esf_alloc_area_size =
      (uint64_t)RtsFlags.GcFlags.minAllocAreaSize * BLOCK_SIZE;
  out->esf_mblock_size = MBLOCK_SIZE;
  out->esf_block_size = BLOCK_SIZE;
  out->esf_heap_profile_breakdown = heap_profile_breakdown();
  /* Time is in nanoseconds (rts/Time.h). */
  out->esf_heap_profile_period_ns =
      (uint64_t)RtsFlags.ProfFlags.heapProfileInterval;
  out->esf_heap_profile_filters[0] = RtsFlags.ProfFlags.modSelector;
  out->esf_heap_profile_filters[1] = RtsFlags.ProfFlags.descrSelector;
  out->esf_heap_profile_filters[2] = RtsFlags.ProfFlags.typeSelector;
  out->esf_heap_profile_filters[3] = RtsFlags.ProfFlags.ccSelector;
  out->esf_heap_profile_filters[4] = RtsFlags.ProfFlags.ccsSelector;
  out->esf_heap_profile_filters[5] = RtsFlags.ProfFlags.retainerSelector;
  out->esf_heap_profile_filters[6] = RtsFlags.ProfFlags.bioSelector;
}

/* Defined only in the profiling ways of the RTS. */
typedef CostCentre *CostCentres;
FROM_RTS(CostCentres, CC_LIST);

static void cost_centres(EventlogSocketCostCentre *each, void *context) {
  if (!rts_isProfiled() || g_CC_LIST == NULL) return;
  for (CostCentre *cc = *g_CC_LIST; cc != NULL; cc = cc->link)
    each(context, (uint32_t)cc->ccID, cc->label, cc->module, cc->srcloc,
         cc->is_caf);
}

/* --------------------------------------------------------------- commands -- */

/* A census is due. Not accessible with -dynamic. */
FROM_RTS(bool, performHeapProfile);

#ifdef NEEDS_STOPPED_WORLD
/* 9.0 has no requestHeapCensus; from 9.2 on, it does only this. */
static bool request_heap_census(void) {
  if (g_performHeapProfile == NULL) return false;
  *g_performHeapProfile = true;
  return true;
}

/* The scheduler of 9.0 sets the same flag itself whenever it runs a thread. */
static bool set_heap_profiling(bool on) {
  (void)on;
  return false;
}
#else
static bool request_heap_census(void) {
  requestHeapCensus();
  return true;
}

static bool set_heap_profiling(bool on) {
  if (on) startHeapProfTimer(); else stopHeapProfTimer();
  return true;
}
#endif

/* Performs the collection that makes the census, if it is still due. A busy program soon
 * makes it by itself; this waits for that, because two threads that make it at the same
 * time (one decides on it before it has stopped the other) would make two. */
static void make_census(void) {
  for (int wait = 0; wait < 50 && g_performHeapProfile != NULL; wait++) {
    if (!__atomic_load_n(g_performHeapProfile, __ATOMIC_RELAXED)) return;
    usleep(2000);
  }
  performMajorGC();
}

static bool has_heap_profile(void) {
  return RtsFlags.ProfFlags.doHeapProfile != NO_HEAP_PROFILING;
}

static bool set_profiling(bool on) {
  if (!rts_isProfiled()) return false;
  if (on) startProfTimer(); else stopProfTimer();
  return true;
}

/* The event classes that are on: private variables of every RTS that can log, not
 * accessible with -dynamic. In older versions they are ints, 0 or 1, in newer ones bytes:
 * on little-endian machines the first byte is the value in either case. */
FROM_RTS(uint8_t, TRACE_sched);
FROM_RTS(uint8_t, TRACE_gc);
FROM_RTS(uint8_t, TRACE_nonmoving_gc);
FROM_RTS(uint8_t, TRACE_spark_sampled);
FROM_RTS(uint8_t, TRACE_spark_full);
FROM_RTS(uint8_t, TRACE_user);
FROM_RTS(uint8_t, TRACE_cap);

static bool set_event_class(EventlogSocketRtsCommand command) {
  uint8_t *class = NULL;
  switch (command & ~1) {
  case EVENTLOG_SOCKET_COMMAND_START_SCHEDULER: class = g_TRACE_sched; break;
  case EVENTLOG_SOCKET_COMMAND_START_GC: class = g_TRACE_gc; break;
  case EVENTLOG_SOCKET_COMMAND_START_NONMOVING_GC: class = g_TRACE_nonmoving_gc; break;
  case EVENTLOG_SOCKET_COMMAND_START_SPARK_SAMPLED: class = g_TRACE_spark_sampled; break;
  case EVENTLOG_SOCKET_COMMAND_START_SPARK_FULL: class = g_TRACE_spark_full; break;
  case EVENTLOG_SOCKET_COMMAND_START_USER: class = g_TRACE_user; break;
  case EVENTLOG_SOCKET_COMMAND_START_CAPABILITY: class = g_TRACE_cap; break;
  default: break;
  }
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  class = NULL;
#endif
  if (class == NULL) return false;
  bool on = (command & 1) == 0;
  __atomic_store_n(class, on, __ATOMIC_RELAXED);
  /* These flags are read instead of the variables by base, before it calls the RTS at
   * all, and by the non-moving collector. */
  if (class == g_TRACE_user) RtsFlags.TraceFlags.user = on;
  if (class == g_TRACE_nonmoving_gc) RtsFlags.TraceFlags.nonmoving_gc = on;
  return true;
}

static bool command(uint8_t number) {
  switch (number) {
  case 1: case 2: return set_profiling(number == 1);
  case 3: case 4: return has_heap_profile() && set_heap_profiling(number == 3);
  case 5: return has_heap_profile() && request_heap_census();
  default: return set_event_class((EventlogSocketRtsCommand)number);
  }
}

/* --------------------------------------------------------------- handlers -- */

/* A handler that is in Haskell when the RTS shuts down does not return: the RTS calls
 * pthread_exit, which unwinds this frame, and no other. */
static void *call_handlers(void *thread) {
  EventlogSocketRtsCall call;
  while (eventlog_socket_rts_next_call(thread, &call)) {
    if (call.esc_namespace == NULL)
      ((EventlogSocketHookHandler *)call.esc_handler)(call.esc_data);
    else
      ((EventlogSocketControlCommandHandler *)call.esc_handler)(
          call.esc_namespace, call.esc_command, call.esc_data);
  }
  return NULL;
}

/* ------------------------------------------------------------------ table -- */

static EventlogSocketRts g_rts = {
#ifdef EVENTLOG_SOCKET_CONTROL_BY_DEFAULT
    .esr_control = true,
#endif
    .esr_exit_hooked = exit_hooked,
    .esr_supports_eventlog = supports_eventlog,
    .esr_capabilities = capabilities,
    .esr_can_attach = can_attach,
    .esr_attach = attach,
    .esr_flush_here = flush_here,
    .esr_command = command,
    .esr_facts = facts,
    .esr_cost_centres = cost_centres,
    .esr_call_handlers = call_handlers,
    .esr_logs_nothing = logs_nothing,
};

__attribute__((constructor)) static void register_rts(void) {
  g_rts.esr_threaded = rtsSupportsBoundThreads();
  if (g_rts.esr_threaded) g_rts.esr_make_census = make_census;
#ifdef NEEDS_STOPPED_WORLD
  if (g_rts.esr_threaded && g_stopAllCapabilities != NULL)
    g_rts.esr_flush = flush_here;
#else
  /* Without -threaded nothing in the RTS is locked: only its own thread may
   * call it. */
  if (g_rts.esr_threaded) {
    g_rts.esr_flush = flush_here;
    g_rts.esr_flush_by_default = true;
    g_rts.esr_take_flushes = take_flushes;
    g_rts.esr_give_back_flushes = give_back_flushes;
  }
#endif
  eventlog_socket_rts_register(&g_rts);
}

/* ------------------------------------------------------------------- main -- */

/* Does what hs_main does, but separately from hs_init, so that work can be done before
 * the closure runs. */
static void run_and_exit(StgClosure *main_closure) {
  Capability *cap = rts_lock();
  rts_evalLazyIO(&cap, main_closure, NULL);
  SchedulerStatus status = rts_getSchedStatus(cap);
  rts_unlock(cap);
  int exit_status = EXIT_SUCCESS;
  switch (status) {
  case Success: break;
  case Killed:
    errorBelch("main thread exited (uncaught exception)");
    exit_status = EXIT_KILLED;
    break;
  case Interrupted:
    errorBelch("interrupted");
    exit_status = EXIT_INTERRUPTED;
    break;
  case HeapExhausted: exit_status = EXIT_HEAPOVERFLOW; break;
  default: barf("main thread completed with invalid status");
  }
  shutdownHaskellAndExit(exit_status, 0 /* not fast: run the exit hooks */);
}

static void complain(const char *what, EventlogSocketStatus status) {
  char *reason = eventlog_socket_strerror(status);
  fprintf(stderr, "eventlog-socket: %s: %s\n", what,
          reason == NULL ? "out of memory" : reason);
  free(reason);
}

void eventlog_socket_wrap_hs_main(int argc, char *argv[], RtsConfig rts_config,
                                  StgClosure *main_closure,
                                  const EventlogSocketAddr *addr,
                                  const EventlogSocketOpts *opts) {
  EventlogSocketStatus status = eventlog_socket_init(addr, opts);
  bool streaming = status.ess_status_code == EVENTLOG_SOCKET_OK;
  if (streaming) {
    rts_config.eventlog_writer = &EventLogSocketWriter;
    hook_config(&rts_config);
  } else {
    complain("running without streaming", status);
  }
  hs_init_ghc(&argc, &argv, rts_config);
  if (streaming) {
    status = eventlog_socket_signal_ghc_rts_ready();
    if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
      complain("running without streaming", status);
    } else if (opts != NULL && opts->eso_wait && addr->esa_tag != EVENTLOG_SOCKET_NONE) {
      status = eventlog_socket_wait();
      if (status.ess_status_code != EVENTLOG_SOCKET_OK)
        complain("not waiting for a client", status);
    }
  }
  run_and_exit(main_closure);
}

int eventlog_socket_hs_main(int argc, char *argv[], RtsConfig conf,
                            StgClosure *main_closure) {
  hook_config(&conf);
  hs_init_ghc(&argc, &argv, conf);
  eventlog_socket_ready();
  run_and_exit(main_closure);
  return EXIT_FAILURE; /* not reached */
}
