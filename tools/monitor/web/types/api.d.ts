/** Answers of the monitor's API (tools/monitor/README.md). All times: nanoseconds since the start of the log. */
declare namespace Api {
  interface Session {
    id: string;
    name: string;
    source: string;
    /** `null`, as `rts` and `pid`: the log has not said it yet. */
    program: string | null;
    pid: number | null;
    rts: string | null;
    args: string[];
    live: boolean;
    ended: boolean;
    error: string | null;
    /** Unix time of time 0, in nanoseconds. */
    wall: string | null;
    begin: number;
    end: number;
    bytes: number;
    events: number;
    caps: number;
    threads_live: number;
    threads_ever: number;
    lag: number | null;
    restarts: number;
    kept_from?: number | null;
    /** Of a heap profile (.hp): its first lines, and how many samples it has. */
    heap_file: { job: string; date: string; sample_unit: string; value_unit: string; samples: number } | null;
  }
  interface Missing {
    what: string;
    why: string;
    flag?: string | null;
  }
  interface Overview {
    program: Record<string, unknown>;
    uptime?: number | null;
    mutator?: number | null;
    collecting?: number | null;
    productivity?: number | null;
    heap: Record<string, number | null>;
    /** `null`: no collection yet. */
    pauses: Record<string, number | null> | null;
    event_rate?: number | null;
    losses?: Record<string, number | null>;
    missing?: Missing[];
    capabilities?: { cap: number; shares: Record<string, number> }[];
  }
  interface CapRow {
    row: string;
    cap: number;
    states?: string[];
    until: number;
  }
  interface Rows {
    caps: CapRow[];
    /** `ended`: when the last thread finished, if none is alive. */
    threads: { count: number; alive: number; ended: number | null };
    states: { cap: string[]; thread: string[] };
    reasons?: string[];
    kept_from?: number | null;
  }
  interface Thread {
    id: number;
    label: string | null;
    state: string | null;
    reason?: string | null;
    cap: number | null;
    run_time: number | null;
    blocked: Record<string, number> | null;
    switches: number | null;
    created: number | null;
    ended: number | null;
    until?: number | null;
    [field: string]: unknown;
  }
  interface Threads {
    total: number;
    rows: Thread[];
    kept_from?: number | null;
  }
  interface Interval {
    state: string;
    from: number;
    to: number | null;
    thread?: number | null;
    cap?: number | null;
    reason?: string | null;
    woken_by?: { time: number; cap: number | null; thread: number | null } | null;
    waits_for?: number | null;
    [field: string]: unknown;
  }
  interface Event {
    time: number;
    cap: number | null;
    name: string;
    text: string;
  }
  interface At {
    interval: Interval | null;
    events: Event[];
  }
  interface Events {
    more: boolean;
    looked_until?: number | null;
    rows: Event[];
    kept_from?: number | null;
  }
  interface Arrow {
    kind: string;
    time: number;
    from_cap: number | null;
    to_cap: number | null;
    thread: number | null;
    by: number | null;
  }
  interface Arrows {
    total: number;
    more?: boolean;
    rows: Arrow[];
    kept_from?: number | null;
  }
  interface Span {
    name: string;
    track: string | number | null;
    thread?: number | null;
    running?: number | null;
    collecting?: number | null;
    from: number;
    to: number | null;
    depth: number;
  }
  interface Spans {
    total: number;
    rows: Span[];
    kept_from?: number | null;
  }
  interface Bucket {
    from: number;
    to: number;
    count: number;
  }
  interface SpanSummary {
    name: string;
    count: number;
    total: number;
    p50: number | null;
    p90: number | null;
    p99: number | null;
    max: number | null;
    collecting?: number | null;
    blocked?: number | null;
    running?: number | null;
    histogram?: Bucket[];
  }
  /** time, smallest, largest, mean (gauge) or sum (counter, rate), count */
  type Point = [number, number | null, number | null, number | null, number];
  interface Series {
    unit: string;
    kind: "gauge" | "counter" | "rate";
    help: string;
    points: Point[];
  }
  interface SeriesAnswer {
    names: Record<string, Series>;
    kept_from?: number | null;
  }
  interface Collection {
    from: number;
    to: number | null;
    generation: number | null;
    cause?: string | null;
    sync?: number | null;
    copied?: number | null;
    slop?: number | null;
    fragmentation?: number | null;
    balance?: number | null;
    threads?: number | null;
    phases?: { kind: string; from: number; to: number }[];
    concurrent?: boolean;
  }
  interface Collections {
    total: number;
    rows: Collection[];
    histogram?: Record<string, Bucket[]>;
    kept_from?: number | null;
  }
  /** What the map of info tables tells; empty if it does not. */
  interface InfoTable {
    address: string;
    name: string;
    type: string;
    label: string;
    module: string;
    location: string;
  }
  interface Band {
    id: number;
    name: string;
    detail: string | null;
    table?: InfoTable;
    values: (number | null)[];
    trend?: number | null;
  }
  interface Heap {
    breakdown: string | null;
    samples: number[];
    bands: Band[];
    other?: (number | null)[];
    other_bands: number;
    missing?: Missing;
    kept_from?: number | null;
  }
  interface TreeNode {
    /** The index of the caller in the list. */
    parent: number | null;
    depth: number;
    cost_centre: number | null;
    label: string;
    module: string | null;
    location: string | null;
    inclusive: number;
    own: number;
  }
  interface HeapTree {
    time: number;
    total: number;
    nodes: TreeNode[];
    other_nodes: number;
  }
  interface HeapDiff {
    a?: number | null;
    b?: number | null;
    bands?: { id: string | number; name: string; a: number | null; b: number | null }[];
    rows?: { id: string | number; name: string; a: number | null; b: number | null }[];
  }
  interface Loss {
    time?: number;
    from?: number;
    cap?: number | null;
    cause?: string;
    events?: number;
    bytes?: number;
  }
  interface StreamState {
    blocks: number;
    /** Events that arrived out of order. */
    disorder: number;
    waiting_bytes: number;
    losses: Loss[];
    losses_total: number;
    lost: { notes: number; chunks: number; bytes: number; blocks: number; whole_from: number | null };
    unreadable_bytes: number;
    clients: number;
    memory: number | null;
  }
}
