"""Very many calls: with faults, cancels and much else beside them; and one after the other."""

import os
from collections.abc import Iterator

import pytest
from builds import ADDRESS, SHARED, THREAD, UNDEFINED, VALGRIND, Build
from fast_gateway import FastGateway

THREADS = {SHARED.name: 64, UNDEFINED.name: 64, ADDRESS.name: 64, THREAD.name: 64, VALGRIND.name: 16}
CALLS = {SHARED.name: 10_000, UNDEFINED.name: 200, ADDRESS.name: 100, THREAD.name: 60, VALGRIND.name: 60}
"""Of each thread."""
SEED = 6
MAX_GROWTH_KIB = 4096
"""After a twentieth of the calls. What 64 threads free last, the C library does not give back to the system."""
ANY_GROWTH_KIB = 1 << 30
"""The tools keep what is freed."""

EARLY_CALLS, ALL_CALLS = 10_000, 1_000_000
MAX_SOAK_GROWTH_KIB = 1024


@pytest.mark.alone
@pytest.mark.parametrize("build", (SHARED, UNDEFINED, ADDRESS, THREAD, VALGRIND), ids=lambda build: build.name)
def test_every_call_comes_to_what_it_has_to(build: Build) -> None:
    """The program checks each call, and that descriptors, threads and memory are as they were; here it is counted."""
    threads, calls = THREADS[build.name], CALLS[build.name]
    most = MAX_GROWTH_KIB if build == SHARED else ANY_GROWTH_KIB
    gateway = FastGateway()
    with gateway.running() as url:
        done = build.run("test_storm.c", url, str(threads), str(calls), str(SEED), str(most))
    assert (done.returncode, done.stderr) == (0, "")
    asked = cancelled = 0
    for kind, *counts in (line.split() for line in done.stdout.splitlines()):
        of_kind, cancelled_of_kind, attempts = map(int, counts)
        asked += of_kind
        cancelled += cancelled_of_kind
        # What was cut short by a cancel, or by the time, may have left without reaching the gateway.
        cut_short = cancelled_of_kind + (of_kind if kind == "stall" else 0)
        assert attempts - cut_short <= gateway.asked_for[kind] <= attempts, kind
    assert asked == threads * calls
    assert cancelled > calls // 100, "there were cancels"


@pytest.fixture
def one_core() -> Iterator[None]:
    """A server and a client that wait for each other in turn are faster on one core than on two that fall asleep."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.alone
def test_a_million_calls_leave_nothing_behind(one_core: None) -> None:
    SHARED.compile("test_soak.c")
    gateway = FastGateway()
    with gateway.running() as url:
        done = SHARED.run("test_soak.c", url, str(EARLY_CALLS), str(ALL_CALLS))
    assert (done.returncode, done.stderr) == (0, "")
    early_kib, kib, early_descriptors, descriptors = map(int, done.stdout.split())
    assert kib - early_kib <= MAX_SOAK_GROWTH_KIB
    assert descriptors == early_descriptors
    assert gateway.asked_for["total"] == ALL_CALLS
