"""The results of a run."""

from collections.abc import Sequence
from typing import NamedTuple

from counts import Start, SystemCalls
from large import Large
from queue_runs import QueueResults
from rounds import Measured


class Results(NamedTuple):
    """Everything except the million calls. Dictionaries are keyed by the name of the peer."""

    machine: Sequence[tuple[str, str]]
    plain: Measured
    go_cost: dict[str, float]
    """What benches/go_binding prints."""
    threads: Measured
    tls: Measured
    instructions: dict[str, float]
    system_calls: dict[str, SystemCalls]
    named_host: SystemCalls
    """Of this library, with a host name in the gateway's URL."""
    start: Start
    library_bytes: int
    large: Large
    queue: QueueResults
