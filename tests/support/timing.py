"""Repeats checks that measure time, and measures how late the machine itself is."""

import concurrent.futures
import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")
ATTEMPTS = 3
"""The number of failures on a quiet machine that fail a test."""
MOST_SECONDS = 120
"""No attempt begins later."""
QUIET_MS = 10
"""A machine that wakes sleeping threads at most this late is quiet."""
WAKE_UPS = 400
"""Of the measurement, per second, on all processors together: more would themselves make a test late."""


class Lateness:
    """How late the machine woke threads that only slept."""

    def __init__(self) -> None:
        self.all_ms = [0.0]
        self.has_ended = threading.Event()

    def percentile(self, percent: int) -> float:
        """Of the milliseconds."""
        return sorted(self.all_ms)[percent * (len(self.all_ms) - 1) // 100]

    def measure(self, cpu: int, seconds: float) -> None:
        """Sleeps again and again for these seconds on one processor."""
        os.sched_setaffinity(0, [cpu])  # of this thread
        while not self.has_ended.is_set():
            start = time.monotonic()
            time.sleep(seconds)
            self.all_ms.append((time.monotonic() - start - seconds) * 1000)


@contextlib.contextmanager
def machine_lateness() -> Iterator[Lateness]:
    """Measures each processor until the end of the context."""
    lateness = Lateness()
    cpus = os.sched_getaffinity(0)
    with concurrent.futures.ThreadPoolExecutor(len(cpus)) as threads:
        measured = [threads.submit(lateness.measure, cpu, len(cpus) / WAKE_UPS) for cpu in cpus]
        try:
            yield lateness
        finally:
            lateness.has_ended.set()
    for each in measured:
        each.result()


def three_attempts(check: Callable[..., Result]) -> Callable[..., Result]:
    """Repeats a check that failed, until it has failed three times while the machine was quiet.

    A busy machine is sometimes late; a faulty library is late each time.
    """

    @functools.wraps(check)
    def checked(*arguments: object, **named: object) -> Result:
        failures, start = 0, time.monotonic()
        while True:
            with machine_lateness() as lateness:
                try:
                    return check(*arguments, **named)
                except AssertionError as error:
                    failure = error
            failures += lateness.percentile(100) <= QUIET_MS
            if failures == ATTEMPTS or time.monotonic() - start > MOST_SECONDS:
                raise failure

    return checked
