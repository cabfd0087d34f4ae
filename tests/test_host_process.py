"""The library is a guest in someone else's process: forks, signals, small stacks, unloading, and what it leaves."""

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import obeying_gateway
import pytest
from authority import Authority
from builds import (
    ADDRESS,
    C99,
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
from event_streams import chunk, events, head
from fast_gateway import FastGateway
from machine import MACHINE
from scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    answering,
    listening,
    unreachable_port,
)

SMALL_STACK = 64 * 1024
SILENT = (0, "")
"""How a program ends that found nothing wrong."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    yield Authority(tmp_path_factory.mktemp("tls"))


def all_certificates(authority: Authority) -> str:
    """A file of those that the machine trusts, if it has some, and of the authority's own."""
    machines = Path("/etc/ssl/certs/ca-certificates.crt")
    both = authority.folder / "all.pem"
    both.write_bytes((machines.read_bytes() if machines.exists() else b"") + Path(authority.file).read_bytes())
    return str(both)


def ended(done: "subprocess.CompletedProcess[str]") -> tuple[int, str]:
    return done.returncode, done.stderr


# Not under AddressSanitizer: a lock of its own that another thread holds at a fork is held for ever in the child.
FORKS = {SHARED.name: 300, STATIC.name: 100}


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_a_process_forks_while_its_threads_call(build: Build) -> None:
    gateway = FastGateway()
    forks = FORKS[build.name]
    with gateway.running() as url:
        done = build.run("test_fork_threads.c", url, "4", str(forks))
    assert ended(done) == SILENT
    of_children = 3 * forks + len(range(1, forks, 6))
    assert gateway.asked_for["total"] == int(done.stdout) + of_children


def test_a_process_forks_while_its_threads_call_over_tls(authority: Authority) -> None:
    with obeying_gateway.gateway(authority.server(HOST)) as gateway:
        done = SHARED.run("test_fork_threads.c", gateway.url, "4", "60", authority.file)
        assert ended(done) == SILENT
        prompts = [request.json()["prompt"] for request in gateway.requests if request.method == "POST"]
    of_parent = [prompt for prompt in prompts if "thread" in prompt]
    assert len(of_parent) == len(set(of_parent)) == int(done.stdout)
    assert len(prompts) - len(of_parent) == 3 * 60 + 10


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_a_process_forks_while_a_thread_makes_the_first_call(authority: Authority, is_tls: bool) -> None:
    """Over TLS it reads all certificates that the machine trusts, which takes a while."""
    environment = {"SSL_CERT_FILE": all_certificates(authority)}
    with obeying_gateway.gateway(authority.server(HOST) if is_tls else None) as gateway:
        done = SHARED.run("test_fork_first.c", gateway.url, "60", environment=environment)
    assert ended(done) == SILENT


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_a_stream_goes_on_in_the_parent_alone(authority: Authority, is_tls: bool) -> None:
    with obeying_gateway.gateway(authority.server(HOST) if is_tls else None) as gateway:
        done = SHARED.run("test_fork_stream.c", gateway.url, *([authority.file] if is_tls else []))
        assert ended(done) == SILENT
        assert gateway.connections == 2 + 2, "the parent has two, throughout, and each of two children its own"


def test_a_gateway_learns_of_the_end_of_a_stream_while_a_child_lives() -> None:
    is_over = threading.Event()

    def endless(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0) + events(chunk("a word")).encode())
        try:
            handler.stall()
        finally:
            is_over.set()

    with ScriptedGateway(answering(endless, CHAT_ROUTE)) as gateway:
        with SHARED.start("test_fork_close.c", gateway.url, "r", stdin=subprocess.PIPE) as program:
            assert program.stdout.readline() == b"destroyed\n", program.stderr.read()
            assert is_over.wait(5), "the child keeps the connection open"
            assert program.poll() is None
            program.communicate()
            assert program.returncode == 0


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_one_token_in_two_processes(build: Build) -> None:
    with FastGateway().running() as url:
        assert ended(build.run("test_fork_cancel.c", url, "20")) == SILENT


@pytest.mark.parametrize("build", (SHARED, ADDRESS), ids=lambda build: build.name)
def test_fork_handlers_that_call_the_library(build: Build) -> None:
    with FastGateway().running() as url:
        assert ended(build.run("test_atfork.c", url, "100" if build == SHARED else "20")) == SILENT


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("restarts", ["0", "1"], ids=["interrupts", "restarts"])
def test_signals_disturb_nothing(authority: Authority, is_tls: bool, restarts: str) -> None:
    with obeying_gateway.gateway(authority.server(HOST) if is_tls else None) as gateway, unreachable_port() as port:
        silent = f"http{'s' if is_tls else ''}://{HOST}:{port}"
        done = SHARED.run("test_signals.c", gateway.url, silent, restarts, *([authority.file] if is_tls else []))
    assert ended(done) == SILENT


@pytest.mark.parametrize("build", (SHARED, ADDRESS, VALGRIND, THREAD), ids=lambda build: build.name)
def test_cancelling_keeps_errno(build: Build) -> None:
    with FastGateway().running() as url:
        assert ended(build.run("test_cancel_errno.c", url)) == SILENT


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_a_peer_that_resets_raises_no_signal(authority: Authority, is_tls: bool) -> None:
    """The disposition of SIGPIPE is the system's own, by which it ends the process."""

    context = authority.server(HOST) if is_tls else None
    text = b'{"choices":[{"text":"echo"}]}'

    def answer_and_reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer = context.wrap_socket(connection, server_side=True) if context else connection
        if len(peer.recv(2000)) < 1000:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        peer.close()

    with listening(answer_and_reset) as port:
        url = f"http{'s' if is_tls else ''}://{HOST}:{port}"
        done = SHARED.run("test_reset.c", url, *([authority.file] if is_tls else []))
    assert ended(done) == SILENT


@pytest.mark.parametrize("build", (*PLAIN, VALGRIND), ids=lambda build: build.name)
def test_threads_with_small_stacks(build: Build) -> None:
    with obeying_gateway.gateway() as gateway:
        assert ended(build.run("test_small_stacks.c", gateway.url, str(SMALL_STACK))) == SILENT


@pytest.mark.parametrize("build", (SHARED, VALGRIND_TLS), ids=lambda build: build.name)
@pytest.mark.parametrize("trust", ["file", "machine"])
def test_threads_with_small_stacks_over_tls(authority: Authority, trust: str, build: Build) -> None:
    if trust == "file":
        arguments, environment = [authority.file], {}
    else:
        arguments, environment = [], {"SSL_CERT_FILE": all_certificates(authority)}
    with obeying_gateway.gateway(authority.server(HOST)) as gateway:
        arguments = [gateway.url, str(SMALL_STACK), *arguments]
        assert ended(build.run("test_small_stacks.c", *arguments, environment=environment)) == SILENT


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_no_descriptor_is_inherited(authority: Authority, is_tls: bool) -> None:
    with obeying_gateway.gateway(authority.server("localhost") if is_tls else None) as gateway:
        url = f"http{'s' if is_tls else ''}://localhost:{gateway.port}"
        done = SHARED.run("test_descriptors.c", url, *([authority.file] if is_tls else []))
    assert ended(done) == SILENT


def test_it_can_be_unloaded(authority: Authority, tmp_path: Path) -> None:
    """Also while a thread of its own still looks a name up; and the next time all works again."""
    program = tmp_path / "test_unload"
    source = ROOT / "tests/c/test_unload.c"
    subprocess.run([*C99, str(source), "-o", str(program), "-rdynamic", "-ldl", "-lpthread"], check=True)
    library = str(RELEASE / "libmlflow_ai_gateway.so")
    with obeying_gateway.gateway() as plain, obeying_gateway.gateway(authority.server(HOST)) as tls:
        command = [str(MACHINE.runnable(program)), library, f"http://localhost:{plain.port}", tls.url, authority.file]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment()
        )
    assert ended(done) == SILENT
    settled, after = map(int, done.stdout.split())
    assert after - settled <= 1024, "KiB"
