#!/usr/bin/env python3
"""Writes haskell.json, the dashboard for Grafana, next to itself; with --check only compares.

A panel is a line here: its title, unit, and PromQL expressions with the names of their series.
OF selects the chosen programs, RATE is the window of rates. Plain Python 3."""

import json
import pathlib
import sys

OF = '{job=~"$job", instance=~"$instance"}'
RATE = "[$__rate_interval]"


def rate(metric, by="instance", more=""):
    of = OF[:-1] + (", " + more if more else "") + "}"
    return f"sum by ({by}) (rate({metric}{of}{RATE}))"


def quantile(q, metric, by=""):
    by = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({by}) (rate({metric}_bucket{OF}{RATE})))"


def quantiles(metric):
    return [(quantile(q, metric), f"p{q * 100:g}") for q in (0.5, 0.9, 0.99)]


# Rows: title, then panels: title, unit, [(expression, legend)], options.
ROWS = [
    ("Programs", [
        ("Programs", "none", [(f'count by (job) (target_info{{process_runtime_name="ghc", {OF[1:]})', "{{job}}")],
         "stat"),
        ("Uptime", "s", [(f"process_uptime_seconds{OF}", "{{job}} {{instance}}")], "stat"),
        ("Processor time", "percentunit", [(rate("process_cpu_time_seconds_total", "instance, cpu_mode"),
                                            "{{instance}} {{cpu_mode}}")]),
        ("Memory of the process", "bytes", [(f"process_memory_usage_bytes{OF}", "{{instance}}")]),
    ]),
    ("Heap", [
        ("Heap", "bytes", [
            (f"ghc_heap_live_bytes{OF}", "live {{instance}}"),
            (f"ghc_heap_in_use_bytes{OF}", "in use {{instance}}"),
            (f"ghc_heap_size_bytes{OF}", "size {{instance}}"),
            (f"ghc_heap_limit_bytes{OF}", "limit (-M) {{instance}}")]),
        ("Allocation", "binBps", [(rate("ghc_heap_allocated_bytes_total"), "{{instance}}")]),
        ("Heap profile", "bytes", [
            (f"sum by (ghc_heap_profile_band, ghc_heap_profile_source) (ghc_heap_profile_size_bytes{OF})",
             "{{ghc_heap_profile_band}} {{ghc_heap_profile_source}}")], "stack"),
        ("Memory held and needed", "bytes", [
            (f"ghc_memory_committed_bytes{OF}", "held {{instance}}"),
            (f"ghc_memory_needed_bytes{OF}", "needed {{instance}}")]),
        ("Memory given back", "binBps", [(rate("ghc_memory_returned_bytes_total"), "{{instance}}")]),
    ]),
    ("Collections", [
        ("Share of time in collections", "percentunit", [
            (rate("ghc_gc_pause_duration_seconds_sum"), "{{instance}}")]),
        ("Collections", "ops", [
            (rate("ghc_gc_collections_total", "instance, ghc_gc_generation"),
             "generation {{ghc_gc_generation}} {{instance}}")]),
        ("Pauses", "s", quantiles("ghc_gc_pause_duration_seconds")),
        ("Until all capabilities have stopped", "s", quantiles("ghc_gc_sync_duration_seconds")),
        ("Copied", "binBps", [
            (rate("ghc_gc_copied_bytes_total", "instance, ghc_gc_generation"),
             "generation {{ghc_gc_generation}} {{instance}}")]),
        ("Balance of parallel collections", "percentunit", [
            (rate("ghc_gc_parallel_balanced_bytes_total") + " / "
             + rate("ghc_gc_parallel_copied_bytes_total"), "{{instance}}")]),
        ("Wasted after the last collection", "bytes", [
            (f"ghc_gc_last_collection_heap_fragmentation_bytes{OF}", "fragmentation {{instance}}"),
            (f"ghc_gc_last_collection_heap_slop_bytes{OF}", "slop {{instance}}")]),
        ("Non-moving collector", "s", [
            (quantile(0.99, "ghc_gc_nonmoving_mark_duration_seconds"), "mark p99"),
            (quantile(0.99, "ghc_gc_nonmoving_sync_duration_seconds"), "final pause p99")]),
    ]),
    ("Scheduler", [
        ("What capabilities do", "none", [
            (rate("ghc_capability_time_seconds_total", "ghc_capability_state"),
             "{{ghc_capability_state}}")], "stack"),
        ("Capabilities", "none", [
            (f"sum by (instance, ghc_capability_enabled) (ghc_capability_count{OF})",
             "enabled: {{ghc_capability_enabled}} {{instance}}")]),
        ("Threads alive", "none", [
            (f"sum by (ghc_thread_state, ghc_thread_block_reason) (ghc_thread_count{OF})",
             "{{ghc_thread_state}} {{ghc_thread_block_reason}}")], "stack"),
        ("Threads created and completed", "ops", [
            (rate("ghc_thread_creations_total"), "created {{instance}}"),
            (rate("ghc_thread_completions_total"), "completed {{instance}}")]),
        ("Why threads stop", "ops", [
            (rate("ghc_thread_switches_total", "ghc_thread_stop_reason"),
             "{{ghc_thread_stop_reason}}")], "stack"),
        ("From ready to running", "s", quantiles("ghc_thread_schedule_duration_seconds")),
        ("Blocked, p99", "s", [
            (quantile(0.99, "ghc_thread_blocked_duration_seconds", "ghc_thread_block_reason"),
             "{{ghc_thread_block_reason}}")]),
        ("Moves to another capability", "ops", [(rate("ghc_thread_migrations_total"), "{{instance}}")]),
        ("OS threads of the runtime system", "none", [(f"ghc_task_count{OF}", "{{instance}}")]),
    ]),
    ("Sparks", [
        ("Created", "ops", [
            (rate("ghc_spark_creations_total", "ghc_spark_creation_result"),
             "{{ghc_spark_creation_result}}")], "stack"),
        ("What became of them", "ops", [
            (rate("ghc_spark_completions_total", "ghc_spark_outcome"), "{{ghc_spark_outcome}}")],
         "stack"),
        ("Waiting", "none", [(f"sum by (instance) (ghc_spark_pool_size{OF})", "{{instance}}")]),
    ]),
    ("Spans of the program", [
        ("Spans", "ops", [
            (rate("ghc_user_span_duration_seconds_count", "ghc_user_span_name"),
             "{{ghc_user_span_name}}")]),
        ("Duration, p50", "s", [
            (quantile(0.5, "ghc_user_span_duration_seconds", "ghc_user_span_name"),
             "{{ghc_user_span_name}}")]),
        ("Duration, p99", "s", [
            (quantile(0.99, "ghc_user_span_duration_seconds", "ghc_user_span_name"),
             "{{ghc_user_span_name}}")]),
        ("Messages and markers", "ops", [
            (rate("ghc_user_messages_total"), "messages {{instance}}"),
            (rate("ghc_user_markers_total"), "markers {{instance}}")]),
    ]),
    ("Health of the stream", [
        ("Events", "ops", [(rate("ghc_eventlog_events_total"), "{{instance}}")]),
        ("Bytes", "binBps", [(rate("ghc_eventlog_received_bytes_total"), "{{instance}}")]),
        ("Lost", "binBps", [
            (rate("ghc_eventlog_lost_bytes_total", "instance, ghc_eventlog_loss_source"),
             "by the {{ghc_eventlog_loss_source}} {{instance}}")]),
        ("Lost chunks", "ops", [
            (rate("ghc_eventlog_lost_chunks_total", "instance, ghc_eventlog_loss_source"),
             "by the {{ghc_eventlog_loss_source}} {{instance}}")]),
        ("Age of the newest event", "s", [(f"ghc_eventlog_lag_seconds{OF}", "{{instance}}")]),
        ("Connections", "none", [
            (f"ghc_eventlog_connection_count{OF}", "connections {{instance}}"),
            (f"ghc_eventlog_reconnections_total{OF}", "made again {{instance}}")]),
        ("Exporter: programs", "none", [("eventlog_exporter_programs", "{{instance}}")]),
        ("Exporter: scrapes", "ops", [
            (f"rate(eventlog_exporter_scrapes_total{RATE})", "{{instance}}")]),
        ("Exporter: sent and given up", "ops", [
            (f"sum by (eventlog_exporter_signal) (rate(eventlog_exporter_sent_total{RATE}))",
             "{{eventlog_exporter_signal}} sent"),
            ("sum by (eventlog_exporter_signal, eventlog_exporter_reason) "
             f"(rate(eventlog_exporter_dropped_total{RATE}))",
             "{{eventlog_exporter_signal}} given up: {{eventlog_exporter_reason}}"),
            (f"sum (rate(eventlog_exporter_retries_total{RATE}))", "requests sent again")]),
        ("Exporter: queue", "bytes", [
            ("eventlog_exporter_queue_size_bytes", "used {{instance}}"),
            ("eventlog_exporter_queue_limit_bytes", "limit {{instance}}")]),
        ("Exporter: requests in the queue", "none", [("eventlog_exporter_queue_requests", "{{instance}}")]),
    ]),
]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def panel(number, title, unit, targets, x, y, kind="lines"):
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    if kind == "stack":
        custom |= {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 50}
    made = {
        "id": number,
        "type": "stat" if kind == "stat" else "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": 8, "h": 8},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{
            "refId": chr(ord("A") + at),
            "datasource": SOURCE,
            "expr": expr,
            "legendFormat": legend,
            "range": True,
        } for at, (expr, legend) in enumerate(targets)],
    }
    if kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    else:
        made["fieldConfig"]["defaults"] |= {"custom": custom, "min": 0}
        made["options"] = {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return made


def variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard():
    panels, number, y = [], 1, 0
    for title, row in ROWS:
        panels.append({"id": number, "type": "row", "title": title, "collapsed": False,
                       "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}, "panels": []})
        number, y = number + 1, y + 1
        for at, of in enumerate(row):
            panels.append(panel(number, *of[:3], at % 3 * 8, y + at // 3 * 8, *of[3:]))
            number += 1
        y += (len(row) + 2) // 3 * 8
    return {
        "uid": "eventlog-haskell",
        "title": "Haskell programs",
        "description": "Metrics of programs compiled by GHC, from eventlog metrics.",
        "tags": ["haskell", "ghc"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
             "refresh": 1, "multi": False, "includeAll": False},
            variable("job", "Program",
                     'label_values(target_info{process_runtime_name="ghc"}, job)'),
            variable("instance", "Instance",
                     'label_values(target_info{process_runtime_name="ghc", job=~"$job"}, instance)'),
        ]},
        "annotations": {"list": []},
        "panels": panels,
    }


def main():
    path = pathlib.Path(__file__).parent / "haskell.json"
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        path.write_text(text)
    elif path.read_text() != text:
        sys.exit("haskell.json differs from what make.py writes: run dashboards/make.py")


main()
