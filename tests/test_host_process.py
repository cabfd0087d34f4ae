"""Behavior in the host process: fork(), signals, SIGPIPE, small stacks, descriptors, and unloading."""

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import commanded_gateway
from support.builds import (
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
from support.certificates import Authority
from support.event_streams import chunk, events, head
from support.fast_gateway import FastGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    listening,
    one_route,
    unreachable_port,
)

SMALL_STACK = 64 * 1024
SUCCESS = (0, "")
"""Exit status and stderr of a program that found no fault."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    yield Authority(tmp_path_factory.mktemp("tls"))


def all_certificates(authority: Authority) -> str:
    """Returns a file with the certificates of the system, if any, and of the authority."""
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    both = authority.folder / "all.pem"
    both.write_bytes((system.read_bytes() if system.exists() else b"") + Path(authority.file).read_bytes())
    return str(both)


def exit_of(done: "subprocess.CompletedProcess[str]") -> tuple[int, str]:
    return done.returncode, done.stderr


# Not under AddressSanitizer: its own locks, if held by another thread at a fork, stay locked in the child.
FORKS = {SHARED.name: 300, STATIC.name: 100}


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_process_may_fork_while_threads_call(build: Build) -> None:
    gateway = FastGateway()
    forks = FORKS[build.name]
    with gateway.running() as url:
        done = build.run("test_fork_threads.c", url, "4", str(forks))
    assert exit_of(done) == SUCCESS
    of_children = 3 * forks + len(range(1, forks, 6))
    assert gateway.request_counts["total"] == int(done.stdout) + of_children


def test_process_may_fork_while_threads_call_over_tls(authority: Authority) -> None:
    with commanded_gateway.gateway(authority.server(HOST)) as gateway:
        done = SHARED.run("test_fork_threads.c", gateway.url, "4", "60", authority.file)
        assert exit_of(done) == SUCCESS
        prompts = [request.json()["prompt"] for request in gateway.requests if request.method == "POST"]
    of_parent = [prompt for prompt in prompts if "thread" in prompt]
    assert len(of_parent) == len(set(of_parent)) == int(done.stdout)
    assert len(prompts) - len(of_parent) == 3 * 60 + 10


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_process_may_fork_during_the_first_call(authority: Authority, is_tls: bool) -> None:
    """Over TLS the first call reads all certificates of the system, which takes a while."""
    environment = {"SSL_CERT_FILE": all_certificates(authority)}
    with commanded_gateway.gateway(authority.server(HOST) if is_tls else None) as gateway:
        done = SHARED.run("test_fork_first.c", gateway.url, "60", environment=environment)
    assert exit_of(done) == SUCCESS


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_open_stream_continues_only_in_the_parent(authority: Authority, is_tls: bool) -> None:
    with commanded_gateway.gateway(authority.server(HOST) if is_tls else None) as gateway:
        done = SHARED.run("test_fork_stream.c", gateway.url, *([authority.file] if is_tls else []))
        assert exit_of(done) == SUCCESS
        assert gateway.connections == 2 + 2, "the parent keeps two connections, and each of two children opens its own"


def test_destroyed_stream_closes_its_connection_despite_a_child() -> None:
    is_over = threading.Event()

    def endless(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0) + events(chunk("a word")).encode())
        try:
            handler.stall()
        finally:
            is_over.set()

    with ScriptedGateway(one_route(endless, CHAT_ROUTE)) as gateway:
        with SHARED.start("test_fork_close.c", gateway.url, "r", stdin=subprocess.PIPE) as program:
            assert program.stdout.readline() == b"destroyed\n", program.stderr.read()
            assert is_over.wait(5), "the child keeps the connection open"
            assert program.poll() is None
            program.communicate()
            assert program.returncode == 0


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_cancel_token_cancels_calls_of_its_own_process_only(build: Build) -> None:
    with FastGateway().running() as url:
        assert exit_of(build.run("test_fork_cancel.c", url, "20")) == SUCCESS


@pytest.mark.parametrize("build", (SHARED, ADDRESS), ids=lambda build: build.name)
def test_fork_handlers_may_call_the_library(build: Build) -> None:
    with FastGateway().running() as url:
        assert exit_of(build.run("test_atfork.c", url, "100" if build == SHARED else "20")) == SUCCESS


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("restarts", ["0", "1"], ids=["interrupts", "restarts"])
def test_signals_do_not_interrupt_calls(authority: Authority, is_tls: bool, restarts: str) -> None:
    with commanded_gateway.gateway(authority.server(HOST) if is_tls else None) as gateway, unreachable_port() as port:
        unreachable = f"http{'s' if is_tls else ''}://{HOST}:{port}"
        done = SHARED.run("test_signals.c", gateway.url, unreachable, restarts, *([authority.file] if is_tls else []))
    assert exit_of(done) == SUCCESS


@pytest.mark.parametrize("build", (SHARED, ADDRESS, VALGRIND, THREAD), ids=lambda build: build.name)
def test_cancel_preserves_errno(build: Build) -> None:
    with FastGateway().running() as url:
        assert exit_of(build.run("test_cancel_errno.c", url)) == SUCCESS


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_connection_reset_by_the_peer_raises_no_sigpipe(authority: Authority, is_tls: bool) -> None:
    """SIGPIPE has its default disposition, which ends the process."""

    context = authority.server(HOST) if is_tls else None
    text = b'{"choices":[{"text":"echo"}]}'

    def respond_and_reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer = context.wrap_socket(connection, server_side=True) if context else connection
        if len(peer.recv(2000)) < 1000:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        peer.close()

    with listening(respond_and_reset) as port:
        url = f"http{'s' if is_tls else ''}://{HOST}:{port}"
        done = SHARED.run("test_reset.c", url, *([authority.file] if is_tls else []))
    assert exit_of(done) == SUCCESS


@pytest.mark.parametrize("build", (*PLAIN, VALGRIND), ids=lambda build: build.name)
def test_stack_of_64_kib_suffices(build: Build) -> None:
    with commanded_gateway.gateway() as gateway:
        assert exit_of(build.run("test_small_stacks.c", gateway.url, str(SMALL_STACK))) == SUCCESS


@pytest.mark.parametrize("build", (SHARED, VALGRIND_TLS), ids=lambda build: build.name)
@pytest.mark.parametrize("trust", ["file", "machine"])
def test_stack_of_64_kib_suffices_over_tls(authority: Authority, trust: str, build: Build) -> None:
    if trust == "file":
        arguments, environment = [authority.file], {}
    else:
        arguments, environment = [], {"SSL_CERT_FILE": all_certificates(authority)}
    with commanded_gateway.gateway(authority.server(HOST)) as gateway:
        arguments = [gateway.url, str(SMALL_STACK), *arguments]
        assert exit_of(build.run("test_small_stacks.c", *arguments, environment=environment)) == SUCCESS


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
def test_descriptors_are_closed_on_exec(authority: Authority, is_tls: bool) -> None:
    with commanded_gateway.gateway(authority.server("localhost") if is_tls else None) as gateway:
        url = f"http{'s' if is_tls else ''}://localhost:{gateway.port}"
        done = SHARED.run("test_descriptors.c", url, *([authority.file] if is_tls else []))
    assert exit_of(done) == SUCCESS


def test_library_can_be_unloaded_and_loaded_again(authority: Authority, tmp_path: Path) -> None:
    """Also while a name look-up thread of the library still runs."""
    program = tmp_path / "test_unload"
    source = ROOT / "tests/c/test_unload.c"
    subprocess.run([*C99, str(source), "-o", str(program), "-rdynamic", "-ldl", "-lpthread"], check=True)
    library = str(RELEASE / "libmlflow_ai_gateway.so")
    with commanded_gateway.gateway() as plain, commanded_gateway.gateway(authority.server(HOST)) as tls:
        command = [str(program), library, f"http://localhost:{plain.port}", tls.url, authority.file]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, env=clean_environment()
        )
    assert exit_of(done) == SUCCESS
    settled, after = map(int, done.stdout.split())
    assert after - settled <= 1024, "KiB"
