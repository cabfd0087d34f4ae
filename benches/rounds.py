"""Times, taken in rounds: each round runs every peer once, so that whatever else the machine does meets all alike."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import peers
from common import say
from peers import Peer

ROUNDS = 11
SECONDS_A_RUN = 0.5
FIRST_CALLS = 200


class Times(NamedTuple):
    """The microseconds a call of one peer, one number a round."""

    microseconds: Sequence[float]

    @property
    def median(self) -> float:
        """What all ratios are made of."""
        return statistics.median(self.microseconds)

    @property
    def calls_a_second(self) -> float:
        """Of all threads together."""
        return 1e6 / self.median


class Run(NamedTuple):
    """One peer with a number of threads."""

    peer: Peer
    threads: int


Measured = dict[tuple[str, int], Times]
"""Times by the peer's name and its number of threads."""


def measure(
    what: str, runs: Sequence[Run], url: str, ca_file: Optional[Path] = None, first_calls: int = FIRST_CALLS
) -> Measured:
    """Runs all of them in each round; how many calls each makes, a first short run of it tells."""

    def seconds(run: Run, calls: int) -> float:
        return peers.seconds_a_call(run.peer, url, calls, run.threads, ca_file)

    calls = [max(1, round(SECONDS_A_RUN / seconds(run, first_calls * run.threads))) for run in runs]
    taken: list[list[float]] = [[] for _ in runs]
    for number in range(ROUNDS):
        say(f"{what}: round {number + 1} of {ROUNDS}")
        for turn in range(len(runs)):
            index = (number + turn) % len(runs)  # each round begins with another one
            taken[index].append(1e6 * seconds(runs[index], calls[index]))
    return {(run.peer.name, run.threads): Times(times) for run, times in zip(runs, taken)}
