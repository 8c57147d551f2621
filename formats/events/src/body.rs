//! Every event that GHC writes, up to 9.14, typed.

use crate::codes::{BlockSize, Breakdown, CapsetType, StopStatus};
use crate::text::{Stack, Text, Texts};
use crate::value::{Field, Value};
use crate::wire::{self, Cursor};

event_table! {
    /// A thread was created.
    CreateThread CREATE_THREAD = 0, 4, "create_thread" {
        /// The new thread.
        thread: num u32,
    };
    /// A thread starts to run on this capability.
    RunThread RUN_THREAD = 1, 4, "run_thread" {
        /// The thread.
        thread: num u32,
    };
    /// A thread stops running.
    StopThread STOP_THREAD = 2, 10, "stop_thread" {
        /// The thread.
        thread: num u32,
        /// Why it stops.
        status: code StopStatus,
        /// The owner of the black hole, the stack size in words, or 0: see `status`
        /// (since 7.2).
        info: opt Option<u32>,
    };
    /// A thread can run (not reliable: newer systems rarely write it).
    ThreadRunnable THREAD_RUNNABLE = 3, 4, "thread_runnable" {
        /// The thread.
        thread: num u32,
    };
    /// A thread moves to another capability. Written by the one that it leaves.
    MigrateThread MIGRATE_THREAD = 4, 6, "migrate_thread" {
        /// The thread.
        thread: num u32,
        /// The capability it moves to.
        new_cap: num u16,
    };
    /// The runtime system ends (old logs).
    Shutdown SHUTDOWN = 7, 0, "shutdown";
    /// A thread is woken. This is a message, not a change of the thread's state.
    ThreadWakeup THREAD_WAKEUP = 8, 6, "thread_wakeup" {
        /// The thread.
        thread: num u32,
        /// The capability on which it will run.
        other_cap: num u16,
    };
    /// A garbage collection starts. Its time may precede that of earlier events.
    GcStart GC_START = 9, 0, "gc_start";
    /// A garbage collection ends. Its time may precede that of earlier events.
    GcEnd GC_END = 10, 0, "gc_end";
    /// A sequential collection is asked for.
    RequestSeqGc REQUEST_SEQ_GC = 11, 0, "request_seq_gc";
    /// A parallel collection is asked for.
    RequestParGc REQUEST_PAR_GC = 12, 0, "request_par_gc";
    /// A thread that evaluates sparks was created.
    CreateSparkThread CREATE_SPARK_THREAD = 15, 4, "create_spark_thread" {
        /// The new thread.
        spark_thread: num u32,
    };
    /// A message of the runtime system.
    LogMsg LOG_MSG = 16, var, "log_msg" {
        /// The message.
        message: rest Text<'a>,
    };
    /// The program starts (old logs).
    Startup STARTUP = 17, 2, "startup" {
        /// How many capabilities there are.
        capabilities: num u16,
    };
    /// A message of the program (`traceEvent`).
    UserMsg USER_MSG = 19, var, "user_msg" {
        /// The message.
        message: rest Text<'a>,
    };
    /// A GC thread has nothing to do.
    GcIdle GC_IDLE = 20, 0, "gc_idle";
    /// A GC thread works.
    GcWork GC_WORK = 21, 0, "gc_work";
    /// A GC thread is done.
    GcDone GC_DONE = 22, 0, "gc_done";
    /// Version of the program that wrote the log (Eden).
    Version VERSION = 23, var, "version" {
        /// The version.
        version: rest Text<'a>,
    };
    /// How the program was started (Eden).
    ProgramInvocation PROGRAM_INVOCATION = 24, var, "program_invocation" {
        /// The command line.
        command: rest Text<'a>,
    };
    /// A capability set was created.
    CapsetCreate CAPSET_CREATE = 25, 6, "capset_create" {
        /// The set.
        capset: num u32,
        /// What it groups.
        capset_type: code CapsetType,
    };
    /// A capability set was deleted.
    CapsetDelete CAPSET_DELETE = 26, 4, "capset_delete" {
        /// The set.
        capset: num u32,
    };
    /// A capability joins a set.
    CapsetAssignCap CAPSET_ASSIGN_CAP = 27, 6, "capset_assign_cap" {
        /// The set.
        capset: num u32,
        /// The capability.
        assigned_cap: num u16,
    };
    /// A capability leaves a set.
    CapsetRemoveCap CAPSET_REMOVE_CAP = 28, 6, "capset_remove_cap" {
        /// The set.
        capset: num u32,
        /// The capability.
        removed_cap: num u16,
    };
    /// Which runtime system this is.
    RtsIdentifier RTS_IDENTIFIER = 29, var, "rts_identifier" {
        /// The set that it runs.
        capset: num u32,
        /// Its version and way.
        identifier: rest Text<'a>,
    };
    /// The program's arguments, its name first.
    ProgramArgs PROGRAM_ARGS = 30, var, "program_args" {
        /// The process.
        capset: num u32,
        /// The arguments.
        args: cstrs Texts<'a>,
    };
    /// The program's environment (not written by current systems).
    ProgramEnv PROGRAM_ENV = 31, var, "program_env" {
        /// The process.
        capset: num u32,
        /// The variables, as `NAME=value`.
        env: cstrs Texts<'a>,
    };
    /// The process id.
    OsprocessPid OSPROCESS_PID = 32, 8, "osprocess_pid" {
        /// The process.
        capset: num u32,
        /// Its id.
        pid: num u32,
    };
    /// The parent's process id.
    OsprocessPpid OSPROCESS_PPID = 33, 8, "osprocess_ppid" {
        /// The process.
        capset: num u32,
        /// Its parent's id.
        ppid: num u32,
    };
    /// Running totals of this capability's sparks.
    SparkCounters SPARK_COUNTERS = 34, 56, "spark_counters" {
        /// Put into the pool.
        created: num u64,
        /// Evaluated already when sparked.
        dud: num u64,
        /// Lost to a full pool.
        overflowed: num u64,
        /// Evaluated in parallel.
        converted: num u64,
        /// Found unreachable.
        gcd: num u64,
        /// Evaluated by someone else first.
        fizzled: num u64,
        /// In the pool now.
        remaining: num u64,
    };
    /// A spark was put into the pool.
    SparkCreate SPARK_CREATE = 35, 0, "spark_create";
    /// A spark was evaluated already.
    SparkDud SPARK_DUD = 36, 0, "spark_dud";
    /// A spark was lost: the pool is full.
    SparkOverflow SPARK_OVERFLOW = 37, 0, "spark_overflow";
    /// A spark of this capability's own pool is evaluated.
    SparkRun SPARK_RUN = 38, 0, "spark_run";
    /// A spark of another capability is evaluated.
    SparkSteal SPARK_STEAL = 39, 2, "spark_steal" {
        /// Whose it was.
        victim_cap: num u16,
    };
    /// A spark was evaluated before its turn.
    SparkFizzle SPARK_FIZZLE = 40, 0, "spark_fizzle";
    /// An unreachable spark was dropped.
    SparkGc SPARK_GC = 41, 0, "spark_gc";
    /// Gives a number to a string (declared since 9.4, not written yet).
    InternString INTERN_STRING = 42, var, "intern_string" {
        /// The string.
        string: before_id Text<'a>,
        /// Its number.
        string_id: num u32,
    };
    /// The wall clock at this event's own time: see [`WallClock`](crate::WallClock).
    WallClockTime WALL_CLOCK_TIME = 43, 16, "wall_clock_time" {
        /// The clock domain.
        capset: num u32,
        /// Seconds since the Unix epoch.
        seconds: num u64,
        /// Nanoseconds of that second.
        nanoseconds: num u32,
    };
    /// Gives a name to a thread.
    ThreadLabel THREAD_LABEL = 44, var, "thread_label" {
        /// The thread.
        thread: num u32,
        /// Its name.
        label: rest Text<'a>,
    };
    /// A capability was created. Events of it may arrive before this one.
    CapCreate CAP_CREATE = 45, 2, "cap_create" {
        /// The capability.
        created_cap: num u16,
    };
    /// A capability was deleted.
    CapDelete CAP_DELETE = 46, 2, "cap_delete" {
        /// The capability.
        deleted_cap: num u16,
    };
    /// A capability is not used until further notice.
    CapDisable CAP_DISABLE = 47, 2, "cap_disable" {
        /// The capability.
        disabled_cap: num u16,
    };
    /// A capability is used again.
    CapEnable CAP_ENABLE = 48, 2, "cap_enable" {
        /// The capability.
        enabled_cap: num u16,
    };
    /// Bytes allocated by this capability since the start: a running total, see [`Allocations`](crate::Allocations).
    HeapAllocated HEAP_ALLOCATED = 49, 12, "heap_allocated" {
        /// The heap.
        capset: num u32,
        /// The total.
        bytes: num u64,
    };
    /// Size of the heap, in whole megablocks.
    HeapSize HEAP_SIZE = 50, 12, "heap_size" {
        /// The heap.
        capset: num u32,
        /// Its size.
        bytes: num u64,
    };
    /// Live data found by the last major collection.
    HeapLive HEAP_LIVE = 51, 12, "heap_live" {
        /// The heap.
        capset: num u32,
        /// The live bytes.
        bytes: num u64,
    };
    /// How the heap is set up.
    HeapInfoGhc HEAP_INFO_GHC = 52, 38, "heap_info_ghc" {
        /// The heap.
        capset: num u32,
        /// How many generations.
        generations: num u16,
        /// Its largest size in bytes, 0 for none.
        max_heap: num u64,
        /// Bytes of an allocation area.
        alloc_area: num u64,
        /// Bytes of a megablock.
        mblock_size: num u64,
        /// Bytes of a block.
        block_size: num u64,
    };
    /// What a collection did. The numbers are bytes except for the first and `par_threads`.
    GcStatsGhc GC_STATS_GHC = 53, 58, "gc_stats_ghc" {
        /// The heap.
        capset: num u32,
        /// The oldest generation collected.
        generation: num u16,
        /// Copied.
        copied: num u64,
        /// Wasted at block ends.
        slop: num u64,
        /// Memory kept that is not used.
        fragmentation: num u64,
        /// Threads that took part.
        par_threads: num u32,
        /// Copied by the busiest of them.
        par_max_copied: num u64,
        /// Copied by all of them.
        par_tot_copied: num u64,
        /// Copied in balance (since 8.4).
        par_balanced_copied: opt Option<u64>,
    };
    /// All capabilities have stopped for a collection.
    GcGlobalSync GC_GLOBAL_SYNC = 54, 0, "gc_global_sync";
    /// An OS thread joins the runtime system.
    TaskCreate TASK_CREATE = 55, 18, "task_create" {
        /// The task.
        task: num u64,
        /// Its capability.
        task_cap: num u16,
        /// The operating system's id of the thread.
        kernel_thread: num u64,
    };
    /// An OS thread moves to another capability.
    TaskMigrate TASK_MIGRATE = 56, 12, "task_migrate" {
        /// The task.
        task: num u64,
        /// The capability it left.
        old_cap: num u16,
        /// The capability it moves to.
        new_cap: num u16,
    };
    /// An OS thread leaves the runtime system.
    TaskDelete TASK_DELETE = 57, 8, "task_delete" {
        /// The task.
        task: num u64,
    };
    /// A marker of the program (`traceMarker`).
    UserMarker USER_MARKER = 58, var, "user_marker" {
        /// The marker.
        marker: rest Text<'a>,
    };
    /// Not an event: padding for a bug in an old reader.
    HackBugT9003 HACK_BUG_T9003 = 59, 0, "hack_bug_t9003";
    /// Memory was offered back to the operating system; in megablocks.
    MemReturn MEM_RETURN = 90, 16, "mem_return" {
        /// The heap.
        capset: num u32,
        /// Megablocks held.
        current: num u32,
        /// Megablocks needed.
        needed: num u32,
        /// Megablocks given back.
        returned: num u32,
    };
    /// Memory in blocks that are in use.
    BlocksSize BLOCKS_SIZE = 91, 12, "blocks_size" {
        /// The heap.
        capset: num u32,
        /// The bytes.
        bytes: num u64,
    };
    /// Heap profiling is on. The filters are those of the command line, mostly empty.
    HeapProfBegin HEAP_PROF_BEGIN = 160, var, "heap_prof_begin" {
        /// The profile (always 0 so far).
        profile: num u8,
        /// Nanoseconds between samples.
        period: num u64,
        /// What it is broken down by.
        breakdown: code Breakdown,
        /// Modules.
        module_filter: cstr Text<'a>,
        /// Closure descriptions.
        closure_filter: cstr Text<'a>,
        /// Type descriptions.
        type_filter: cstr Text<'a>,
        /// Cost centres.
        cost_centre_filter: cstr Text<'a>,
        /// Cost-centre stacks.
        stack_filter: cstr Text<'a>,
        /// Retainers.
        retainer_filter: cstr Text<'a>,
        /// Biographies.
        biography_filter: cstr Text<'a>,
    };
    /// A cost centre is defined.
    HeapProfCostCentre HEAP_PROF_COST_CENTRE = 161, var, "heap_prof_cost_centre" {
        /// Its number.
        cost_centre: num u32,
        /// Its label.
        label: cstr Text<'a>,
        /// Its module.
        module: cstr Text<'a>,
        /// Its place in the source.
        location: cstr Text<'a>,
        /// 1 for a top-level constant.
        is_caf: num u8,
    };
    /// A heap sample begins.
    HeapProfSampleBegin HEAP_PROF_SAMPLE_BEGIN = 162, 8, "heap_prof_sample_begin" {
        /// Its number.
        era: num u64,
    };
    /// A cost-centre stack's share of the heap.
    HeapProfSampleCostCentre HEAP_PROF_SAMPLE_COST_CENTRE = 163, var, "heap_prof_sample_cost_centre" {
        /// The profile.
        profile: num u8,
        /// Bytes.
        residency: num u64,
        /// The stack, innermost first.
        stack: stack Stack<'a>,
    };
    /// A named band's share of the heap.
    HeapProfSampleString HEAP_PROF_SAMPLE_STRING = 164, var, "heap_prof_sample_string" {
        /// The profile.
        profile: num u8,
        /// Bytes.
        residency: num u64,
        /// The band.
        label: cstr Text<'a>,
    };
    /// A heap sample is complete.
    HeapProfSampleEnd HEAP_PROF_SAMPLE_END = 165, 8, "heap_prof_sample_end" {
        /// Its number.
        era: num u64,
    };
    /// A biographical heap sample begins. All of them are written at exit.
    HeapBioProfSampleBegin HEAP_BIO_PROF_SAMPLE_BEGIN = 166, 16, "heap_bio_prof_sample_begin" {
        /// Its number.
        era: num u64,
        /// When it was taken, in nanoseconds.
        sample_time: num u64,
    };
    /// A sample of the time profiler.
    ProfSampleCostCentre PROF_SAMPLE_COST_CENTRE = 167, var, "prof_sample_cost_centre" {
        /// The capability.
        sampled_cap: num u32,
        /// Which tick.
        tick: num u64,
        /// What it was doing, innermost first.
        stack: stack Stack<'a>,
    };
    /// Time profiling is on.
    ProfBegin PROF_BEGIN = 168, 8, "prof_begin" {
        /// Nanoseconds between ticks.
        tick_interval: num u64,
    };
    /// Information about an info table.
    Ipe IPE = 169, var, "ipe" {
        /// Its address, or its stable number.
        info: num u64,
        /// Its name.
        table_name: cstr Text<'a>,
        /// The closure type, as a decimal number.
        closure_desc: cstr Text<'a>,
        /// The type.
        type_desc: cstr Text<'a>,
        /// The binding.
        label: cstr Text<'a>,
        /// The module.
        module: cstr Text<'a>,
        /// File and span.
        location: cstr Text<'a>,
    };
    /// Bytes from the program (`traceBinaryEvent`).
    UserBinaryMsg USER_BINARY_MSG = 181, var, "user_binary_msg" {
        /// The bytes.
        data: blob &'a [u8],
    };
    /// Non-moving collection: concurrent marking starts.
    ConcMarkBegin CONC_MARK_BEGIN = 200, 0, "conc_mark_begin";
    /// Non-moving collection: concurrent marking ends.
    ConcMarkEnd CONC_MARK_END = 201, 4, "conc_mark_end" {
        /// How many objects were marked.
        marked: num u32,
    };
    /// Non-moving collection: the final pause starts.
    ConcSyncBegin CONC_SYNC_BEGIN = 202, 0, "conc_sync_begin";
    /// Non-moving collection: the final pause ends.
    ConcSyncEnd CONC_SYNC_END = 203, 0, "conc_sync_end";
    /// Non-moving collection: sweeping starts.
    ConcSweepBegin CONC_SWEEP_BEGIN = 204, 0, "conc_sweep_begin";
    /// Non-moving collection: sweeping ends.
    ConcSweepEnd CONC_SWEEP_END = 205, 0, "conc_sweep_end";
    /// Non-moving collection: a capability gave up its update remembered set.
    ConcUpdRemSetFlush CONC_UPD_REM_SET_FLUSH = 206, 2, "conc_upd_rem_set_flush" {
        /// The capability.
        flushed_cap: num u16,
    };
    /// Non-moving collection: segments of one block size.
    NonmovingHeapCensus NONMOVING_HEAP_CENSUS = 207, 14, "nonmoving_heap_census" {
        /// Size of their blocks.
        block_size: blocksize BlockSize,
        /// Partly filled segments.
        active_segments: num u32,
        /// Filled segments.
        filled_segments: num u32,
        /// Live blocks.
        live_blocks: num u32,
    };
    /// Non-moving collection: segments given back.
    NonmovingPrunedSegments NONMOVING_PRUNED_SEGMENTS = 208, 8, "nonmoving_pruned_segments" {
        /// Segments given back.
        pruned: num u32,
        /// Free segments kept.
        free: num u32,
    };
    /// A ticky counter is defined.
    TickyCounterDef TICKY_COUNTER_DEF = 210, var, "ticky_counter_def" {
        /// Its number.
        counter: num u64,
        /// Arity of the closure.
        arity: num u16,
        /// Kinds of its arguments.
        arg_kinds: cstr Text<'a>,
        /// Its name.
        name: cstr Text<'a>,
        /// Its info table (since 9.4).
        info: opt Option<u64>,
        /// More about it (since 9.4).
        json: optcstr Option<Text<'a>>,
    };
    /// Running totals of a ticky counter.
    TickyCounterSample TICKY_COUNTER_SAMPLE = 211, 32, "ticky_counter_sample" {
        /// The counter.
        counter: num u64,
        /// Entries.
        entries: num u64,
        /// Bytes allocated by the closure.
        allocs: num u64,
        /// Bytes allocated of the closure.
        allocated: num u64,
    };
    /// Ticky samples follow.
    TickyCounterBeginSample TICKY_COUNTER_BEGIN_SAMPLE = 212, 0, "ticky_counter_begin_sample";

    // Types that have a name but no typed body: too old, part of the format itself, or written by
    // systems other than GHC's.
    @untyped
    RUN_SPARK = 5, "run_spark";
    STEAL_SPARK = 6, "steal_spark";
    CREATE_SPARK = 13, "create_spark";
    SPARK_TO_THREAD = 14, "spark_to_thread";
    BLOCK_MARKER = 18, "block_marker";
    // Eden, a parallel Haskell.
    EDEN_START_RECEIVE = 60, "eden_start_receive";
    EDEN_END_RECEIVE = 61, "eden_end_receive";
    EDEN_CREATE_PROCESS = 62, "eden_create_process";
    EDEN_KILL_PROCESS = 63, "eden_kill_process";
    EDEN_ASSIGN_THREAD_TO_PROCESS = 64, "eden_assign_thread_to_process";
    EDEN_CREATE_MACHINE = 65, "eden_create_machine";
    EDEN_KILL_MACHINE = 66, "eden_kill_machine";
    EDEN_SEND_MESSAGE = 67, "eden_send_message";
    EDEN_RECEIVE_MESSAGE = 68, "eden_receive_message";
    EDEN_SEND_RECEIVE_LOCAL_MESSAGE = 69, "eden_send_receive_local_message";
    // Mercury.
    MERCURY_START_PAR_CONJUNCTION = 100, "mercury_start_par_conjunction";
    MERCURY_END_PAR_CONJUNCTION = 101, "mercury_end_par_conjunction";
    MERCURY_END_PAR_CONJUNCT = 102, "mercury_end_par_conjunct";
    MERCURY_CREATE_SPARK = 103, "mercury_create_spark";
    MERCURY_FUTURE_CREATE = 104, "mercury_future_create";
    MERCURY_FUTURE_WAIT_NOSUSPEND = 105, "mercury_future_wait_nosuspend";
    MERCURY_FUTURE_WAIT_SUSPENDED = 106, "mercury_future_wait_suspended";
    MERCURY_FUTURE_SIGNAL = 107, "mercury_future_signal";
    MERCURY_LOOKING_FOR_GLOBAL_CONTEXT = 108, "mercury_looking_for_global_context";
    MERCURY_WORK_STEALING = 109, "mercury_work_stealing";
    MERCURY_RELEASE_CONTEXT = 110, "mercury_release_context";
    MERCURY_ENGINE_SLEEPING = 111, "mercury_engine_sleeping";
    MERCURY_LOOKING_FOR_LOCAL_SPARK = 112, "mercury_looking_for_local_spark";
    MERCURY_CALLING_MAIN = 113, "mercury_calling_main";
    // Put in from records of Linux's perf.
    PERF_NAME = 140, "perf_name";
    PERF_COUNTER = 141, "perf_counter";
    PERF_TRACEPOINT = 142, "perf_tracepoint";
}

impl<'a> EventBody<'a> {
    /// The field with this name, if the event has it.
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        let mut found = None;
        self.fields(|field, value| {
            if field == name {
                found = Some(value);
            }
        });
        found
    }
}
