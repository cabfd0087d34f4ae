"""Faults of TLS: in the handshake, and behind it."""

import datetime
import socket
import ssl
from collections.abc import Callable

from support.certificates import Authority
from support.scripted_gateway import HOST

from faults import framings
from faults.answers import content, good
from faults.peer import Peer
from faults.server import Play

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)

HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")
HALF_A_SERVER_HELLO = bytes.fromhex("160303007a020000760303") + b"\x11" * 20
LONG_RECORD = b"\x16\x03\x03\xff\xff" + b"\x02" * 1000
BROKEN_RECORD = b"\x17\x03\x03\x00\x40" + b"x" * 64

Handshake = Callable[[Peer], None]


def saying(words: bytes, end: Callable[[Peer], None]) -> Handshake:
    """Takes the client's hello, says this, and does that."""

    def play(peer: Peer) -> None:
        peer.connection.recv(65536)
        peer.send(words)
        end(peer)
        peer.read_on()

    return play


HANDSHAKES: dict[str, Handshake] = {
    "TLS: stalls before the handshake": Peer.stall,
    "TLS: stalls in the handshake": saying(HALF_A_SERVER_HELLO, Peer.read_on),
    "TLS: closes before the handshake": Peer.cut,
    "TLS: closes in the handshake": saying(HALF_A_SERVER_HELLO, Peer.half_close),
    "TLS: resets in the handshake": saying(HALF_A_SERVER_HELLO, Peer.reset),
    "TLS: refuses the handshake": saying(HANDSHAKE_FAILURE, Peer.half_close),
    "TLS: garbage as the handshake": saying(b"\x00\xffgarbage" * 100, Peer.half_close),
    "TLS: a record that is too long": saying(LONG_RECORD, Peer.read_on),
    "TLS: a plain answer as the handshake": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", Peer.half_close),
}
"""What a server does instead of a handshake."""


def contexts(authority: Authority, stranger: Authority) -> dict[str, ssl.SSLContext]:
    """Servers of which the one that trusts `authority` is not to be satisfied."""
    wanting = authority.server(HOST)
    wanting.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(wanting)
    return {
        "TLS: expired": authority.server(HOST, not_before=NOW - 2 * DAY, not_after=NOW - DAY),
        "TLS: not yet valid": authority.server(HOST, not_before=NOW + DAY, not_after=NOW + 2 * DAY),
        "TLS: another name": authority.server("other.example"),
        "TLS: an unknown authority": stranger.server(HOST),
        "TLS: wants a client's certificate": wanting,
    }


def close_unsaid(peer: Peer, operation: str) -> None:
    """The end of the connection would be that of the answer, but TLS does not say that it is."""
    peer.take()
    peer.send(framings.head(operation) + content(operation), pause=framings.A_MOMENT)
    peer.cut()


def close_unsaid_behind_the_length(peer: Peer, operation: str) -> None:
    peer.take()
    peer.send(good(operation), pause=framings.A_MOMENT)
    peer.cut()


def break_a_record(peer: Peer, operation: str) -> None:
    """Bytes in the middle of the body that no key fits."""
    peer.take()
    body = content(operation)
    peer.send(framings.head(operation, f"Content-Length: {len(body)}") + framings.half(body))
    with socket.fromfd(peer.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as below:
        below.sendall(BROKEN_RECORD)
    peer.read_on()


def say_goodbye(peer: Peer) -> None:
    """Closes TLS in an orderly way, which is none in the middle of an answer."""
    assert isinstance(peer.connection, ssl.SSLSocket)
    peer.connection.unwrap()


ANSWERS: dict[str, Play] = {
    "TLS: closes unsaid": close_unsaid,
    "TLS: closes unsaid behind the length": close_unsaid_behind_the_length,
    "TLS: closes in the body": framings.cut(Peer.cut),
    "TLS: says goodbye in the body": framings.cut(say_goodbye),
    "TLS: resets in the body": framings.cut(Peer.reset),
    "TLS: stalls in the body": framings.cut(Peer.read_on),
    "TLS: a broken record": break_a_record,
}
"""What a server does behind a good handshake."""
