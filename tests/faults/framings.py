"""Faults of the framing of a body (Content-Length, chunks), and connections that end inside a body."""

from collections.abc import Callable

from faults import responses
from faults.responses import content, content_type, valid_response
from faults.peer import Peer, bytewise
from faults.server import Fault

CHUNKED = "Transfer-Encoding: chunked"
PAUSE = 0.05
"""Seconds before a reset, so that the client can read first: a RST discards what it has not read."""

Body = Callable[[bytes], bytes]


def head(operation: str, *headers: str) -> bytes:
    return responses.head(*headers, content_type=content_type(operation))


def half(body: bytes) -> bytes:
    """Half of a JSON body, or the first event of a stream."""
    return body[: body.index(b"\n\n") + 2] if b"\n\n" in body else body[: len(body) // 2]


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def framed(headers: Callable[[bytes], tuple[str, ...]], body: Body) -> Fault:
    """Sends headers and a body derived from the valid body, then half-closes."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        valid_body = content(operation)
        peer.send(head(operation, *headers(valid_body)) + body(valid_body))
        peer.half_close()
        peer.read_until_closed()

    return fault


def chunked(body: Body) -> Fault:
    return framed(lambda _: (CHUNKED,), body)


def with_headers(*headers: str) -> Fault:
    """The valid body with these headers."""
    return framed(lambda _: headers, lambda body: body)


def cut(end: Callable[[Peer], None], part: Body = half) -> Fault:
    """Sends a part of the body that Content-Length announces, then calls `end`."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        body = content(operation)
        peer.send(head(operation, f"Content-Length: {len(body) + 1}") + part(body), pause=PAUSE)
        end(peer)

    return fault


def cutting_chunks(end: Callable[[Peer], None]) -> Fault:
    """Sends the first chunk of the body, then calls `end`."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        peer.send(head(operation, CHUNKED) + chunk(half(content(operation))), pause=PAUSE)
        end(peer)

    return fault


def sending_byte_by_byte(pause: float) -> Fault:
    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        body = content(operation)
        peer.send(head(operation, f"Content-Length: {len(body)}"), *bytewise(body), pause=pause)

    return fault


def send_one_byte_chunks(peer: Peer, operation: str) -> None:
    peer.read_request()
    wire = b"".join(map(chunk, bytewise(content(operation)))) + b"0\r\n\r\n"
    peer.send(head(operation, CHUNKED), *bytewise(wire))


def reset_after_body(peer: Peer, operation: str) -> None:
    """Sends a body that ends with the connection, then resets the connection."""
    peer.read_request()
    peer.send(head(operation) + content(operation), pause=PAUSE)
    peer.reset()


def send_forever(*headers: str, beginning: Body, piece: bytes) -> Fault:
    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        peer.send(head(operation, *headers) + beginning(content(operation)))
        peer.send_forever(piece)

    return fault


def announce_a_petabyte(peer: Peer, operation: str) -> None:
    """Sends a huge Content-Length and no body."""
    peer.read_request()
    peer.send(head(operation, "Content-Length: 1000000000000000"))
    peer.read_until_closed()


def send_bytes_after_content_length(peer: Peer, operation: str) -> None:
    peer.read_request()
    peer.send(valid_response(operation) + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    peer.read_until_closed()


FAULTS: dict[str, Fault] = {
    "closes in the body": cut(Peer.cut),
    "resets in the body": cut(Peer.reset),
    "stalls in the body": cut(Peer.read_until_closed),
    "half-closes in the body": cut(Peer.half_close),
    "Content-Length too long, closes": cut(Peer.cut, part=lambda body: body),
    "Content-Length too long, stalls": cut(Peer.read_until_closed, part=lambda body: body),
    "Content-Length too short": framed(lambda body: (f"Content-Length: {len(half(body))}",), lambda body: body),
    "Content-Length 0": with_headers("Content-Length: 0"),
    "Content-Length not a number": with_headers("Content-Length: many"),
    "Content-Length negative": with_headers("Content-Length: -1"),
    "Content-Length beyond 64 bits": with_headers("Content-Length: 99999999999999999999"),
    "two Content-Lengths": with_headers("Content-Length: 1", "Content-Length: 2"),
    "Content-Length of a petabyte": announce_a_petabyte,
    "bytes after the Content-Length": send_bytes_after_content_length,
    "body byte by byte": sending_byte_by_byte(0),
    "body byte by byte, too slow": sending_byte_by_byte(0.05),
    "resets after the body": reset_after_body,
    "endless body": send_forever(beginning=half, piece=b"x" * 10_000),
    "chunks byte by byte": send_one_byte_chunks,
    "chunk without a size": chunked(lambda body: b"size\r\n" + body + b"\r\n0\r\n\r\n"),
    "chunk with a negative size": chunked(lambda body: b"-5\r\n" + body + b"\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": chunked(lambda body: b"fffffffffffffffff\r\n" + body),
    "chunk size of 8 EiB": chunked(lambda body: b"7fffffffffffffff\r\n" + half(body)),
    "chunk longer than its size": chunked(lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(half(body)), body)),
    "chunk shorter than its size": chunked(lambda body: b"%x\r\n%s\r\n" % (len(body) + 100, half(body))),
    "chunk without a line end": chunked(lambda body: b"%x\r\n%s0\r\n\r\n" % (len(body), body)),
    "endless chunk extension": send_forever(CHUNKED, beginning=lambda _: b"5;x=", piece=b"x" * 1000),
    "closes between chunks": cutting_chunks(Peer.cut),
    "resets between chunks": cutting_chunks(Peer.reset),
    "stalls between chunks": cutting_chunks(Peer.read_until_closed),
    "no last chunk": chunked(chunk),
    "last chunk without its blank line": chunked(lambda body: chunk(body) + b"0\r\n"),
    "endless trailers": send_forever(
        CHUNKED, beginning=lambda body: chunk(body) + b"0\r\n", piece=b"X: y\r\n" * 100
    ),
    "chunks and a Content-Length": framed(
        lambda _: (CHUNKED, "Content-Length: 3"), lambda body: chunk(body) + b"0\r\n\r\n"
    ),
    "Transfer-Encoding gzip": with_headers("Transfer-Encoding: gzip, chunked"),
}
