"""Measures times in rounds. Each round runs every peer once, so that other load affects all peers alike."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import peers
from common import log
from peers import Peer

ROUNDS = 11
SECONDS_PER_RUN = 0.5
FIRST_CALLS = 200


class Times(NamedTuple):
    """Microseconds per call of one peer, one number per round."""

    microseconds: Sequence[float]

    @property
    def median(self) -> float:
        """All ratios use the median."""
        return statistics.median(self.microseconds)

    @property
    def calls_per_second(self) -> float:
        """Of all threads together."""
        return 1e6 / self.median


class Run(NamedTuple):
    """One peer with a number of threads."""

    peer: Peer
    threads: int


Measured = dict[tuple[str, int], Times]
"""Times by the peer's name and its number of threads."""


def measure(
    label: str,
    runs: Sequence[Run],
    url: str,
    ca_file: Optional[Path] = None,
    first_calls: int = FIRST_CALLS,
    number: int = ROUNDS,
) -> Measured:
    """Runs all in each round. A short first run of each determines its number of calls."""

    def seconds(run: Run, calls: int) -> float:
        return peers.seconds_per_call(run.peer, url, calls, run.threads, ca_file)

    calls = [max(1, round(SECONDS_PER_RUN / seconds(run, first_calls * run.threads))) for run in runs]
    taken: list[list[float]] = [[] for _ in runs]
    for done in range(number):
        log(f"{label}: round {done + 1} of {number}")
        for turn in range(len(runs)):
            index = (done + turn) % len(runs)  # each round starts with another peer
            taken[index].append(1e6 * seconds(runs[index], calls[index]))
    return {(run.peer.name, run.threads): Times(times) for run, times in zip(runs, taken)}
