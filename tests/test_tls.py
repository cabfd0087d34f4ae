"""TLS: trusted certificates, client certificates, unusable files, and failing handshakes."""

import datetime
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.builds import ADDRESS, PLAIN, SHARED, VALGRIND_TLS, Build
from support.calls import call, set_options
from support.certificates import DAY, NOW, Authority, self_signed
from support.scripted_gateway import HOST, Handler, Request, ScriptedGateway, echo, listening, one_route
from support.timing import three_attempts

YESTERDAY = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    yield Authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("build", (*PLAIN, ADDRESS, VALGRIND_TLS), ids=lambda build: build.name)
def test_certificate_of_ca_file_is_trusted(authority: Authority, build: Build) -> None:
    with ScriptedGateway(one_route(echo), authority.server(HOST)) as gateway:
        outcome = call(gateway.url, "hi", f"option:ca_file={authority.file}", "warm=2", build=build)
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        assert gateway.connections == 1


def test_authorities_of_the_system_are_trusted_by_default(authority: Authority) -> None:
    with ScriptedGateway(one_route(echo), authority.server(HOST)) as gateway:
        assert call(gateway.url, "hi", environment={"SSL_CERT_FILE": authority.file}).status == "OK"
        outcome = call(gateway.url, "hi")
        assert outcome.status == "TLS_FAILED" and "certificate" in outcome.text, outcome


def test_ca_file_may_be_a_folder(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "readme.txt").write_text("no certificate")
    with ScriptedGateway(one_route(echo), authority.server(HOST)) as gateway:
        (tmp_path / "ca.0").write_bytes(Path(authority.file).read_bytes().rstrip())
        assert call(gateway.url, "hi", f"option:ca_file={tmp_path}").status == "OK"
        assert call(gateway.url, "hi", environment={"REQUESTS_CA_BUNDLE": str(tmp_path)}).status == "OK"


def test_ca_file_replaces_the_authorities_of_the_system(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    with ScriptedGateway(one_route(echo), authority.server(HOST)) as gateway:
        environment = {"SSL_CERT_FILE": authority.file}
        outcome = call(gateway.url, "hi", f"option:ca_file={other.file}", environment=environment)
        assert outcome.status == "TLS_FAILED", outcome


@pytest.mark.parametrize(
    ("names", "options", "phrase"),
    [
        (["other.example"], {}, "not valid for"),
        ([HOST], {"not_after": YESTERDAY, "not_before": YESTERDAY - datetime.timedelta(days=9)}, "expired"),
    ],
    ids=["another name", "expired"],
)
def test_wrong_certificate_is_refused_unless_insecure_tls_is_set(
    authority: Authority, names: list[str], options: dict, phrase: str
) -> None:
    with ScriptedGateway(one_route(echo), authority.server(*names, **options)) as gateway:
        outcome = call(gateway.url, "hi", f"option:ca_file={authority.file}")
        assert outcome.status == "TLS_FAILED" and phrase in outcome.text, outcome
        assert gateway.requests == [], "nothing was sent to a server that is not trusted"
        assert call(gateway.url, "hi", "option:insecure_tls=true").status == "OK"
        reset = ("option:insecure_tls=true", "option:insecure_tls=false")
        assert call(gateway.url, "hi", *reset).status == "TLS_FAILED"


# Self-signed and pinned certificates


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
TRUST_SOURCES = ["option", "MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]


def environment_trusting(file: str, source: str = "option") -> dict:
    """Returns the arguments of a call that trusts the certificates in a file."""
    return {"environment": {source: file}} if source != "option" else {}


@VERSIONS
@pytest.mark.parametrize("is_ca", [True, False], ids=["CA:TRUE", "CA:FALSE"])
@pytest.mark.parametrize("source", TRUST_SOURCES)
def test_self_signed_certificate_in_ca_file_is_trusted(
    tmp_path: Path, source: str, is_ca: bool, version: ssl.TLSVersion
) -> None:
    own = self_signed(tmp_path, HOST, is_ca)
    with ScriptedGateway(one_route(echo), own.server(version)) as gateway:
        options = [f"option:ca_file={own.file}"] if source == "option" else []
        outcome = call(gateway.url, "hi", *options, **environment_trusting(own.file, source))
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        assert call(gateway.url, "hi").status == "TLS_FAILED", "it is not trusted by default"


@VERSIONS
@pytest.mark.parametrize("source", ["option", "SSL_CERT_FILE"])
@pytest.mark.parametrize("is_ca", [True, False], ids=["CA:TRUE", "CA:FALSE"])
def test_self_signed_certificate_must_match_name_time_and_key(
    tmp_path: Path, is_ca: bool, source: str, version: ssl.TLSVersion
) -> None:
    """A trusted certificate must still match the server and be valid."""
    valid = self_signed(tmp_path, HOST, is_ca)
    for served, trusted, phrase in (
        (self_signed(tmp_path, "other.example", is_ca), None, "not valid for"),
        (self_signed(tmp_path, "127.0.0.2", is_ca), None, "not valid for"),
        (self_signed(tmp_path, HOST, is_ca, NOW - 2 * DAY, NOW - DAY), None, "expired"),
        (self_signed(tmp_path, HOST, is_ca, NOW + DAY, NOW + 2 * DAY), None, "not valid yet"),
        # The same name with another key.
        (self_signed(tmp_path, HOST, is_ca), valid, "certificate"),
    ):
        with ScriptedGateway(one_route(echo), served.server(version)) as gateway:
            file = (trusted or served).file
            options = [f"option:ca_file={file}"] if source == "option" else []
            outcome = call(gateway.url, "hi", *options, **environment_trusting(file, source))
            assert outcome.status == "TLS_FAILED" and phrase in outcome.text, outcome
            assert gateway.requests == []


@VERSIONS
def test_pinned_certificate_is_trusted_without_its_authority(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """The certificate of the server itself is enough, and may be one of several."""
    issued, expired = authority.ca.issue_cert(HOST), authority.ca.issue_cert(HOST, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    other = self_signed(tmp_path, "other.example")
    for leaf, status in ((issued, "OK"), (expired, "TLS_FAILED")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        leaf.configure_cert(context)
        pinned = tmp_path / "pinned.pem"
        pinned.write_bytes(Path(other.file).read_bytes() + leaf.cert_chain_pems[0].bytes())
        with ScriptedGateway(one_route(echo), context) as gateway:
            outcome = call(gateway.url, "hi", f"option:ca_file={pinned}")
            assert outcome.status == status, outcome
            assert call(gateway.url, "hi", f"option:ca_file={other.file}").status == "TLS_FAILED"


@pytest.mark.parametrize("build", (ADDRESS, VALGRIND_TLS), ids=lambda build: build.name)
def test_self_signed_certificate_is_memory_safe(tmp_path: Path, build: Build) -> None:
    own, other = self_signed(tmp_path, HOST), self_signed(tmp_path, HOST)
    with ScriptedGateway(one_route(echo), own.server()) as gateway:
        for file, status in ((own.file, "OK"), (other.file, "TLS_FAILED")):
            outcome = call(gateway.url, "hi", f"option:ca_file={file}", "warm=1", build=build)
            assert outcome.status == status, outcome


# Unusable files


VALID, DAMAGED = "GOOD", "DAMAGED"
BLOCK = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
BROKEN = [
    ([VALID, BLOCK.format("not base64!")], "block 2", "base64"),
    ([VALID, VALID, BLOCK.format("aGVsbG8=")], "block 3", "not an X.509 certificate"),
    ([BLOCK.format(""), VALID], "block 1", "not an X.509 certificate"),
    ([DAMAGED], "block 1", "not an X.509 certificate"),
    ([VALID, "-----BEGIN CERTIFICATE-----\naGVsbG8=\n"], "block 2", "no end line"),
    ([VALID, "-----BEGIN CERTIFICATE----\naGVsbG8=\n"], "block 2", "first line"),
]


def written(folder: Path, blocks: list[str], valid: str) -> Path:
    lines = valid.splitlines(keepends=True)
    damaged = "".join(lines[:3] + lines[4:])
    file = folder / "bundle.pem"
    file.write_text("".join({VALID: valid, DAMAGED: damaged}.get(block, block) for block in blocks))
    return file


@pytest.mark.parametrize(("blocks", "which", "why"), BROKEN, ids=[f"{which}: {why}" for _, which, why in BROKEN])
def test_broken_block_of_a_file_is_named_when_the_option_is_set(
    authority: Authority, tmp_path: Path, blocks: list[str], which: str, why: str
) -> None:
    """Each call reporting it would suggest a fault of the server."""
    file = written(tmp_path, blocks, Path(authority.file).read_text())
    (tmp_path / "good.pem").write_bytes(Path(authority.file).read_bytes())
    options = [f"ca_file={file}", f"ca_file={tmp_path}", *([f"client_cert_file={file}"] if which == "block 1" else [])]
    for option in options:
        error = set_options(option)
        phrases = ("INVALID_OPTION_VALUE", f"the option {option.split('=')[0]}", str(file), which, why)
        assert all(word in error for word in phrases), error
    for name in TRUST_SOURCES[1:4]:
        outcome = call("https://127.0.0.1:1", "hi", environment={name: str(file)})
        assert outcome.status == "INVALID_OPTION_VALUE" and outcome.attempts == 0, outcome
        assert all(word in outcome.text for word in (name, str(file), which, why)), outcome.text


VERSION_1 = """-----BEGIN CERTIFICATE-----
MIIBFjCBvQIUfQs7N0pI2uvIM/CeEJKqEkfKMyQwCgYIKoZIzj0EAwIwDTELMAkG
A1UEAwwCbWUwIBcNMjYxMTI2MDEyNjQzWhgPMjEyNjExMDIwMTI2NDNaMA0xCzAJ
BgNVBAMMAm1lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgwkDugHKmr7wza2r
6Z5WNHtEK1BhU3WgLa7Yzee/OVqk450IZ1QDE3XcipNKVAgIHjzV1pKl8niFyzWA
wsbZkzAKBggqhkjOPQQDAgNIADBFAiEAoscQDsIdUPmfPV4vRqV4tE0thRMUaCgm
1yOFYsjh0t4CIB6IqktIHk6iehawQK96hm9smYSntF2URaCZdNEHUeif
-----END CERTIFICATE-----
"""
"""Created as by "openssl x509 -req" until OpenSSL 3.4, with this key."""
VERSION_1_KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgB3MuCuU9YDsBl2W3
zacXZrZ+V1wz6iBA3p69/Bl/l3qhRANCAASDCQO6AcqavvDNravpnlY0e0QrUGFT
daAtrtjN5785WqTjnQhnVAMTddyKk0pUCAgePNXWkqXyeIXLNYDCxtmT
-----END PRIVATE KEY-----
"""
ENCRYPTED_KEY = """-----BEGIN ENCRYPTED PRIVATE KEY-----
aGVsbG8=
-----END ENCRYPTED PRIVATE KEY-----
"""
NO_KEY = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("certificate", "key", "phrases"),
    [
        (VERSION_1, VERSION_1_KEY, ["client_cert_file", "block 1", "version 3"]),
        (VERSION_1 + VERSION_1_KEY, None, ["client_cert_file", "block 1", "version 3"]),
        (VALID, VERSION_1_KEY, ["the key in client_key_file does not match client_cert_file"]),
        (VALID + VERSION_1_KEY, None, ["the key in client_cert_file does not match client_cert_file"]),
        (VALID, ENCRYPTED_KEY, ["client_key_file", "is encrypted"]),
        (VALID + ENCRYPTED_KEY, None, ["client_cert_file", "is encrypted"]),
        (VALID, NO_KEY, ["client_key_file", "private key", "cannot be used"]),
        (VALID + NO_KEY, None, ["client_cert_file", "private key", "cannot be used"]),
        (VALID, VALID, ["client_key_file", "contains no private key"]),
        (VERSION_1_KEY, None, ["client_cert_file", "contains no certificate"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else str(value and len(value)),
)
def test_unusable_client_certificate_is_rejected_with_the_reason(
    authority: Authority, tmp_path: Path, certificate: str, key: str, phrases: list[str]
) -> None:
    valid = Path(authority.client("good")[0]).read_text()
    (tmp_path / "client.pem").write_text(certificate.replace(VALID, valid))
    options = [f"client_cert_file={tmp_path / 'client.pem'}"]
    if key:
        (tmp_path / "client.key").write_text(key.replace(VALID, valid))
        options.append(f"client_key_file={tmp_path / 'client.key'}")
    error = set_options(*options)
    assert all(word in error for word in ("INVALID_OPTION_VALUE", *phrases)), error
    if not key:
        name = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
        outcome = call("https://127.0.0.1:1", "hi", environment={name: str(tmp_path / "client.pem")})
        assert outcome.status == "INVALID_OPTION_VALUE" and name in outcome.text, outcome
        assert all(word in outcome.text for word in phrases), outcome.text


# Client certificates and handshakes


def test_client_certificate_is_presented(authority: Authority, tmp_path: Path) -> None:
    context = authority.server(HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    certificate, key, both = authority.client("client")
    trust = f"option:ca_file={authority.file}"
    with ScriptedGateway(one_route(echo), context) as gateway:
        separate = (f"option:client_cert_file={certificate}", f"option:client_key_file={key}")
        assert call(gateway.url, "hi", trust, *separate).status == "OK"
        assert call(gateway.url, "hi", trust, *reversed(separate)).status == "OK"
        assert call(gateway.url, "hi", trust, f"option:client_cert_file={both}").status == "OK"
        assert call(gateway.url, "hi", trust).status == "TLS_FAILED"
        stranger = Authority(tmp_path).client("stranger")[2]
        assert call(gateway.url, "hi", trust, f"option:client_cert_file={stranger}").status == "TLS_FAILED"
        unset = (f"option:client_cert_file={both}", "option:client_cert_file=")
        assert call(gateway.url, "hi", trust, *unset).status == "TLS_FAILED"
        half = call(gateway.url, "hi", trust, f"option:client_cert_file={certificate}")
        assert half.status == "TLS_FAILED" and "only one of the options client_cert_file and client_key_file is set" in half.text, half
        second, second_key, _ = authority.client("second")
        replaced = (*separate, f"option:client_cert_file={second}", f"option:client_key_file={second_key}")
        assert call(gateway.url, "hi", trust, *replaced).status == "OK"


def test_tls_sessions_are_resumed(authority: Authority) -> None:
    resumed = []

    def respond_and_close(handler: Handler, request: Request) -> None:
        resumed.append(handler.connection.session_reused)
        handler.respond(200, '{"choices":[{"text":"hi"}]}', {"Connection": "close"})
        handler.close_connection = True

    with ScriptedGateway(one_route(respond_and_close), authority.server(HOST)) as gateway:
        assert call(gateway.url, "hi", f"option:ca_file={authority.file}", "warm=3").status == "OK"
    assert resumed[1:] == [True, True, True]


def test_server_without_tls_is_tls_failed() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        outcome = call(gateway.url.replace("http:", "https:"), "hi")
        assert outcome.status == "TLS_FAILED" and "its port uses TLS" in outcome.text, outcome


@three_attempts
def test_handshake_times_out_at_timeout_ms() -> None:
    SHARED.compile("calls.c")
    with listening(lambda connection: None) as port:
        start = time.monotonic()
        outcome = call(f"https://{HOST}:{port}", "hi", "option:timeout_ms=600")
        assert outcome.status == "TIMEOUT", outcome
        assert time.monotonic() - start < 1.0


def test_unrequested_tls_record_is_not_taken_for_a_response(authority: Authority) -> None:
    """The first part of an unrequested record arrives with a response, the rest with the next one."""
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    valid, invalid = b'{"choices":[{"text":"right"}]}', b'{"choices":[{"text":"WRONG"}]}'

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
            is_post = pump(lambda: tls.read(65536)).startswith(b"POST")
            connection.sendall(rest)
            body = valid if is_post else b'{"name":"r","endpoint_type":"llm/v1/completions"}'
            tls.write(plain % len(body) + body)
            record = outgoing.read()
            tls.write(plain % len(invalid) + invalid)
            unrequested = outgoing.read()
            rest = unrequested[20:] if is_post else b""
            connection.sendall(record + (unrequested[:20] if is_post else b""))

    context = authority.server(HOST)
    with listening(talk) as port:
        uri = f"https://{HOST}:{port}"
        outcome = call(uri, "hi", f"option:ca_file={authority.file}", "warm=2", "option:timeout_ms=5000")
        assert (outcome.status, outcome.text) == ("OK", "right"), outcome


@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_handshake_ended_by_the_server_is_tls_failed(ends: str) -> None:
    def end(connection: socket.socket) -> None:
        if ends == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.recv(10)
        connection.close()

    with listening(end) as port:
        outcome = call(f"https://{HOST}:{port}", "hi")
        assert outcome.status == "TLS_FAILED" and "ended the handshake" in outcome.text, outcome
