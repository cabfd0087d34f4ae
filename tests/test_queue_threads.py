"""Many threads use queues at random, under each tool that finds faults of threads and of memory."""

import pytest
from support.builds import ADDRESS, PLAIN, SHARED, THREAD, VALGRIND, Build
from support.fast_gateway import FastGateway

SECONDS = {SHARED.name: 2, ADDRESS.name: 2, THREAD.name: 3, VALGRIND.name: 3}


@pytest.mark.parametrize(
    ("build", "seed"),
    [(SHARED, 1), *((build, 3) for build in (*PLAIN[1:], ADDRESS, THREAD, VALGRIND))],
    ids=lambda value: getattr(value, "name", value),
)
def test_64_threads_submit_fetch_cancel_and_destroy(build: Build, seed: int) -> None:
    with FastGateway().running() as url:
        done = build.run("test_queue_storm.c", url, "64", str(SECONDS.get(build.name, 2)), str(seed))
    assert (done.returncode, done.stderr) == (0, "")
    submitted, ended, events, destroyed_full = map(int, done.stdout.split())
    assert submitted > 50 and ended > submitted / 10 and events > 5 and destroyed_full > 0, done.stdout
