"""Very many calls: in parallel with faults and cancellation, and a million in sequence."""

import os
from collections.abc import Iterator

import pytest
from support.builds import ADDRESS, SHARED, THREAD, UNDEFINED, VALGRIND, Build
from support.fast_gateway import FastGateway

THREADS = {SHARED.name: 64, UNDEFINED.name: 64, ADDRESS.name: 64, THREAD.name: 64, VALGRIND.name: 16}
CALLS = {SHARED.name: 10_000, UNDEFINED.name: 200, ADDRESS.name: 100, THREAD.name: 60, VALGRIND.name: 60}
"""Calls of each thread."""
SEED = 6
MAX_GROWTH_KIB = 4096
"""Measured after a twentieth of the calls. The C library keeps memory that 64 threads freed last."""
ANY_GROWTH_KIB = 1 << 30
"""Tools keep freed memory."""

EARLY_CALLS, ALL_CALLS = 10_000, 1_000_000
MAX_SOAK_GROWTH_KIB = 1024


@pytest.mark.alone
@pytest.mark.parametrize("build", (SHARED, UNDEFINED, ADDRESS, THREAD, VALGRIND), ids=lambda build: build.name)
def test_64_threads_get_their_own_responses_despite_faults_and_cancellation(build: Build) -> None:
    """The program checks each call, descriptors, threads and memory; the test compares the counts."""
    threads, calls = THREADS[build.name], CALLS[build.name]
    max_growth = MAX_GROWTH_KIB if build == SHARED else ANY_GROWTH_KIB
    gateway = FastGateway()
    with gateway.running() as url:
        done = build.run("test_load.c", url, str(threads), str(calls), str(SEED), str(max_growth))
    assert (done.returncode, done.stderr) == (0, "")
    called = cancelled = 0
    for kind, *counts in (line.split() for line in done.stdout.splitlines()):
        of_kind, cancelled_of_kind, attempts = map(int, counts)
        called += of_kind
        cancelled += cancelled_of_kind
        # A request cut short by cancellation or timeout may not reach the gateway.
        cut_short = cancelled_of_kind + (of_kind if kind == "stall" else 0)
        assert attempts - cut_short <= gateway.request_counts[kind] <= attempts, kind
    assert called == threads * calls
    assert cancelled > calls // 100, "some calls were cancelled"


@pytest.fixture
def one_core() -> Iterator[None]:
    """A server and a client that wait for each other are faster on one core than on two idle ones."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.alone
def test_million_calls_leak_no_memory_and_no_descriptors(one_core: None) -> None:
    SHARED.compile("test_soak.c")
    gateway = FastGateway()
    with gateway.running() as url:
        done = SHARED.run("test_soak.c", url, str(EARLY_CALLS), str(ALL_CALLS))
    assert (done.returncode, done.stderr) == (0, "")
    early_kib, kib, early_descriptors, descriptors = map(int, done.stdout.split())
    assert kib - early_kib <= MAX_SOAK_GROWTH_KIB
    assert descriptors == early_descriptors
    assert gateway.request_counts["total"] == ALL_CALLS
