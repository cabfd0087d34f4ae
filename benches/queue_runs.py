"""Measures the queue: its cost over mlflow_gateway_send(), many streams at once, a rate limit, and adaptive concurrency."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Optional

import peers
import rounds
import server
from common import log
from peers import OUR_LIBRARY, Peer, compile_c, compile_test
from rounds import Measured, Run
from support import load_gateway
from support.load_gateway import LoadGateway

SEND = "mlflow_gateway_send()"
QUEUE = "the queue"
ROUNDS = 4

STREAMS = 1000
EVENTS_PER_SECOND = 10
STREAM_SECONDS = 4
MORE_STREAM_SECONDS = 60

ALLOWED_PER_SECOND = 50
LIMITED_PROMPTS = 250

LATENCY_US = 20_000
PHASE_SECONDS = 3
"""Between changes of the number of requests that the gateway serves at once."""
LEARNING_SECONDS = 1
"""Not measured, at the begin of each phase."""
FEW_WAITING = "max_queued=32"
"""So that the run ends soon after its last phase."""
SLOTS = ((2,), (100,), (16, 64, 16))
"""Requests that the gateway serves at once, in each phase."""


class Streams(NamedTuple):
    """Streams at once."""

    seconds: int
    late_us: tuple[int, int, int, int]
    """Percentiles 50, 99, 99.9 and 100."""
    kib_each: float
    threads: int


class Limited(NamedTuple):
    """A gateway that limits the rate."""

    options: str
    seconds: float
    refused_percent: float
    """Of the requests after the first second."""


class Adaptive(NamedTuple):
    """Responses per second of one phase."""

    slots: int
    before: Optional[int]
    """The slots of the phase before it."""
    fixed: float
    """With the best fixed number in flight."""
    adaptive: float


class QueueResults(NamedTuple):
    """Results of the queue."""

    threads: Measured
    """The system assigns the cores."""
    cost: Measured
    """On one core."""
    streams: Streams
    limited: list[Limited]
    adaptive: list[Adaptive]


def measure(on_one_core: Callable[[], AbstractContextManager[None]], *, is_long: bool) -> QueueResults:
    """Measures everything. `is_long` has as many rounds as the other measurements, and streams of a minute."""
    log("building the programs of the queue")
    send, queue = _peers()
    at_once = [Run(send, 64), Run(queue, 8), Run(queue, 32), Run(queue, 64)]
    one_core = [Run(send, 1), Run(queue, 1), Run(send, 64), Run(queue, 64)]
    number = rounds.ROUNDS if is_long else ROUNDS
    with server.running() as gateway:
        threads = rounds.measure("the queue", at_once, gateway.url, number=number)
    with on_one_core(), server.running() as gateway:
        cost = rounds.measure("the queue on one core", one_core, gateway.url, number=number)
    return QueueResults(
        threads,
        cost,
        _streams(MORE_STREAM_SECONDS if is_long else STREAM_SECONDS),
        [_limited(option) for option in ("max_in_flight=8", "max_in_flight=64")[0 if is_long else 1 :]],
        [row for slots in SLOTS for row in _adaptive(slots)],
    )


def _peers() -> tuple[Peer, Peer]:
    request = ["ours.c", "completions_request.c"]
    send = compile_c("bench_send", ["bench.c", *request], OUR_LIBRARY)
    return Peer(SEND, (send,)), Peer(QUEUE, (compile_c("bench_queue", request, OUR_LIBRARY),))


def _streams(seconds: int) -> Streams:
    log(f"{STREAMS:,} streams of {seconds} s")
    events = seconds * EVENTS_PER_SECOND
    settings = {"barrier": STREAMS, "events": events, "interval_us": 1_000_000 // EVENTS_PER_SECOND}
    options = [f"max_in_flight={STREAMS}", "handle.gather_stream=false"]
    with load_gateway.running(**settings) as gateway:
        program = compile_test("queue_streams")
        result = peers.run([program, gateway.url, str(STREAMS), str(events), "0", *options])
    before, half, *_ = result["resident_kib"]
    return Streams(seconds, tuple(result["late_us"]), (half - before) / STREAMS, result["threads"])


def _limited(option: str) -> Limited:
    log(f"a gateway that allows {ALLOWED_PER_SECOND} requests per second: {option}")
    program = compile_test("queue_sends")
    with load_gateway.running(per_second=ALLOWED_PER_SECOND, retry_after_s=1, latency_us=LATENCY_US) as gateway:
        result = peers.run([program, gateway.url, str(LIMITED_PROMPTS), "0", option])
        counts = gateway.counts()
    accepted, refused = sum(counts.accepted[1:]), sum(counts.refused[1:])
    return Limited(option, result["seconds"], 100 * refused / (accepted + refused))


def _adaptive(slots: Sequence[int]) -> list[Adaptive]:
    """The best fixed number is twice the highest of `slots`: the gateway never waits for a request."""
    fixed = _responses_per_second(slots, f"max_in_flight={2 * max(slots)}")
    adaptive = _responses_per_second(slots, "adaptive=true")
    return [Adaptive(*row) for row in zip(slots, (None, *slots[:-1]), fixed, adaptive)]


def _responses_per_second(slots: Sequence[int], option: str) -> list[float]:
    """In each phase."""
    log(f"a gateway that serves {' then '.join(map(str, slots))} at once: {option}")
    program, milliseconds = compile_test("queue_sends"), 1000 * PHASE_SECONDS * len(slots)
    with load_gateway.running(slots=slots[0], latency_us=LATENCY_US) as gateway:
        for phase, count in enumerate(slots[1:], 1):
            threading.Timer(phase * PHASE_SECONDS, gateway.change, kwargs={"slots": count}).start()
        tenths = peers.run([program, gateway.url, "1000000", str(milliseconds), option, FEW_WAITING])["tenths"]
    ends = [10 * PHASE_SECONDS * (phase + 1) for phase in range(len(slots))]
    measured = 10 * (PHASE_SECONDS - LEARNING_SECONDS)
    return [10 * sum(tenths[end - measured : end]) / measured for end in ends]
