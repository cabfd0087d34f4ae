"""What a run measures."""

from collections.abc import Sequence
from typing import NamedTuple

from counts import Start, SystemCalls
from large import Large
from rounds import Measured


class Results(NamedTuple):
    """All of it but the million calls. Names are those of the peers."""

    machine: Sequence[tuple[str, str]]
    plain: Measured
    threads: Measured
    tls: Measured
    instructions: dict[str, float]
    system_calls: dict[str, SystemCalls]
    named_host: SystemCalls
    """This library's, where the gateway's host has a name to be looked up."""
    start: Start
    library_bytes: int
    large: Large
