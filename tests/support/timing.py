"""Repeats checks that measure time, and measures how late the machine itself is."""

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

Result = TypeVar("Result")
ATTEMPTS = 3
"""So many failures in time of a quiet machine are those of the library."""
MOST_ATTEMPTS = 12
QUIET_MS = 10
"""A machine that wakes sleeping threads at most this late is quiet."""
INTERVAL = 0.005


class Lateness:
    """How late the machine woke threads that only slept."""

    def __init__(self) -> None:
        self.all_ms = [0.0]
        self.has_ended = threading.Event()

    def percentile(self, percent: int) -> float:
        """Of the milliseconds."""
        return sorted(self.all_ms)[percent * (len(self.all_ms) - 1) // 100]

    def measure(self, cpu: int) -> None:
        """Sleeps again and again on one processor."""
        os.sched_setaffinity(0, [cpu])  # of this thread
        while not self.has_ended.is_set():
            start = time.monotonic()
            time.sleep(INTERVAL)
            self.all_ms.append((time.monotonic() - start - INTERVAL) * 1000)


@contextlib.contextmanager
def machine_lateness() -> Iterator[Lateness]:
    """Measures each processor until the end of the context."""
    lateness = Lateness()
    threads = [threading.Thread(target=lateness.measure, args=[cpu]) for cpu in os.sched_getaffinity(0)]
    for thread in threads:
        thread.start()
    try:
        yield lateness
    finally:
        lateness.has_ended.set()
        for thread in threads:
            thread.join()


def three_attempts(check: Callable[..., Result]) -> Callable[..., Result]:
    """Repeats a check that failed, until it has failed three times while the machine was quiet.

    A busy machine is sometimes late; a faulty library is late each time.
    """

    @functools.wraps(check)
    def checked(*arguments: object, **named: object) -> Result:
        failures = 0
        for attempt in range(1, MOST_ATTEMPTS + 1):
            with machine_lateness() as lateness:
                try:
                    return check(*arguments, **named)
                except AssertionError:
                    failures += lateness.percentile(100) <= QUIET_MS
                    if failures == ATTEMPTS or attempt == MOST_ATTEMPTS:
                        raise
        raise AssertionError("unreachable")

    return checked
