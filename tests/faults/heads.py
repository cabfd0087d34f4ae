"""Faults of the connection, and of the head of a response."""

import time
from collections.abc import Callable

from faults import responses
from faults.responses import head, valid_response
from faults.peer import Peer, bytewise
from faults.server import Fault

SETTINGS_OF_HTTP_2 = bytes.fromhex("0000120400000000000003000000640004003fffff000600002000")
TLS_ALERT = bytes.fromhex("15030300020246")
ERROR_413 = responses.response(b"too much", "413 Content Too Large", "text/plain")
SLOW = 0.05
LATE = 0.4
"""Seconds after which a lost connection no longer counts as closed while idle."""


def responding(*pieces: bytes, pause: float = 0) -> Fault:
    """Sends these bytes instead of a response, then half-closes."""

    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(*pieces, pause=pause)
        peer.half_close()
        peer.read_until_closed()

    return fault


def prefixing(*pieces: bytes) -> Fault:
    """Sends these bytes before the valid response."""
    return lambda peer, operation: responding(*pieces, valid_response(operation))(peer, operation)


def with_header_lines(*lines: bytes) -> Fault:
    """Sends the valid response with these additional header lines."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        first, rest = valid_response(operation).split(b"\r\n", 1)
        peer.send(b"\r\n".join((first, *lines, rest)))

    return fault


def responding_and_stalling(*pieces: bytes) -> Fault:
    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(*pieces)
        peer.read_until_closed()

    return fault


def responding_forever(beginning: bytes, piece: bytes) -> Fault:
    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(beginning)
        peer.send_forever(piece)

    return fault


def close_without_reading(peer: Peer, _: str) -> None:
    """The system sends a RST because of the unread request."""
    peer.cut()


def reset_without_reading(peer: Peer, _: str) -> None:
    peer.reset()


def reset_after_reading(peer: Peer, _: str) -> None:
    peer.read_request()
    peer.reset()


def half_close_without_reading(peer: Peer, _: str) -> None:
    peer.half_close()
    peer.read_until_closed()


def stall_without_reading(peer: Peer, _: str) -> None:
    peer.stall()


def reset_in_the_head(peer: Peer, _: str) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-", pause=SLOW)
    peer.reset()


def respond_without_reading_body(peer: Peer, operation: str) -> None:
    """Sends the response after the head of the request. Never reads the body."""
    peer.send(valid_response(operation))
    peer.stall()


def refuse_without_reading_body(peer: Peer, _: str) -> None:
    peer.send(ERROR_413)
    peer.half_close()
    peer.stall()


def on_reused_connection(end: Callable[[Peer], None], beginning: bytes = b"", pause: float = 0) -> Fault:
    """Responds to the first request of a connection, and ends the connection at the second one."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        if not peer.is_reused:
            peer.send(valid_response(operation))
            return
        peer.send(beginning)
        time.sleep(pause)
        end(peer)

    return fault


def reset_while_reading_body(peer: Peer, _: str) -> None:
    peer.connection.recv(1000)
    peer.reset()


def send_head_byte_by_byte(peer: Peer, operation: str) -> None:
    peer.read_request()
    begin, rest = valid_response(operation).split(b"\r\n\r\n", 1)
    peer.send(*bytewise(begin + b"\r\n\r\n"), rest)


def send_response_slowly(peer: Peer, operation: str) -> None:
    peer.read_request()
    peer.send(*bytewise(valid_response(operation)), pause=SLOW)


FAULTS: dict[str, Fault] = {
    "closes without reading the request": close_without_reading,
    "resets without reading the request": reset_without_reading,
    "half-closes without reading the request": half_close_without_reading,
    "stalls without reading the request": stall_without_reading,
    "closes without a response": responding(),
    "resets without a response": reset_after_reading,
    "stalls without a response": responding_and_stalling(),
    "responds without reading the request body": respond_without_reading_body,
    "refuses without reading the request body": refuse_without_reading_body,
    "resets while reading the request body": reset_while_reading_body,
    "closes a reused connection without a response": on_reused_connection(Peer.cut),
    "resets a reused connection without a response": on_reused_connection(Peer.reset),
    "closes a reused connection long after the request": on_reused_connection(Peer.cut, pause=LATE),
    "closes a reused connection in the head": on_reused_connection(Peer.cut, b"HTTP/1.1 200 OK\r\nContent-"),
    "garbage before the status line": prefixing(b"\x00\xff\x7fgarbage\r\n\r\n"),
    "empty lines before the status line": prefixing(b"\r\n\r\n"),
    "SSH banner": responding(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "HTTP/2 SETTINGS frame": responding(SETTINGS_OF_HTTP_2),
    "HTTP/2 status line": responding(b"HTTP/2 200 OK\r\n\r\n{}"),
    "TLS alert": responding(TLS_ALERT),
    "status line without a status": responding(b"HTTP/1.1 OK\r\n\r\n"),
    "status of four digits": responding(b"HTTP/1.1 2000 OK\r\n\r\n{}"),
    "status 000": responding(responses.response(b"{}", "000 Nothing")),
    "status 999": responding(responses.response(b"{}", "999 Everything")),
    "header without a colon": responding(head("no header") + b"{}"),
    "NUL in a header": responding(head("X: a\0b") + b"{}"),
    "folded header": with_header_lines(b"X: a\r\n b\r\n\tc"),
    "endless header line": responding_forever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
    "endless head": responding_forever(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
    "many headers": with_header_lines(*[b"X: y"] * 990),
    "too many headers": with_header_lines(*[b"X: y"] * 1001),
    "endless interim responses": responding_forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "stalls after an interim response": responding_and_stalling(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim responses before the final one": prefixing(
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    ),
    "101 Switching Protocols": responding_and_stalling(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
    "head byte by byte": send_head_byte_by_byte,
    "head byte by byte, too slow": send_response_slowly,
    "closes in the head": responding(b"HTTP/1.1 200 OK\r\nContent-"),
    "resets in the head": reset_in_the_head,
    "stalls in the head": responding_and_stalling(b"HTTP/1.1 200 OK\r\nContent-"),
}

DISCOVERY_FAULTS = (
    "closes without reading the request",
    "resets without reading the request",
    "stalls without reading the request",
    "closes without a response",
    "stalls without a response",
    "garbage before the status line",
    "HTTP/2 SETTINGS frame",
    "endless header line",
    "endless interim responses",
    "closes in the head",
    "stalls in the head",
)
"""Faults that are also tested with the requests of the dialect discovery."""

LONG_REQUESTS = (
    "responds without reading the request body",
    "refuses without reading the request body",
    "resets while reading the request body",
)
"""Faults that need a request larger than the socket buffers."""
