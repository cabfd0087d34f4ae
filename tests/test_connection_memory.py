"""Resources of connections: memory in use and idle, and the size of writes of an upload over TLS."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Optional

import pytest
from support.builds import ROOT, SHARED
from support.certificates import Authority
from support.operations import perform
from support.scripted_gateway import CHAT_ROUTE, HOST, Handler, Request, ScriptedGateway, one_route

pytestmark = pytest.mark.alone

CONNECTIONS = 1000
SECONDS = 60
RESPONSE = {"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("memory"))


def memory(authority: Optional[Authority]) -> tuple[int, int]:
    """Returns the bytes of memory of a call in flight and of an idle connection."""
    go_on, waiting = threading.Event(), threading.Semaphore(0)

    def wait(handler: Handler, request: Request) -> None:
        if b"wait" in request.body:
            waiting.release()
            go_on.wait(SECONDS)
        handler.respond(200, RESPONSE)

    tls = authority.server(HOST) if authority else None
    with ScriptedGateway(one_route(wait, CHAT_ROUTE), tls) as gateway:
        trust = [str(authority.file)] if authority else []
        program = SHARED.start(
            "test_connection_memory.c", gateway.url, "r", str(CONNECTIONS), *trust, stdin=subprocess.PIPE
        )
        with program as process:
            for _ in range(CONNECTIONS):
                assert waiting.acquire(timeout=SECONDS), process.stderr.read()
            # The last request arrived; its thread may not wait for the response yet.
            time.sleep(0.2)
            process.stdin.write(b"\n")
            process.stdin.flush()
            in_flight = process.stdout.readline()
            go_on.set()
            idle = process.stdout.readline()
            assert process.wait(SECONDS) == 0, process.stderr.read()
    return int(in_flight), int(idle)


@pytest.mark.parametrize(("scheme", "most_in_flight", "most_idle"), [("http", 40, 8), ("https", 64, 24)])
def test_connection_memory_is_limited_in_flight_and_idle(
    authority: Authority, scheme: str, most_in_flight: int, most_idle: int
) -> None:
    in_flight, idle = memory(authority if scheme == "https" else None)
    print(f"{scheme}: {in_flight} bytes a call in flight, {idle} bytes an idle connection")
    assert 0 < in_flight <= most_in_flight * 1024 and 0 < idle <= most_idle * 1024, (in_flight, idle)


def test_upload_over_tls_is_written_in_large_pieces(authority: Authority, tmp_path: Path) -> None:
    """Writes of a 4 MB request are as large as the system accepts, and none is the rest of a TLS record."""
    library, file = tmp_path / "sent_sizes.so", tmp_path / "sizes"
    source = ROOT / "tests" / "c" / "sent_sizes.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"], check=True)
    env = {"LD_PRELOAD": str(library), "SENT_SIZES": str(file)}
    with ScriptedGateway(
        one_route(lambda h, r: h.respond(200, RESPONSE), CHAT_ROUTE), authority.server(HOST)
    ) as gateway:
        trust = (f"handle-option ca_file={authority.file}", "handle-option dialect=deployments")
        outcome = perform(gateway.url, *trust, "message user=" + "x" * 4_000_000, "send", env=env)
    assert outcome.status == "OK", outcome
    requested, sent = zip(*(map(int, line.split()) for line in file.read_text().splitlines()))
    assert sum(sent) > 4_000_000
    # Only the handshake messages and the last piece are small.
    small = [size for size in requested if size < 16 * 1024]
    assert len(small) <= 6 and len(requested) < 600, (len(requested), small)
