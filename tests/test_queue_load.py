"""A queue under load: thousands of requests and streams at once, rate limits, a slow consumer, and an idle queue."""

import json
from typing import NamedTuple

import pytest
from support import load_gateway
from support.builds import SHARED
from support.load_gateway import Counts

MAX_KIB_EACH = 48
"""Resident memory of each request or stream in flight."""
WINDOW_KIB = 400
"""Resident memory of a stream whose events are not fetched: 256 KiB of events, and what the allocator adds."""


class Sends(NamedTuple):
    """What tests/c/queue_sends.c reports."""

    seconds: float
    done: int
    retries: int
    resident_kib: list[int]
    tenths: list[int]


class Streams(NamedTuple):
    """What tests/c/queue_streams.c reports."""

    late_us: list[int]
    resident_kib: list[int]
    threads: int


def run(program: str, *arguments: object) -> dict:
    """Runs a program, which checks each response, and returns what it reports."""
    done = SHARED.run(program, *map(str, arguments))
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_10000_prompts_get_their_own_responses_and_memory_does_not_grow() -> None:
    with load_gateway.running(latency_us=500) as gateway:
        sends = Sends(**run("queue_sends.c", gateway.url, 10_000, 0, "max_in_flight=64"))
        counts = gateway.counts()
    assert (sends.done, sum(counts.accepted)) == (10_000, 10_000)
    assert counts.most_requests <= 64
    early, _, late = sends.resident_kib
    assert late - early <= 1024


def test_4000_sends_are_in_flight_at_once() -> None:
    with load_gateway.running(barrier=4000) as gateway:
        sends = Sends(**run("queue_sends.c", gateway.url, 4000, 0, "max_in_flight=4000", "max_queued=4000"))
        assert gateway.counts().most_requests == 4000, "the gateway responds only when all have arrived"
    assert sends.resident_kib[0] <= 4000 * MAX_KIB_EACH


def test_1000_streams_at_once_lose_no_event_and_take_little_memory() -> None:
    with load_gateway.running(barrier=1000, events=20, interval_us=100_000) as gateway:
        streams = Streams(**run("queue_streams.c", gateway.url, 1000, 20, 0, "max_in_flight=1000"))
        assert gateway.counts().most_streams == 1000
    before, at_half, *_ = streams.resident_kib
    assert at_half - before <= 1000 * MAX_KIB_EACH
    assert streams.threads <= 1001, "one for each stream, and the one that fetches"


def test_consumer_that_sleeps_longer_than_the_idle_timeout_loses_nothing_and_fills_no_memory() -> None:
    streams, events = 100, 400
    options = [f"max_in_flight={streams}", "handle.idle_timeout_ms=400", "handle.gather_stream=false"]
    with load_gateway.running(events=events, event_bytes=2000) as gateway:
        result = Streams(**run("queue_streams.c", gateway.url, streams, events, 2000, *options))
    before, _, _, at_the_end_of_the_sleep = result.resident_kib
    assert at_the_end_of_the_sleep - before <= streams * WINDOW_KIB, "an event has more than 4000 bytes, with its data"


@pytest.mark.parametrize("retry_after_s", (1, -1), ids=("with Retry-After", "without Retry-After"))
@pytest.mark.parametrize("option", ("max_in_flight=8", "max_in_flight=64", "requests_per_second=49"))
def test_gateway_that_limits_the_rate_answers_every_prompt_and_refuses_few(option: str, retry_after_s: int) -> None:
    with load_gateway.running(per_second=50, retry_after_s=retry_after_s, latency_us=5000) as gateway:
        sends = Sends(**run("queue_sends.c", gateway.url, 150, 0, "handle.max_retries=3", option))
        counts = gateway.counts()
    assert sends.done == 150
    assert refused_fraction(counts) <= 0.1


def refused_fraction(counts: Counts) -> float:
    """The fraction of the requests after the first second that were refused."""
    accepted, refused = sum(counts.accepted[1:]), sum(counts.refused[1:])
    return refused / (accepted + refused)


def test_idle_queue_wakes_neither_its_event_loop_nor_a_thread() -> None:
    with load_gateway.running() as gateway:
        done = SHARED.run("test_queue_idle.c", gateway.url, "20", "2000")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 0\n", "wake-ups of the loop, and of threads"
