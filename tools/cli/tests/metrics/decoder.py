#!/usr/bin/env python3
"""What docs/metrics.md says that a log means, computed by other means than the Rust code.

    decoder.py LOG [MOST]

Prints a JSON object: for each metric, for each set of attributes (as JSON with sorted keys), its
value. Durations are whole nanoseconds here, histograms lists of [bucket, count] at scale 3.
Plain Python 3, nothing else."""

import json
import struct
import sys
from collections import defaultdict

STOPS = {1: "heap_overflow", 2: "stack_overflow", 3: "yielding", 4: "blocked", 5: "finished",
         6: "foreign_call", 7: "blocked_on_mvar", 8: "blocked_on_black_hole", 9: "blocked_on_read",
         10: "blocked_on_write", 11: "blocked_on_delay", 12: "blocked_on_stm",
         13: "blocked_on_do_proc", 16: "blocked_on_ccall", 17: "blocked_on_ccall_interruptible",
         18: "blocked_on_throw_to", 19: "migrating", 20: "blocked_on_mvar_read"}
RUNNABLE_AFTER = {1, 2, 3, 19}
FOREIGN = {6, 16, 17}
BREAKDOWNS = {1: "cost_centre", 2: "module", 3: "closure_description", 4: "type_description",
              5: "retainer", 6: "biography", 7: "closure_type", 8: "info_table", 9: "era"}
STATES = ["mutator", "collecting", "waiting_for_collection", "switching", "writing_log", "idle"]


def bucket(nanos):
    """The i with 2^(i/8) s < duration <= 2^((i+1)/8) s, in whole numbers only."""
    def longer_than(i):  # nanos > 2^(i/8) * 10^9
        left, right = nanos ** 8, 10 ** 72
        return left > right << i if i >= 0 else left << -i > right
    i = 8 * (nanos.bit_length() - 30)
    while longer_than(i + 1):
        i += 1
    while not longer_than(i):
        i -= 1
    return i


class Histogram:
    def __init__(self):
        self.count = self.sum = self.zero = 0
        self.buckets = defaultdict(int)

    def record(self, nanos):
        self.count += 1
        self.sum += nanos
        if nanos:
            self.buckets[bucket(nanos)] += 1
        else:
            self.zero += 1

    def told(self):
        return {"count": self.count, "sum": self.sum, "zero": self.zero,
                "buckets": sorted(self.buckets.items())}


class Event:
    __slots__ = ("id", "time", "cap", "data", "at", "order")

    def __init__(self, id, time, cap, data, at):
        self.id, self.time, self.cap, self.data, self.at = id, time, cap, data, at

    def take(self, layout, at=0):
        return struct.unpack_from(">" + layout, self.data, at)

    def text(self, at=0):
        return self.data[at:].split(b"\0")[0].decode("utf-8", "replace")

    def texts(self, at=0):
        return [part.decode("utf-8", "replace") for part in self.data[at:].split(b"\0")]


def read(log):
    """The sizes of events, and what follows the header: blocks, and events with their capability."""
    assert log[:8] == b"hdrbhetb", "a log"
    at, sizes = 8, {}
    while log[at:at + 4] == b"etb\0":
        id, size, length = struct.unpack_from(">HHI", log, at + 4)
        at += 12 + length
        extra, = struct.unpack_from(">I", log, at)
        at += 4 + extra
        assert log[at:at + 4] == b"ete\0"
        at += 4
        sizes[id] = size
    assert log[at:at + 12] == b"hetehdredatb", log[at:at + 12]
    at += 12
    cap, block_ends, block_at, items = None, 0, at, []
    while True:
        if cap is not None and at >= block_ends:
            cap = None
        if len(log) - at < 2:
            break
        id, = struct.unpack_from(">H", log, at)
        if id == 0xffff:
            break
        size, head = sizes[id], 10
        if size == 0xffff:
            if len(log) - at < 12:
                break
            size, = struct.unpack_from(">H", log, at + 10)
            head = 12
            if id == 169:
                # Later systems say one byte too many: a number and six texts are what there is.
                end = at + 20
                for _ in range(6):
                    end = log.find(b"\0", end) + 1
                size = min(size, end - at - 12) if end > at + 20 else size
        if len(log) - at < head + size:
            break
        time, = struct.unpack_from(">Q", log, at + 2)
        data = log[at + head:at + head + size]
        if id == 18:
            length, end, number = struct.unpack(">IQH", data)
            cap = number if number != 0xffff else None
            block_ends, block_at = at + length, at
            items.append(("block", cap, time, end, block_at))
        else:
            items.append(("event", cap, Event(id, time, cap, data, at), block_at))
        at += head + size
    return sizes, items


def ordered(items):
    """Global events first; then those of capabilities by the time with which they count: their own,
    or the latest before of their capability, or the end of the block before."""
    first, rest, reached, ends, open_block = [], [], defaultdict(int), defaultdict(int), {}
    for item in items:
        cap = item[1]
        if item[0] == "block":
            if cap is not None:
                reached[cap] = max(reached[cap], ends[cap])
                open_block[cap], ends[cap] = item, item[3]
            continue
        event, block_at = item[2], item[3]
        if cap is None:
            first.append(("event", event))
            continue
        if cap in open_block:
            _, _, begin, end, _ = open_block.pop(cap)
            time = max(event.time, reached[cap])
            rest.append((time, block_at, cap, event.at - 1, ("block", cap, begin, end)))
        time = max(event.time, reached[cap])
        reached[cap] = time
        rest.append((time, block_at, cap, event.at, ("event", event)))
    rest.sort(key=lambda entry: entry[:4])
    return first + [entry[4] for entry in rest]


class Cap:
    def __init__(self):
        self.running = None       # thread
        self.requested = False
        self.collecting = None    # None, or what its collector does
        self.runnable = 0
        self.state, self.since = None, 0
        self.times = dict.fromkeys(STATES, 0)
        self.block_end = 0

    def doing(self, alone):
        if self.collecting is not None:
            if self.collecting == "working":
                return "collecting"
            if self.collecting == "idle":
                return "waiting_for_collection"
            return "collecting" if alone or self.requested else "waiting_for_collection"
        if self.requested:
            return "waiting_for_collection"
        if self.running is not None:
            return "mutator"
        return "switching" if self.runnable else "idle"

    def enter(self, state, time):
        time = max(time, self.since)
        if self.state is not None:
            self.times[self.state] += time - self.since
        self.state, self.since = state, time


class Thread:
    def __init__(self, state, since, cap, reason=None):
        self.state, self.since, self.cap, self.reason = state, since, cap, reason


class Runtime:
    def __init__(self, most):
        self.most = most
        self.caps, self.announced, self.known, self.disabled = {}, set(), set(), set()
        self.threads, self.finished = {}, set()
        self.c = defaultdict(int)
        self.stops = defaultdict(int)
        self.schedule, self.blocked = Histogram(), defaultdict(Histogram)
        self.gc = {}
        self.sync, self.mark, self.final = Histogram(), Histogram(), Histogram()
        self.told = defaultdict(dict)
        self.last = None
        self.phases = {}
        self.heap, self.mem, self.info = {}, None, None
        self.allocated, self.sparks = {}, {}
        self.tasks, self.tells_tasks, self.tells_threads = set(), False, False
        self.centres, self.tables, self.places = {}, {}, {}
        self.breakdown, self.sample, self.bands = None, None, {}
        self.spans, self.open = defaultdict(Histogram), defaultdict(list)
        self.resource = {}
        self.reached = self.latest = 0

    def cap(self, number):
        if number not in self.caps:
            self.caps[number] = Cap()
        return self.caps[number]

    def update(self, number, time):
        cap = self.cap(number)
        state = cap.doing(len(self.caps) <= 1)
        if state != cap.state:
            cap.enter(state, time)

    def block(self, number, begin, end):
        cap = self.cap(number)
        if cap.block_end and begin > cap.block_end >= cap.since and cap.state is not None:
            state = cap.state
            cap.enter("writing_log", cap.block_end)
            cap.enter(state, begin)
        cap.block_end = max(cap.block_end, end)

    # Threads

    def leave(self, id, time, runs=False):
        """The thread's state ends."""
        thread = self.threads[id]
        took = time - min(thread.since, time)
        if thread.state == "blocked":
            self.blocked[thread.reason].record(took)
        elif thread.state == "runnable" and runs:
            self.schedule.record(took)

    def enter(self, id, time, state, reason=None, runs=False):
        self.leave(id, time, runs)
        thread = self.threads[id]
        thread.state, thread.since, thread.reason = state, time, reason

    def no_longer_ready(self, was, here, time):
        if was is None:
            return
        cap = self.cap(was)
        cap.runnable = max(0, cap.runnable - 1)
        if was != here:
            self.update(was, time)

    def thread_event(self, event):
        e, here, time = event, event.cap, event.time
        self.tells_threads = True
        id, = e.take("I")
        if e.id == 0:
            self.c["created"] += 1
            if id in self.threads:
                thread = self.threads[id]
                if thread.state == "unknown":
                    thread.cap = here if thread.cap is None else thread.cap
                    self.enter(id, time, "runnable")
                    self.cap(thread.cap).runnable += 1
                    self.update(thread.cap, time)
                return
            self.finished.discard(id)
            self.threads[id] = Thread("runnable", time, here)
            self.cap(here).runnable += 1
            self.update(here, time)
        elif e.id == 1:
            cap = self.cap(here)
            if cap.collecting is None:
                cap.requested = False
            before, cap.running = cap.running, id
            if before is not None and before != id and before in self.threads:
                if self.threads[before].state == "running":
                    self.enter(before, time, "unknown")
            if id in self.threads:
                thread = self.threads[id]
                was = thread.cap if thread.state == "runnable" else None
                thread.cap = here
                self.enter(id, time, "running", runs=True)
                self.no_longer_ready(was, here, time)
            elif id not in self.finished:
                self.threads[id] = Thread("running", time, here)
            self.update(here, time)
        elif e.id == 2:
            status, = e.take("H", 4)
            self.stops[status] += 1
            if status == 5:
                self.c["finished"] += 1
                state = "finished"
            elif status in RUNNABLE_AFTER:
                state = "runnable"
            else:
                state = "foreign_call" if status in FOREIGN else "blocked"
            cap = self.cap(here)
            cap.running = None
            if id in self.threads:
                thread = self.threads[id]
                was = thread.cap if thread.state == "runnable" else None
                thread.cap = here
                self.enter(id, time, state, status)
                self.no_longer_ready(was, here, time)
                if state == "runnable":
                    cap.runnable += 1
                if state == "finished":
                    del self.threads[id]
                    self.finished.add(id)
            elif id not in self.finished:
                if state == "finished":
                    self.finished.add(id)
                else:
                    self.threads[id] = Thread(state, time, here, status)
                    cap.runnable += state == "runnable"
            self.update(here, time)
        elif e.id == 4:
            self.c["migrations"] += 1
            to, = e.take("H", 4)
            if id not in self.threads:
                return
            thread = self.threads[id]
            was = thread.cap if thread.state == "runnable" else None
            thread.cap = to
            if thread.state != "running":
                # Only threads that are ready are passed on.
                if thread.state != "runnable":
                    self.enter(id, time, "runnable")
                self.no_longer_ready(was, to, time)
                self.cap(to).runnable += 1
                self.update(here, time)
                self.update(to, time)
        elif e.id == 8:
            to, = e.take("H", 4)
            thread = self.threads.get(id)
            if to != here or thread is None or thread.state != "blocked" or thread.cap != to:
                return
            self.enter(id, time, "runnable")
            self.cap(to).runnable += 1
            self.update(to, time)

    # Collections

    def collection(self, event, declared):
        cap, told, time = self.cap(event.cap), self.told[event.cap], event.time
        done = None
        if event.id in (11, 12):
            cap.requested = True
            told["requested"] = time
        elif event.id == 54:
            pass  # It says only when it was written.
        elif event.id == 9:
            cap.collecting = "silent"
            told.update(start=time, stats=None, over=None)
        elif event.id == 10:
            cap.collecting, cap.requested = None, False
            if told.get("start") is not None:
                start, told["start"] = told["start"], None
                interval = (start, max(start, time))
                stats = told.get("stats")
                if stats is not None:
                    told["stats"], done = None, (interval, stats)
                else:
                    assert declared, "these systems write statistics"
                    told["over"] = interval
        elif event.id == 53:
            stats = event.take("HQQQIQQQ", 4)
            if told.get("over"):
                done, told["over"] = (told["over"], stats), None
            else:
                told["stats"] = stats
        elif cap.collecting is not None:
            cap.collecting = {20: "idle", 21: "working", 22: "done"}[event.id]
        self.update(event.cap, time)
        if done is None:
            return
        (start, end), (generation, copied, slop, fragmentation, threads, _, total, balanced) = done
        requested = told.pop("requested", None)
        if requested is not None:
            self.sync.record(max(0, start - requested))
        of = self.gc.setdefault(generation, [0, Histogram(), 0])
        of[0] += 1
        of[1].record(end - start)
        of[2] += copied
        if threads > 1:
            self.c["parallel"] += total
            self.c["balanced"] += balanced
        self.last = (fragmentation, slop)

    # Heap profile

    def name_of(self, label):
        """Name and place in the source of a band by info table."""
        info = int(label, 16) if label.startswith("0x") else None
        if info not in self.tables:
            return label, None
        _, module, place = self.tables[info]
        if place:
            info = self.places[(info >> 48, module, place)]
        name, module, place = self.tables[info]
        return (f"{module}.{name}" if module else name), place or None

    def profile(self, event):
        e = event
        if e.id == 160:
            self.breakdown = BREAKDOWNS.get(e.take("I", 9)[0], "unknown")
        elif e.id in (162, 166):
            self.sample = defaultdict(int)
        elif e.id == 164 and self.sample is not None:
            residency, = e.take("Q", 1)
            label = e.text(9)
            named = self.name_of(label) if self.breakdown == "info_table" else (label, None)
            self.sample[named] += residency
        elif e.id == 163 and self.sample is not None:
            residency, depth = e.take("QB", 1)
            stack = e.take(f"{depth}I", 10)
            names = [self.centres.get(id, (f"cost centre {id}", ""))[0] for id in reversed(stack)]
            place = self.centres.get(stack[0], ("", ""))[1] if stack else ""
            self.sample["/".join(names) or "MAIN", place or None] += residency
        elif e.id == 165 and self.sample is not None:
            ranked = sorted(self.sample.items(),
                            key=lambda band: (-band[1], band[0][0].encode(), band[0][1] or ""))
            bands = dict(ranked[:self.most])
            if ranked[self.most:]:
                bands["other", None] = sum(size for _, size in ranked[self.most:])
            for key, size in self.bands.items():
                if size:
                    bands.setdefault(key, 0)
            self.bands, self.sample = bands, None

    # Spans

    def message(self, event):
        text = event.data.decode("utf-8", "replace") if event.id == 19 else event.text()
        text = text.rstrip("\0") if event.id == 58 else text
        word, _, rest = text.partition(" ")
        if word not in ("START", "STOP", "END") or not rest:
            return
        number, name = None, rest
        digits, space, after = rest.partition(" ")
        if space and after and digits.isascii() and digits.isdigit():
            number, name = int(digits), after
        cap = self.caps.get(event.cap)
        thread = cap.running if cap else None
        waiting = self.open[name, number]
        if word == "START":
            waiting.append((thread, event.time))
            return
        own = [at for at, (whose, _) in enumerate(waiting) if whose == thread]
        if waiting:
            _, start = waiting.pop(own[-1] if own else -1)
            self.spans[name].record(max(0, event.time - start))

    def event(self, e, declared):
        self.c["events"] += 1
        self.latest = max(self.latest, e.time)
        if e.cap is not None:
            self.reached = max(self.reached, e.time)
        i = e.id
        if i in (0, 1, 2, 4, 8):
            self.thread_event(e)
        elif i in (9, 10, 11, 12, 20, 21, 22, 53, 54):
            self.collection(e, declared)
        elif i == 44:
            id, = e.take("I")
            if id not in self.threads and id not in self.finished:
                self.threads[id] = Thread("unknown", e.time, None)
        elif i in (19, 58):
            self.c["messages" if i == 19 else "markers"] += 1
            self.message(e)
        elif i == 34:
            self.sparks[e.cap] = e.take("7Q")
        elif i == 17:
            for number in range(e.take("H")[0]):
                self.cap(number)
                self.announced.add(number)
        elif i in (45, 46, 47, 48):
            number, = e.take("H")
            self.cap(number)
            if i == 45:
                self.announced.add(number)
                self.known.add(number)
            elif i == 46:
                self.announced.discard(number)
                self.disabled.discard(number)
                self.known.add(number)
            else:
                (self.disabled.add if i == 47 else self.disabled.discard)(number)
        elif i == 49:
            self.allocated[e.cap] = e.take("Q", 4)[0]
        elif i in (50, 51, 91):
            self.heap[i] = e.take("Q", 4)[0]
        elif i == 52:
            self.info = e.take("HQQQQ", 4)
        elif i == 90:
            self.mem = e.take("III", 4)
            self.c["returned"] += self.mem[2]
        elif i == 55:
            self.tells_tasks = True
            self.tasks.add(e.take("Q")[0])
        elif i == 57:
            self.tells_tasks = True
            self.tasks.discard(e.take("Q")[0])
        elif i == 161:
            id, = e.take("I")
            label, module, place = e.texts(4)[:3]
            self.centres[id] = (f"{module}.{label}", place)
        elif i == 169:
            info, = e.take("Q")
            table, _, _, label, module, place = e.texts(8)[:6]
            place = "" if place == ":" else place
            self.tables[info] = (label or table, module, place)
            if place:
                self.places.setdefault((info >> 48, module, place), info)
        elif 160 <= i <= 168:
            self.profile(e)
        elif i in (200, 202):
            self.phases[i] = e.time
        elif i in (201, 203):
            since = self.phases.pop(i - 1, None)
            if since is not None:
                (self.mark if i == 201 else self.final).record(max(0, e.time - since))
        elif i == 29:
            self.resource["rts"] = e.data[4:].rstrip(b"\0").decode()
        elif i == 30:
            self.resource["name"] = e.texts(4)[0].split("/")[-1]
        elif i == 32:
            self.resource["pid"] = e.take("I", 4)[0]
        elif i == 33:
            self.resource["ppid"] = e.take("I", 4)[0]
        elif i == 43:
            _, seconds, nanos = e.take("IQI")
            self.resource["start"] = seconds * 10 ** 9 + nanos - e.time

    def values(self, size):
        out = defaultdict(dict)

        def put(name, value, **attributes):
            names = {"cap": "ghc.capability.id", "gen": "ghc.gc.generation",
                     "state": "ghc.capability.state", "enabled": "ghc.capability.enabled",
                     "thread": "ghc.thread.state", "why": "ghc.thread.block.reason",
                     "stop": "ghc.thread.stop.reason", "made": "ghc.spark.creation.result",
                     "became": "ghc.spark.outcome", "span": "ghc.user_span.name",
                     "by": "ghc.eventlog.loss.source", "band": "ghc.heap.profile.band",
                     "broken": "ghc.heap.profile.breakdown", "source": "ghc.heap.profile.source"}
            key = {names[key]: value for key, value in attributes.items() if value is not None}
            value = value.told() if isinstance(value, Histogram) else value
            out[name][json.dumps(key, sort_keys=True)] = value

        c, at = self.c, self.reached or self.latest
        for id, name in ((51, "ghc.heap.live"), (50, "ghc.heap.size"), (91, "ghc.heap.in_use")):
            if id in self.heap:
                put(name, self.heap[id])
        if self.info and self.info[1]:
            put("ghc.heap.limit", self.info[1])
        for cap, total in self.allocated.items():
            put("ghc.heap.allocated", total, cap=cap)
        for (band, source), bytes in self.bands.items():
            put("ghc.heap.profile.size", bytes, band=band, broken=self.breakdown, source=source)
        if self.mem:
            put("ghc.memory.committed", self.mem[0] << 20)
            put("ghc.memory.needed", self.mem[1] << 20)
        put("ghc.memory.returned", c["returned"] << 20)
        generations = {number: [0, Histogram(), 0] for number in range(self.info[0] if self.info else 0)}
        generations.update(self.gc)
        for number, (count, pause, copied) in generations.items():
            put("ghc.gc.collections", count, gen=number)
            put("ghc.gc.pause.duration", pause, gen=number)
            put("ghc.gc.copied", copied, gen=number)
        put("ghc.gc.sync.duration", self.sync)
        put("ghc.gc.parallel.copied", c["parallel"])
        put("ghc.gc.parallel.balanced", c["balanced"])
        if self.last:
            put("ghc.gc.last_collection.heap.fragmentation", self.last[0])
            put("ghc.gc.last_collection.heap.slop", self.last[1])
        put("ghc.gc.nonmoving.mark.duration", self.mark)
        put("ghc.gc.nonmoving.sync.duration", self.final)
        there = 0
        for number, cap in self.caps.items():
            times = dict(cap.times)
            if cap.state is not None:
                times[cap.state] += max(0, at - cap.since)
            for state in STATES:
                put("ghc.capability.time", times[state], cap=number, state=state)
            there += number in self.announced or number not in self.known
        if there:
            disabled = len(self.disabled)
            put("ghc.capability.count", there - disabled, enabled=True)
            put("ghc.capability.count", disabled, enabled=False)
        if self.tells_threads:
            counts = {(state, None): 0 for state in ("foreign_call", "runnable", "running")}
            counts.update({("blocked", STOPS.get(why, "other")): 0 for why in self.blocked})
            for thread in self.threads.values():
                why = STOPS.get(thread.reason, "other") if thread.state == "blocked" else None
                counts[thread.state, why] = counts.get((thread.state, why), 0) + 1
            for (state, why), count in counts.items():
                put("ghc.thread.count", count, thread=state, why=why)
        put("ghc.thread.creations", c["created"])
        put("ghc.thread.completions", c["finished"])
        put("ghc.thread.migrations", c["migrations"])
        for why, name in STOPS.items():
            put("ghc.thread.switches", self.stops[why], stop=name)
        put("ghc.thread.schedule.duration", self.schedule)
        for why, name in STOPS.items():
            if why not in RUNNABLE_AFTER | FOREIGN | {5}:
                put("ghc.thread.blocked.duration", self.blocked.get(why, Histogram()), why=name)
        if self.tells_tasks:
            put("ghc.task.count", len(self.tasks))
        if self.sparks:
            made = [sum(of[at] for of in self.sparks.values()) for at in range(7)]
            for at_, name in enumerate(("created", "dud", "overflowed")):
                put("ghc.spark.creations", made[at_], made=name)
            for at_, name in enumerate(("converted", "collected", "fizzled"), 3):
                put("ghc.spark.completions", made[at_], became=name)
            for cap, of in self.sparks.items():
                put("ghc.spark.pool.size", of[6], cap=cap)
        ranked = sorted(self.spans.items(), key=lambda span: (-span[1].sum, span[0].encode()))
        for name, of in ranked[:self.most]:
            put("ghc.user_span.duration", of, span=name)
        if ranked[self.most:]:
            other = Histogram()
            for _, of in ranked[self.most:]:
                other.count, other.sum, other.zero = (
                    other.count + of.count, other.sum + of.sum, other.zero + of.zero)
                for at_, count in of.buckets.items():
                    other.buckets[at_] += count
            put("ghc.user_span.duration", other, span="other")
        put("ghc.user.messages", c["messages"])
        put("ghc.user.markers", c["markers"])
        put("ghc.eventlog.events", c["events"])
        put("ghc.eventlog.received", size)
        for by in ("program", "relay", "exporter"):
            put("ghc.eventlog.lost", 0, by=by)
            put("ghc.eventlog.lost_chunks", 0, by=by)
        put("process.uptime", at)
        return out


def main():
    with open(sys.argv[1], "rb") as file:
        log = file.read()
    runtime = Runtime(int(sys.argv[2]) if len(sys.argv) > 2 else 50)
    sizes, items = read(log)
    for kind, *of in ordered(items):
        if kind == "block":
            runtime.block(*of)
        else:
            runtime.event(of[0], 53 in sizes)
    json.dump({"metrics": runtime.values(len(log)), "resource": runtime.resource}, sys.stdout)


main()
