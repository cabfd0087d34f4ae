"""What the library promises, and whether a run shows it."""

from collections.abc import Sequence

from answers import EVENTS, FEW_EVENTS
from counts import MANY
from large import Large
from peers import BARE, LIBCURL, MLFLOW, OURS
from results import Results

NEW_THREADS = {"clone", "clone3", "fork", "vfork"}
NEW_CONNECTIONS = {"socket", "connect", "openat", "sendmmsg"}
"""What a connection and a question to the resolver need."""

MOST_GROWTH_KIB = 64

Row = tuple[str, str, str, str]
"""What, how much it is, how much it has to be, and whether it is."""


def of(results: Results) -> list[Row]:
    """One row for each promise."""
    plain = {name: taken.median for (name, _), taken in results.plain.items()}
    tls = {name: taken.median for (name, _), taken in results.tls.items()}
    at = {key: taken.calls_a_second for key, taken in results.threads.items()}
    calls = results.system_calls[OURS]
    named = results.named_host.later
    threads = sum(calls.in_all.get(name, 0) for name in NEW_THREADS)
    later = sum(named.get(name, 0) for name in NEW_THREADS | NEW_CONNECTIONS)
    return [
        _at_most("this library / bare socket", plain[OURS] / plain[BARE], 1.30),
        _at_most("this library / libcurl + cJSON", plain[OURS] / plain[LIBCURL], 0.65),
        _at_least("MLflow's Python client / this library", plain[MLFLOW] / plain[OURS], 40),
        _at_most("over TLS: this library / libcurl + cJSON", tls[OURS] / tls[LIBCURL], 0.80),
        _at_least("64 threads, calls per second: this library / libcurl + cJSON", at[OURS, 64] / at[LIBCURL, 64], 1),
        _at_least("this library, calls per second: 64 threads / 8 threads", at[OURS, 64] / at[OURS, 8], 1),
        _at_most("user instructions a call", results.instructions[OURS], 40_000),
        _at_most("system calls a call", calls.a_call, 4),
        _at_most(f"threads created by {MANY} calls", threads, 0),
        _at_most("system calls for threads, sockets and look-ups after the first call, to a host by name", later, 0),
        _at_most("load + create + first call, ms", results.start.milliseconds, 5),
        _at_most("size of the stripped .so, bytes", results.library_bytes, 2_600_000),
        *_of_large(results.large),
    ]


def _of_large(large: Large) -> list[Row]:
    streams, vectors = (
        {name: taken.median for (name, _), taken in measured.items()} for measured in (large.streams, large.vectors)
    )
    instructions, growth = large.instructions, large.not_gathered.resident_kib
    events = f"from event {FEW_EVENTS:,} to event {EVENTS:,} of a stream that is not gathered"
    return [
        _at_most("an event of a stream: this library / libcurl + cJSON", streams[OURS] / streams[LIBCURL], 0.5),
        _at_most("the same in user instructions", instructions[OURS] / instructions[LIBCURL], 0.5),
        _at_most(f"growth of resident memory {events}, KiB", growth, MOST_GROWTH_KIB),
        _at_most("many vectors: this library / libcurl + cJSON", vectors[OURS] / vectors[LIBCURL], 0.25),
    ]


def of_soak(measured: dict[str, Sequence[int]], early: int, all_calls: int) -> list[Row]:
    """One row for the memory and one for the files."""
    memory, files = (after - before for before, after in (measured["resident_kib"], measured["open_files"]))
    calls = f"from call {early:,} to call {all_calls:,}"
    return [
        _at_most(f"growth of resident memory {calls}, KiB", memory, MOST_GROWTH_KIB),
        _at_most(f"growth of open files {calls}", files, 0),
    ]


def _at_most(what: str, measured: float, most: float) -> Row:
    return what, _number(measured), f"<= {_number(most)}", "met" if measured <= most else "not met"


def _at_least(what: str, measured: float, least: float) -> Row:
    return what, _number(measured), f">= {_number(least)}", "met" if measured >= least else "not met"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.2f}"
