"""Writes RESULTS.md."""

from collections.abc import Sequence

import report_large
import targets
from counts import FEW, MANY, PROCESSES
from peers import BARE, LIBCURL, OURS
from results import Results
from rounds import ROUNDS, Measured
from server import ANSWER
from table import table

HEAD = f"""# Results

Written by `make bench`. nginx on the same machine gives every peer the same answer of {len(ANSWER)} bytes to the
same question. Times are medians of {ROUNDS} rounds, each of which runs every peer once; a ratio is one median divided
by another of the same run. MLflow's Python client writes the question with a space after each colon and comma; the
others send the same 71 bytes. All but the bare socket parse the answer and check its text.

With one thread, the server and the peer share one core: they wait for each other in turn, and on two cores the time is
mostly that of waking a sleeping core. The table of the threads leaves both to the system.
"""
THREADS = """## Threads

Calls per second of all threads together. The threads of this library share one handle; those of the others have a
handle, or a socket, each. They and the server run on whichever cores the system gives them.
"""
COUNTS = f"""## Counts

User instructions by callgrind and system calls by strace, with one thread: what {MANY} calls need more than {FEW},
divided by their difference.
"""
START = f"""## The first call

Loading the library, making a handle and asking for the first time, which also asks the server for its dialect: the
medians of {PROCESSES} processes.
"""
SOAK_TITLE = "## A million calls"


def whole(results: Results) -> str:
    """All of it but the million calls."""
    parts = [
        HEAD,
        table(["machine", ""], results.machine),
        "## Targets\n",
        table(["what", "measured", "target", ""], targets.of(results)),
        "## One thread, one kept-alive connection\n",
        times(results.plain),
        "![Microseconds a call](results.svg)\n",
        "## The same over TLS 1.3\n",
        times(results.tls),
        THREADS,
        _threads(results.threads),
        COUNTS,
        _counts(results),
        "The system calls of this library, by name:\n",
        _by_name(results),
        START,
        _start(results),
        *report_large.parts(results.large),
    ]
    return "\n".join(parts)


def times(measured: Measured) -> str:
    """The table of the peers with one thread, the fastest first."""
    ours, libcurl = measured[OURS, 1].median, measured[LIBCURL, 1].median
    rows = [
        (name, f"{taken.median:,.1f}", f"{min(taken.microseconds):,.1f} - {max(taken.microseconds):,.1f}",
         f"{taken.median / ours:.2f}", f"{taken.median / libcurl:.2f}")
        for (name, _), taken in sorted(measured.items(), key=lambda item: item[1].median)
    ]  # fmt: skip
    return table(["", "microseconds a call", "lowest - highest", "to this library", "to libcurl"], rows)


def with_soak(before: str, soak: Sequence[tuple[str, str, str, str]]) -> str:
    """Puts the million calls at the end, in place of those that were there."""
    rows = table(["what", "measured", "target", ""], soak)
    return "\n".join([before.partition(SOAK_TITLE)[0].rstrip() + "\n", SOAK_TITLE + "\n", rows])


def _threads(measured: Measured) -> str:
    counts = sorted({threads for _, threads in measured})
    rows = [
        (name, *(f"{measured[name, threads].calls_a_second:,.0f}" for threads in counts))
        for name in (BARE, OURS, LIBCURL)
    ]
    return table(["", *(f"{threads} thread{'s' * (threads > 1)}" for threads in counts)], rows)


def _counts(results: Results) -> str:
    rows = [
        (name, f"{instructions:,.0f}", f"{results.system_calls[name].a_call:.2f}")
        for name, instructions in results.instructions.items()
    ]
    return table(["", "user instructions a call", "system calls a call"], rows)


def _by_name(results: Results) -> str:
    rows = [(name, f"{count / (MANY - FEW):.3f}") for name, count in results.system_calls[OURS].later.items()]
    return table(["", "a call"], rows)


def _start(results: Results) -> str:
    rows = [
        ("time", f"{results.start.milliseconds:.2f} ms"),
        ("growth of resident memory", f"{results.start.resident_kib:,.0f} KiB"),
        ("size of the library's file", f"{results.library_bytes:,} bytes"),
    ]
    return table(["", ""], rows)
