"""TLS: whom the library trusts, who it says it is, and what it says where that fails."""

import datetime
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authority import Authority
from builds import ADDRESS, PLAIN, SHARED, VALGRIND_TLS, Build
from calls import call
from chances import three_chances
from scripted_gateway import HOST, Handler, Request, ScriptedGateway, answering, echo, listening

YESTERDAY = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    yield Authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("build", (*PLAIN, ADDRESS, VALGRIND_TLS), ids=lambda build: build.name)
def test_a_certificate_of_the_given_authority_is_trusted(authority: Authority, build: Build) -> None:
    with ScriptedGateway(answering(echo), authority.server(HOST)) as gateway:
        outcome = call(gateway.url, "hi", f"option:ca_file={authority.file}", "warm=2", build=build)
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        assert gateway.connections == 1


def test_the_machines_own_authorities_are_trusted_by_default(authority: Authority) -> None:
    with ScriptedGateway(answering(echo), authority.server(HOST)) as gateway:
        assert call(gateway.url, "hi", environment={"SSL_CERT_FILE": authority.file}).status == "OK"
        outcome = call(gateway.url, "hi")
        assert outcome.status == "TLS_FAILED" and "certificate" in outcome.text, outcome


def test_a_folder_of_certificates_is_one_of_authorities(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "readme.txt").write_text("no certificate")
    with ScriptedGateway(answering(echo), authority.server(HOST)) as gateway:
        (tmp_path / "ca.0").write_bytes(Path(authority.file).read_bytes().rstrip())
        assert call(gateway.url, "hi", f"option:ca_file={tmp_path}").status == "OK"
        assert call(gateway.url, "hi", environment={"REQUESTS_CA_BUNDLE": str(tmp_path)}).status == "OK"


def test_the_given_authority_replaces_the_machines_own(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    with ScriptedGateway(answering(echo), authority.server(HOST)) as gateway:
        environment = {"SSL_CERT_FILE": authority.file}
        outcome = call(gateway.url, "hi", f"option:ca_file={other.file}", environment=environment)
        assert outcome.status == "TLS_FAILED", outcome


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["other.example"], {}, "not valid for"),
        ([HOST], {"not_after": YESTERDAY, "not_before": YESTERDAY - datetime.timedelta(days=9)}, "expired"),
    ],
    ids=["another name", "expired"],
)
def test_a_wrong_certificate_is_refused(authority: Authority, names: list[str], options: dict, words: str) -> None:
    with ScriptedGateway(answering(echo), authority.server(*names, **options)) as gateway:
        outcome = call(gateway.url, "hi", f"option:ca_file={authority.file}")
        assert outcome.status == "TLS_FAILED" and words in outcome.text, outcome
        assert gateway.requests == [], "nothing was sent to a server that is not trusted"
        assert call(gateway.url, "hi", "option:insecure_tls=true").status == "OK"
        off_again = ("option:insecure_tls=true", "option:insecure_tls=false")
        assert call(gateway.url, "hi", *off_again).status == "TLS_FAILED"


def test_a_client_certificate_is_shown(authority: Authority, tmp_path: Path) -> None:
    context = authority.server(HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    certificate, key, both = authority.client("client")
    trust = f"option:ca_file={authority.file}"
    with ScriptedGateway(answering(echo), context) as gateway:
        separate = (f"option:client_cert_file={certificate}", f"option:client_key_file={key}")
        assert call(gateway.url, "hi", trust, *separate).status == "OK"
        assert call(gateway.url, "hi", trust, *reversed(separate)).status == "OK"
        assert call(gateway.url, "hi", trust, f"option:client_cert_file={both}").status == "OK"
        assert call(gateway.url, "hi", trust).status == "TLS_FAILED"
        stranger = Authority(tmp_path).client("stranger")[2]
        assert call(gateway.url, "hi", trust, f"option:client_cert_file={stranger}").status == "TLS_FAILED"
        taken_back = (f"option:client_cert_file={both}", "option:client_cert_file=")
        assert call(gateway.url, "hi", trust, *taken_back).status == "TLS_FAILED"
        half = call(gateway.url, "hi", trust, f"option:client_cert_file={certificate}")
        assert half.status == "TLS_FAILED" and "only one is set" in half.text, half
        second, second_key, _ = authority.client("second")
        replaced = (*separate, f"option:client_cert_file={second}", f"option:client_key_file={second_key}")
        assert call(gateway.url, "hi", trust, *replaced).status == "OK"


def test_sessions_are_resumed(authority: Authority) -> None:
    resumed = []

    def answer_and_close(handler: Handler, request: Request) -> None:
        resumed.append(handler.connection.session_reused)
        handler.answer(200, '{"choices":[{"text":"hi"}]}', {"Connection": "close"})
        handler.close_connection = True

    with ScriptedGateway(answering(answer_and_close), authority.server(HOST)) as gateway:
        assert call(gateway.url, "hi", f"option:ca_file={authority.file}", "warm=3").status == "OK"
    assert resumed[1:] == [True, True, True]


def test_a_server_that_speaks_no_tls() -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        outcome = call(gateway.url.replace("http:", "https:"), "hi")
        assert outcome.status == "TLS_FAILED" and "its port speaks TLS" in outcome.text, outcome


@three_chances
def test_a_handshake_does_not_outlast_the_deadline() -> None:
    SHARED.compile("calls.c")
    with listening(lambda connection: None) as port:
        start = time.monotonic()
        outcome = call(f"https://{HOST}:{port}", "hi", "option:timeout_ms=600")
        assert outcome.status == "TIMEOUT", outcome
        assert time.monotonic() - start < 1.0


def test_what_the_server_sends_unasked_is_no_answer(authority: Authority) -> None:
    """The first part of a record that nobody asked for comes with an answer, the rest with the next one."""
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    right, wrong = b'{"choices":[{"text":"right"}]}', b'{"choices":[{"text":"WRONG"}]}'

    def talk(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)

        def pump(action: Callable[[], bytes]) -> bytes:
            while True:
                try:
                    result = action()
                    connection.sendall(outgoing.read())
                    return result
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    received = connection.recv(65536)
                    if not received:
                        raise OSError("closed") from None
                    incoming.write(received)

        rest = b""
        pump(tls.do_handshake)
        while True:
            is_question = pump(lambda: tls.read(65536)).startswith(b"POST")
            connection.sendall(rest)
            answer = right if is_question else b'{"name":"r","endpoint_type":"llm/v1/completions"}'
            tls.write(plain % len(answer) + answer)
            record = outgoing.read()
            tls.write(plain % len(wrong) + wrong)
            unasked = outgoing.read()
            rest = unasked[20:] if is_question else b""
            connection.sendall(record + (unasked[:20] if is_question else b""))

    context = authority.server(HOST)
    with listening(talk) as port:
        uri = f"https://{HOST}:{port}"
        outcome = call(uri, "hi", f"option:ca_file={authority.file}", "warm=2", "option:timeout_ms=5000")
        assert (outcome.status, outcome.text) == ("OK", "right"), outcome


@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_a_handshake_that_the_server_ends(ends: str) -> None:
    def end(connection: socket.socket) -> None:
        if ends == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.recv(10)
        connection.close()

    with listening(end) as port:
        outcome = call(f"https://{HOST}:{port}", "hi")
        assert outcome.status == "TLS_FAILED" and "ended the handshake" in outcome.text, outcome
