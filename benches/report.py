"""Writes RESULTS.md."""

from collections.abc import Sequence

import report_large
import report_queue
import targets
from counts import FEW, MANY, PROCESSES
from peers import BARE, LIBCURL, OURS
from results import Results
from rounds import ROUNDS, Measured
from server import RESPONSE
from table import table

HEAD = f"""# Results

Written by `make bench`. nginx on the same machine sends every peer the same response of {len(RESPONSE)} bytes to the
same request. Times are medians of {ROUNDS} rounds, and each round runs every peer once. A ratio is the quotient of two
medians of the same run. MLflow's Python client writes the request body with a space after each colon and comma; the
others send the same 71 bytes. All except the bare socket parse the response and check its text.

With one thread, the server and the peer run on one core. They wait for each other in turn, so on two cores the time
would mostly be that of waking an idle core. In the table of threads, the system assigns the cores.
"""
THREADS = """## Threads

Calls per second of all threads together. The threads of this library share one handle. Each thread of the other peers
has its own handle or socket. The system assigns the cores.
"""
COUNTS = f"""## Counts

User instructions by callgrind and system calls by strace, with one thread: the difference between runs of {MANY} and
{FEW} calls, divided by the number of additional calls.
"""
FROM_GO = """## From Go

`bindings/go` with a context that can be cancelled, so that each call has a cancel token, and `mlflow_gateway_call()`
alone, in turn in one process: medians of single calls.
"""
START = f"""## The first call

Loading the library, creating a handle and making the first call, which also detects the server's dialect: medians of
{PROCESSES} processes.
"""
SOAK_TITLE = "## A million calls"


def report(results: Results) -> str:
    """The report without the million calls."""
    parts = [
        HEAD,
        table(["machine", ""], results.machine),
        "## Targets\n",
        table(["metric", "measured", "target", ""], targets.rows(results)),
        "## One thread, one kept-alive connection\n",
        times(results.plain),
        "![Microseconds per call](results.svg)\n",
        "## The same over TLS 1.3\n",
        times(results.tls),
        FROM_GO,
        _from_go(results),
        THREADS,
        _threads(results.threads),
        COUNTS,
        _counts(results),
        "The system calls of this library, by name:\n",
        _system_calls_by_name(results),
        START,
        _start(results),
        *report_large.parts(results.large),
        *report_queue.parts(results.queue),
    ]
    return "\n".join(parts)


def times(measured: Measured) -> str:
    """The table of the peers with one thread, fastest first."""
    ours, libcurl = measured[OURS, 1].median, measured[LIBCURL, 1].median
    rows = [
        (name, f"{taken.median:,.1f}", f"{min(taken.microseconds):,.1f} - {max(taken.microseconds):,.1f}",
         f"{taken.median / ours:.2f}", f"{taken.median / libcurl:.2f}")
        for (name, _), taken in sorted(measured.items(), key=lambda item: item[1].median)
    ]  # fmt: skip
    return table(["", "microseconds per call", "lowest - highest", "to this library", "to libcurl"], rows)


def with_soak(before: str, soak: Sequence[tuple[str, str, str, str]]) -> str:
    """Replaces the section about the million calls at the end of the report."""
    rows = table(["metric", "measured", "target", ""], soak)
    return "\n".join([before.partition(SOAK_TITLE)[0].rstrip() + "\n", SOAK_TITLE + "\n", rows])


def _from_go(results: Results) -> str:
    cost = results.go_cost
    rows = [
        ("from Go", f"{cost['go_us']:.1f}"),
        ("from C", f"{cost['c_us']:.1f}"),
        ("difference", f"{cost['go_us'] - cost['c_us']:.1f}"),
    ]
    return table(["", "microseconds per call"], rows)


def _threads(measured: Measured) -> str:
    counts = sorted({threads for _, threads in measured})
    rows = [
        (name, *(f"{measured[name, threads].calls_per_second:,.0f}" for threads in counts))
        for name in (BARE, OURS, LIBCURL)
    ]
    return table(["", *(f"{threads} thread{'s' * (threads > 1)}" for threads in counts)], rows)


def _counts(results: Results) -> str:
    rows = [
        (name, f"{instructions:,.0f}", f"{results.system_calls[name].per_call:.2f}")
        for name, instructions in results.instructions.items()
    ]
    return table(["", "user instructions per call", "system calls per call"], rows)


def _system_calls_by_name(results: Results) -> str:
    rows = [(name, f"{count / (MANY - FEW):.3f}") for name, count in results.system_calls[OURS].per_calls.items()]
    return table(["", "per call"], rows)


def _start(results: Results) -> str:
    rows = [
        ("time", f"{results.start.milliseconds:.2f} ms"),
        ("growth of resident memory", f"{results.start.resident_kib:,.0f} KiB"),
        ("size of the library's file", f"{results.library_bytes:,} bytes"),
    ]
    return table(["", ""], rows)
