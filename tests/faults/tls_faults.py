"""Faults of TLS, in the handshake and after it."""

import datetime
import socket
import ssl
from collections.abc import Callable

from support.certificates import Authority
from support.scripted_gateway import HOST

from faults import framings
from faults.responses import content, valid_response
from faults.peer import Peer
from faults.server import Fault

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)

HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")
HALF_A_SERVER_HELLO = bytes.fromhex("160303007a020000760303") + b"\x11" * 20
LONG_RECORD = b"\x16\x03\x03\xff\xff" + b"\x02" * 1000
BROKEN_RECORD = b"\x17\x03\x03\x00\x40" + b"x" * 64

Handshake = Callable[[Peer], None]


def responding(data: bytes, end: Callable[[Peer], None]) -> Handshake:
    """Reads the ClientHello, sends this data, then calls `end`."""

    def fault(peer: Peer) -> None:
        peer.connection.recv(65536)
        peer.send(data)
        end(peer)
        peer.read_until_closed()

    return fault


HANDSHAKES: dict[str, Handshake] = {
    "TLS: stalls before the handshake": Peer.stall,
    "TLS: stalls in the handshake": responding(HALF_A_SERVER_HELLO, Peer.read_until_closed),
    "TLS: closes before the handshake": Peer.cut,
    "TLS: closes in the handshake": responding(HALF_A_SERVER_HELLO, Peer.half_close),
    "TLS: resets in the handshake": responding(HALF_A_SERVER_HELLO, Peer.reset),
    "TLS: handshake_failure alert": responding(HANDSHAKE_FAILURE, Peer.half_close),
    "TLS: garbage instead of a handshake": responding(b"\x00\xffgarbage" * 100, Peer.half_close),
    "TLS: record too long": responding(LONG_RECORD, Peer.read_until_closed),
    "TLS: plain HTTP instead of a handshake": responding(b"HTTP/1.1 400 Bad Request\r\n\r\n", Peer.half_close),
}
"""Faults of the handshake."""


def tls_contexts(authority: Authority, stranger: Authority) -> dict[str, ssl.SSLContext]:
    """TLS settings of servers that a client that trusts `authority` must reject."""
    requiring_client_certificate = authority.server(HOST)
    requiring_client_certificate.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(requiring_client_certificate)
    return {
        "TLS: expired certificate": authority.server(HOST, not_before=NOW - 2 * DAY, not_after=NOW - DAY),
        "TLS: certificate not yet valid": authority.server(HOST, not_before=NOW + DAY, not_after=NOW + 2 * DAY),
        "TLS: certificate of another host": authority.server("other.example"),
        "TLS: unknown authority": stranger.server(HOST),
        "TLS: requires a client certificate": requiring_client_certificate,
    }


def close_without_close_notify(peer: Peer, operation: str) -> None:
    """The connection ends the body, but without close_notify the body may be truncated."""
    peer.read_request()
    peer.send(framings.head(operation) + content(operation), pause=framings.PAUSE)
    peer.cut()


def close_without_close_notify_after_body(peer: Peer, operation: str) -> None:
    peer.read_request()
    peer.send(valid_response(operation), pause=framings.PAUSE)
    peer.cut()


def send_corrupt_record(peer: Peer, operation: str) -> None:
    """Sends half of the body and then a record that cannot be decrypted."""
    peer.read_request()
    body = content(operation)
    peer.send(framings.head(operation, f"Content-Length: {len(body)}") + framings.half(body))
    with socket.fromfd(peer.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as below:
        below.sendall(BROKEN_RECORD)
    peer.read_until_closed()


def send_close_notify(peer: Peer) -> None:
    """Closes TLS properly, but before the end of the body."""
    assert isinstance(peer.connection, ssl.SSLSocket)
    peer.connection.unwrap()


RESPONSES: dict[str, Fault] = {
    "TLS: closes without close_notify": close_without_close_notify,
    "TLS: closes without close_notify after the body": close_without_close_notify_after_body,
    "TLS: closes in the body": framings.cut(Peer.cut),
    "TLS: close_notify in the body": framings.cut(send_close_notify),
    "TLS: resets in the body": framings.cut(Peer.reset),
    "TLS: stalls in the body": framings.cut(Peer.read_until_closed),
    "TLS: corrupt record": send_corrupt_record,
}
"""Faults after the handshake."""
