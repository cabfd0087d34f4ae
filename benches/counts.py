"""Counts instructions and system calls per call, and measures the first call.

A program runs with two numbers of calls. The difference of the two runs is the cost of the additional calls: start-up,
first call and warm-up are the same in both.
"""

import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

import peers
from common import FOLDER, output
from peers import Peer

FEW = 200
MANY = 1200
PROCESSES = 21


class SystemCalls(NamedTuple):
    """Number of system calls by name."""

    total: dict[str, int]
    """Of the whole longer run."""
    per_calls: dict[str, int]
    """Of the additional MANY - FEW calls."""

    @property
    def per_call(self) -> float:
        return sum(self.per_calls.values()) / (MANY - FEW)


class Start(NamedTuple):
    """Cost of loading the library, creating a handle and the first call, in one process."""

    milliseconds: float
    resident_kib: float


def instructions(peer: Peer, url: str, few: int = FEW, many: int = MANY) -> float:
    """User instructions per call, by callgrind."""
    return (_instructions(peer, url, many) - _instructions(peer, url, few)) / (many - few)


def _instructions(peer: Peer, url: str, calls: int) -> int:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        file = Path(folder) / "callgrind.out"
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}"]
        output(f"counting instructions of {peer.name}", [*valgrind, *peer.command, url, str(calls)], peers.ADVICE)
        totals = [line for line in file.read_text().splitlines() if line.startswith("totals:")]
    return int(totals[0].split()[1])


def system_calls(peer: Peer, url: str) -> SystemCalls:
    """System calls by strace."""
    few, many = _system_calls(peer, url, FEW), _system_calls(peer, url, MANY)
    per_calls = {name: count - few.get(name, 0) for name, count in sorted(many.items())}
    return SystemCalls(many, {name: count for name, count in per_calls.items() if count > 0})


def _system_calls(peer: Peer, url: str, calls: int) -> dict[str, int]:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        file = Path(folder) / "strace.out"
        strace = ["strace", "--follow-forks", "--summary-only", f"--output={file}"]
        output(
            f"counting system calls of {peer.name}", [*strace, *peer.command, url, str(calls)],
            "see the output of strace; tracing must be permitted",
        )  # fmt: skip
        rows = [line.split() for line in file.read_text().splitlines()]
    # % time, seconds, microseconds a call, calls, errors (or nothing), name
    return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


def start(url: str) -> Start:
    """Medians of PROCESSES processes."""
    program = peers.build_start()
    results = [peers.run([program, str(peers.LIBRARY), url]) for _ in range(PROCESSES)]
    return Start(
        statistics.median(1e3 * result["seconds"] for result in results),
        statistics.median(result["resident_kib"] for result in results),
    )
