"""Writes the part of RESULTS.md about large answers."""

from answers import DIMENSION, EVENTS, FEW_EVENTS, ROWS
from large import Large
from peers import LIBCURL
from rounds import Measured
from table import table

STREAM = f"""## A long stream

A chat whose answer comes in {EVENTS:,} pieces, each an event of its own, as MLflow 3.17.2 sends them: about
{{event}} bytes an event, in a chunk of its own. All peers gather the text, and its length and checksum are compared
with what was sent. libcurl hands out what came; the events are then told apart, each is parsed by cJSON, and freed.

Here, too, the server and the peer share one core. The server only sends a file, which takes it a small part of the
time; on a core of its own it would send while the peer works, and the time would tell how the system moves both. The
instructions are those of a stream of {FEW_EVENTS:,} events.
"""
MEMORY = f"""Growth of resident memory of this library from event {FEW_EVENTS:,} to event {EVENTS:,} of one stream:
"""
VECTORS = f"""## Many vectors

An answer with {ROWS:,} vectors of {DIMENSION:,} numbers, which end up in one block of floats. The sum of all of them
is compared with that of those that were sent.
"""


def parts(large: Large) -> list[str]:
    """All of it."""
    made = large.answers
    sizes = {"numbers": made.numbers.stat().st_size, "base64": made.base64.stat().st_size}
    return [
        STREAM.format(event=round(made.stream.stat().st_size / EVENTS)),
        _streams(large),
        MEMORY,
        _memory(large),
        VECTORS,
        _vectors("as numbers", large.vectors, sizes["numbers"], large.peak_kib),
        f"The same vectors as base64, {sizes['base64']:,} bytes instead of {sizes['numbers']:,}:\n",
        _vectors("as base64", large.base64, sizes["base64"], large.peak_kib_of_base64),
    ]


def _streams(large: Large) -> str:
    libcurl = large.streams[LIBCURL, 1].median
    rows = [
        (name, f"{1e6 * EVENTS / taken.median:,.0f}", f"{1e3 * taken.median / EVENTS:,.0f}",
         f"{1e3 * min(taken.microseconds) / EVENTS:,.0f} - {1e3 * max(taken.microseconds) / EVENTS:,.0f}",
         f"{taken.median / libcurl:.2f}", f"{large.instructions[name]:,.0f}",
         f"{large.instructions[name] / large.instructions[LIBCURL]:.2f}")
        for (name, _), taken in sorted(large.streams.items(), key=lambda item: item[1].median)
    ]  # fmt: skip
    head = ["", "events a second", "nanoseconds an event", "lowest - highest", "to libcurl",
            "user instructions an event", "to libcurl"]  # fmt: skip
    return table(head, rows)


def _memory(large: Large) -> str:
    rows = [
        (f"gather_stream={option}", f"{growth.resident_kib:,} KiB", f"{growth.text_kib:,} KiB")
        for option, growth in (("false", large.not_gathered), ("true", large.gathered))
    ]
    return table(["", "growth", "length of the text"], rows)


def _vectors(what: str, measured: Measured, size: int, peak_kib: dict[str, int]) -> str:
    rows = [
        (name, f"{size / taken.median:,.0f}", f"{taken.median / 1e3:,.1f}",
         f"{min(taken.microseconds) / 1e3:,.1f} - {max(taken.microseconds) / 1e3:,.1f}",
         f"{1e3 * taken.median / (ROWS * DIMENSION):,.1f}", f"{peak_kib[name] / 1024:,.0f} MiB")
        for (name, _), taken in sorted(measured.items(), key=lambda item: item[1].median)
    ]  # fmt: skip
    head = [what, "MB/s", "milliseconds an answer", "lowest - highest", "nanoseconds a number", "peak memory"]
    return table(head, rows)
