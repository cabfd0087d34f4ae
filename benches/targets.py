"""The performance targets, and whether a run meets them."""

from collections.abc import Sequence

from responses import EVENTS, FEW_EVENTS
from counts import MANY
from large import Large
from peers import BARE, GO, GO_BINDING, LIBCURL, MLFLOW, OURS, OURS_IN_RUBY
from queue_runs import QUEUE, SEND, STREAMS, QueueResults
from results import Results

NEW_THREADS = {"clone", "clone3", "fork", "vfork"}
NEW_CONNECTIONS = {"socket", "connect", "openat", "sendmmsg"}
"""System calls of a new connection and of a name lookup."""

MAX_GROWTH_KIB = 64

Row = tuple[str, str, str, str]
"""Metric, measured value, target, and whether it is met."""


def rows(results: Results) -> list[Row]:
    """One row for each target."""
    plain = {name: taken.median for (name, _), taken in results.plain.items()}
    tls = {name: taken.median for (name, _), taken in results.tls.items()}
    at = {key: taken.calls_per_second for key, taken in results.threads.items()}
    calls = results.system_calls[OURS]
    named = results.named_host.per_calls
    threads = sum(calls.total.get(name, 0) for name in NEW_THREADS)
    setup_calls = sum(named.get(name, 0) for name in NEW_THREADS | NEW_CONNECTIONS)
    return [
        _at_most("this library / bare socket", plain[OURS] / plain[BARE], 1.30),
        _at_most("this library / libcurl + cJSON", plain[OURS] / plain[LIBCURL], 0.65),
        _at_least("MLflow's Python client / this library", plain[MLFLOW] / plain[OURS], 40),
        _at_most("from Go: microseconds over the call from C", results.go_cost["go_us"] - results.go_cost["c_us"], 5),
        _at_least("Go net/http / this library from Go", plain[GO] / plain[GO_BINDING], 1),
        _at_most("from Ruby: microseconds over the call from C", plain[OURS_IN_RUBY] - plain[OURS], 40),
        _at_most("over TLS: this library / libcurl + cJSON", tls[OURS] / tls[LIBCURL], 0.80),
        _at_least("64 threads, calls per second: this library / libcurl + cJSON", at[OURS, 64] / at[LIBCURL, 64], 1),
        _at_least("this library, calls per second: 64 threads / 8 threads", at[OURS, 64] / at[OURS, 8], 1),
        _at_most("user instructions per call", results.instructions[OURS], 40_000),
        _at_most("system calls per call", calls.per_call, 4),
        _at_most(f"threads created by {MANY} calls", threads, 0),
        _at_most("system calls for threads, sockets and lookups after the first call, with a host name", setup_calls, 0),
        _at_most("load + create + first call, ms", results.start.milliseconds, 5),
        _at_most("size of the stripped .so, bytes", results.library_bytes, 2_600_000),
        *_of_large(results.large),
        *of_queue(results.queue),
    ]


def _of_large(large: Large) -> list[Row]:
    streams, embeddings = (
        {name: taken.median for (name, _), taken in measured.items()} for measured in (large.streams, large.embeddings)
    )
    instructions, growth = large.instructions, large.not_gathered.resident_kib
    events = f"from event {FEW_EVENTS:,} to event {EVENTS:,} of a stream that is not gathered"
    return [
        _at_most("time per stream event: this library / libcurl + cJSON", streams[OURS] / streams[LIBCURL], 0.5),
        _at_most(
            "user instructions per stream event: this library / libcurl + cJSON",
            instructions[OURS] / instructions[LIBCURL], 0.5,
        ),  # fmt: skip
        _at_most(f"growth of resident memory {events}, KiB", growth, MAX_GROWTH_KIB),
        _at_most("many embeddings: this library / libcurl + cJSON", embeddings[OURS] / embeddings[LIBCURL], 0.25),
    ]


def of_queue(results: QueueResults) -> list[Row]:
    """One row for each target of the queue."""
    threads = {key: taken.calls_per_second for key, taken in results.threads.items()}
    cost = {key: taken.median for key, taken in results.cost.items()}
    best = max(speed for (name, _), speed in threads.items() if name == QUEUE)
    streams = results.streams
    return [
        _at_least("requests per second: one queue / 64 threads on one handle", best / threads[SEND, 64], 0.9),
        *(
            _at_most(f"submit + next over mlflow_gateway_send(), {count} in flight, microseconds",
                     cost[QUEUE, count] - cost[SEND, count], 3)
            for count in (1, 64)
        ),
        _at_most(f"{STREAMS:,} streams: p99 of the time from the server's send to the fetch, ms",
                 streams.late_us[1] / 1000, 20),
        _at_most(f"{STREAMS:,} streams: resident memory per stream, KiB", streams.kib_each, 48),
        _at_most("429: refused after the first second, percent",
                 max(row.refused_percent for row in results.limited), 2),
        _at_least("adaptive / best fixed number in flight", min(row.adaptive / row.fixed for row in results.adaptive), 0.9),
    ]  # fmt: skip


def soak_rows(measured: dict[str, Sequence[int]], early: int, all_calls: int) -> list[Row]:
    """One row for memory and one for open files."""
    memory, files = (after - before for before, after in (measured["resident_kib"], measured["open_files"]))
    calls = f"from call {early:,} to call {all_calls:,}"
    return [
        _at_most(f"growth of resident memory {calls}, KiB", memory, MAX_GROWTH_KIB),
        _at_most(f"growth of open files {calls}", files, 0),
    ]


def _at_most(metric: str, measured: float, maximum: float) -> Row:
    return metric, _number(measured), f"<= {_number(maximum)}", "met" if measured <= maximum else "not met"


def _at_least(metric: str, measured: float, minimum: float) -> Row:
    return metric, _number(measured), f">= {_number(minimum)}", "met" if measured >= minimum else "not met"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.2f}"
