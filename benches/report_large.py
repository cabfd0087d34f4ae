"""Writes the sections of RESULTS.md about large responses."""

from responses import DIMENSION, EVENTS, FEW_EVENTS, ROWS
from large import Large
from peers import LIBCURL
from rounds import Measured
from table import table

STREAM = f"""## A long stream

A chat stream of {EVENTS:,} text events as MLflow 3.17.2 sends them: about {{event}} bytes per event, one event per
chunk. All peers gather the text; its length and checksum are compared with the expected ones. The libcurl peer splits the
received bytes into events, parses each with cJSON and frees it.

The server and the peer run on one core. The server only sends a file, which takes a small part of the time. On a core
of its own it would send while the peer reads, and the time would depend on how the system assigns the cores. The
instructions are counted with a stream of {FEW_EVENTS:,} events.
"""
MEMORY = f"""Growth of resident memory of this library from event {FEW_EVENTS:,} to event {EVENTS:,} of one stream:
"""
EMBEDDINGS = f"""## Many embeddings

A response with {ROWS:,} embeddings of {DIMENSION:,} numbers, which all peers store in one array of floats. The weighted
sum of the numbers is compared with the expected one.
"""


def parts(large: Large) -> list[str]:
    """The sections."""
    files = large.responses
    sizes = {"numbers": files.numbers.stat().st_size, "base64": files.base64.stat().st_size}
    return [
        STREAM.format(event=round(files.stream.stat().st_size / EVENTS)),
        _streams(large),
        MEMORY,
        _memory(large),
        EMBEDDINGS,
        _embeddings("as numbers", large.embeddings, sizes["numbers"], large.peak_kib),
        f"The same embeddings as base64, {sizes['base64']:,} bytes instead of {sizes['numbers']:,}:\n",
        _embeddings("as base64", large.base64, sizes["base64"], large.peak_kib_of_base64),
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
    head = ["", "events per second", "nanoseconds per event", "lowest - highest", "to libcurl",
            "user instructions per event", "to libcurl"]  # fmt: skip
    return table(head, rows)


def _memory(large: Large) -> str:
    rows = [
        (f"gather_stream={option}", f"{growth.resident_kib:,} KiB", f"{growth.text_kib:,} KiB")
        for option, growth in (("false", large.not_gathered), ("true", large.gathered))
    ]
    return table(["", "growth", "length of the text"], rows)


def _embeddings(title: str, measured: Measured, size: int, peak_kib: dict[str, int]) -> str:
    rows = [
        (name, f"{size / taken.median:,.0f}", f"{taken.median / 1e3:,.1f}",
         f"{min(taken.microseconds) / 1e3:,.1f} - {max(taken.microseconds) / 1e3:,.1f}",
         f"{1e3 * taken.median / (ROWS * DIMENSION):,.1f}", f"{peak_kib[name] / 1024:,.0f} MiB")
        for (name, _), taken in sorted(measured.items(), key=lambda item: item[1].median)
    ]  # fmt: skip
    head = [title, "MB/s", "milliseconds per response", "lowest - highest", "nanoseconds per number", "peak memory"]
    return table(head, rows)
