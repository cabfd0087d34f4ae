"""A queue in the host process: fork(), exit, unloading, stacks, signals, and limits of the system."""

import subprocess
from pathlib import Path

import pytest
from support import commanded_gateway
from support.builds import (
    ADDRESS,
    C99,
    PANIC,
    PLAIN,
    RELEASE,
    ROOT,
    SHARED,
    STATIC,
    THREAD,
    VALGRIND,
    VALGRIND_TLS,
    Build,
    clean_environment,
)
from support.certificates import Authority
from support.fast_gateway import FastGateway
from support.machine import MACHINE
from support.scripted_gateway import HOST

FORKS = {SHARED.name: 200, STATIC.name: 50}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def run(build: Build, program: str, *arguments: str, **environment: str) -> str:
    """Runs a program that finds no fault. Returns its output."""
    done = build.run(program, *arguments, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_queue_belongs_to_the_process_that_created_it(build: Build) -> None:
    with commanded_gateway.gateway() as gateway:
        run(build, "test_queue_fork.c", gateway.url)


def test_queue_over_tls_belongs_to_the_process_that_created_it(authority: Authority) -> None:
    with commanded_gateway.gateway(authority.server(HOST)) as gateway:
        run(SHARED, "test_queue_fork.c", gateway.url, authority.file)


# Not under AddressSanitizer: its own locks, if held by another thread at a fork, stay locked in the child.
@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_process_may_fork_while_64_threads_use_a_queue(build: Build) -> None:
    with FastGateway().running() as url:
        run(build, "test_queue_fork_threads.c", url, "64", str(FORKS[build.name]))


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_process_may_end_while_requests_run(build: Build) -> None:
    with FastGateway().running() as url:
        run(build, "test_queue_exit.c", url, "200" if build is SHARED else "50")


def test_library_may_be_unloaded_while_requests_run(tmp_path: Path) -> None:
    program = tmp_path / "test_queue_unload"
    source = ROOT / "tests/c/test_queue_unload.c"
    subprocess.run([*C99, str(source), "-o", str(program), "-rdynamic", "-ldl", "-lpthread"], check=True)
    library = str(RELEASE / "libmlflow_ai_gateway.so")
    with FastGateway().running() as url:
        command = [str(MACHINE.runnable(program)), library, url, "200"]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment())
    assert (done.returncode, done.stderr) == (0, "")


def test_requests_are_sent_by_the_threads_that_the_system_starts() -> None:
    with FastGateway().running() as url:
        run(SHARED, "test_queue_limits.c", url)


# PANIC is the build without optimization, whose functions need the most stack.
@pytest.mark.parametrize("build", (*PLAIN, PANIC, ADDRESS, THREAD, VALGRIND), ids=lambda build: build.name)
def test_stacks_of_a_queue_suffice(build: Build) -> None:
    with commanded_gateway.gateway() as gateway:
        run(build, "test_queue_stacks.c", gateway.url)


@pytest.mark.parametrize("build", (*PLAIN, PANIC, ADDRESS, THREAD, VALGRIND_TLS), ids=lambda build: build.name)
def test_stacks_of_a_queue_suffice_over_tls(authority: Authority, build: Build) -> None:
    with commanded_gateway.gateway(authority.server(HOST)) as gateway:
        run(build, "test_queue_stacks.c", gateway.url, authority.file)
