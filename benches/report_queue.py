"""Writes the section of RESULTS.md about the queue."""

from queue_runs import (
    ALLOWED_PER_SECOND, EVENTS_PER_SECOND, LATENCY_US, LEARNING_SECONDS, LIMITED_PROMPTS, PHASE_SECONDS, STREAMS,
    QueueResults,
)  # fmt: skip
from table import table

HEAD = """## The queue

One thread submits and fetches, against threads that each call `mlflow_gateway_send()` with the same request on the same
handle. The system assigns the cores.
"""
COST = """On one core:
"""
STREAMS_HEAD = f"""{STREAMS:,} streams at once on one queue, each with {EVENTS_PER_SECOND} events a second for {{seconds}} s, and one fetching
thread. Each event contains the time at which the server sent it. The server runs on the same machine.
"""
LIMITED = f"""A server that accepts {ALLOWED_PER_SECOND} requests a second and refuses the others with HTTP status 429 and
`Retry-After: 1`. All {LIMITED_PROMPTS} prompts get their responses.
"""
ADAPTIVE = f"""The option `adaptive` against the best fixed number in flight, with a server that serves some requests at once, each in
{LATENCY_US // 1000} ms. The number changes every {PHASE_SECONDS} s; the first {LEARNING_SECONDS} s after a change is not measured.
"""


def parts(results: QueueResults) -> list[str]:
    """The section."""
    return [
        HEAD,
        _times(results.threads),
        COST,
        _times(results.cost),
        STREAMS_HEAD.format(seconds=results.streams.seconds),
        _streams(results),
        LIMITED,
        _limited(results),
        ADAPTIVE,
        _adaptive(results),
    ]


def _times(measured: dict) -> str:
    rows = [
        (name, f"{at_once}", f"{taken.calls_per_second:,.0f}", f"{taken.median:.1f}",
         f"{min(taken.microseconds):.1f} - {max(taken.microseconds):.1f}")
        for (name, at_once), taken in measured.items()
    ]  # fmt: skip
    return table(["", "threads, or in flight", "requests per second", "microseconds per request", "lowest - highest"], rows)


def _streams(results: QueueResults) -> str:
    streams = results.streams
    rows = [
        *((f"an event is fetched after the server sent it, {name}", f"{late / 1000:.1f} ms")
          for name, late in zip(("p50", "p99", "p99.9", "latest"), streams.late_us)),
        ("resident memory per stream", f"{streams.kib_each:.0f} KiB"),
        ("threads of the process", f"{streams.threads:,}"),
    ]  # fmt: skip
    return table(["", ""], rows)


def _limited(results: QueueResults) -> str:
    rows = [(f"`{row.options}`", f"{row.seconds:.1f} s", f"{row.refused_percent:.1f} %") for row in results.limited]
    return table(["option", "time", "refused after the first second"], rows)


def _adaptive(results: QueueResults) -> str:
    rows = [
        (f"{row.slots}" + (f", after {row.before}" if row.before else ""), f"{row.fixed:,.0f}", f"{row.adaptive:,.0f}",
         f"{row.adaptive / row.fixed:.2f}")
        for row in results.adaptive
    ]  # fmt: skip
    return table(["served at once", "responses per second, fixed", "adaptive", "ratio"], rows)
