"""Faults of how the body of an answer is framed, and of its bytes on their way."""

from collections.abc import Callable

from faults import answers
from faults.answers import content, content_type, good
from faults.peer import Peer, bytewise
from faults.server import Play

CHUNKED = "Transfer-Encoding: chunked"
A_MOMENT = 0.05
"""Until what was sent has been read: a RST makes the client's system forget what it has not."""

Body = Callable[[bytes], bytes]


def head(operation: str, *headers: str) -> bytes:
    return answers.head(*headers, content_type=content_type(operation))


def half(body: bytes) -> bytes:
    """In the middle of a JSON text, or behind the first event."""
    return body[: body.index(b"\n\n") + 2] if b"\n\n" in body else body[: len(body) // 2]


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def framed(headers: Callable[[bytes], tuple[str, ...]], body: Body) -> Play:
    """A head and a body that are made of a good body, and the end of the connection."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        good_body = content(operation)
        peer.send(head(operation, *headers(good_body)) + body(good_body))
        peer.half_close()
        peer.read_on()

    return play


def chunked(body: Body) -> Play:
    return framed(lambda _: (CHUNKED,), body)


def with_headers(*headers: str) -> Play:
    """A good body under these headers."""
    return framed(lambda _: headers, lambda body: body)


def cut(end: Callable[[Peer], None], part: Body = half) -> Play:
    """A part of the body that the length announces, and then this."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        body = content(operation)
        peer.send(head(operation, f"Content-Length: {len(body) + 1}") + part(body), pause=A_MOMENT)
        end(peer)

    return play


def half_then(end: Callable[[Peer], None]) -> Play:
    """The same with chunks."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        peer.send(head(operation, CHUNKED) + chunk(half(content(operation))), pause=A_MOMENT)
        end(peer)

    return play


def byte_by_byte(pause: float) -> Play:
    def play(peer: Peer, operation: str) -> None:
        peer.take()
        body = content(operation)
        peer.send(head(operation, f"Content-Length: {len(body)}"), *bytewise(body), pause=pause)

    return play


def chunks_of_a_byte(peer: Peer, operation: str) -> None:
    peer.take()
    wire = b"".join(map(chunk, bytewise(content(operation)))) + b"0\r\n\r\n"
    peer.send(head(operation, CHUNKED), *bytewise(wire))


def reset_after_the_body(peer: Peer, operation: str) -> None:
    """The end of the connection is that of the answer, but it is a broken one."""
    peer.take()
    peer.send(head(operation) + content(operation), pause=A_MOMENT)
    peer.reset()


def send_for_ever(*headers: str, beginning: Body, piece: bytes) -> Play:
    def play(peer: Peer, operation: str) -> None:
        peer.take()
        peer.send(head(operation, *headers) + beginning(content(operation)))
        peer.send_for_ever(piece)

    return play


def long_promise(peer: Peer, operation: str) -> None:
    """A length that nobody could keep, and not a byte."""
    peer.take()
    peer.send(head(operation, "Content-Length: 1000000000000000"))
    peer.read_on()


def more_than_the_length(peer: Peer, operation: str) -> None:
    peer.take()
    peer.send(good(operation) + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    peer.read_on()


FAULTS: dict[str, Play] = {
    "closes in the body": cut(Peer.cut),
    "resets in the body": cut(Peer.reset),
    "stalls in the body": cut(Peer.read_on),
    "half-closes in the body": cut(Peer.half_close),
    "length too long and closes": cut(Peer.cut, part=lambda body: body),
    "length too long and stalls": cut(Peer.read_on, part=lambda body: body),
    "length too short": framed(lambda body: (f"Content-Length: {len(half(body))}",), lambda body: body),
    "length 0": with_headers("Content-Length: 0"),
    "length no number": with_headers("Content-Length: many"),
    "length negative": with_headers("Content-Length: -1"),
    "length beyond 64 bits": with_headers("Content-Length: 99999999999999999999"),
    "two lengths": with_headers("Content-Length: 1", "Content-Length: 2"),
    "length that nobody could keep": long_promise,
    "more than the length": more_than_the_length,
    "body byte by byte": byte_by_byte(0),
    "body too slowly": byte_by_byte(0.05),
    "resets after the body": reset_after_the_body,
    "body without an end": send_for_ever(beginning=half, piece=b"x" * 10_000),
    "chunks byte by byte": chunks_of_a_byte,
    "chunk without a size": chunked(lambda body: b"size\r\n" + body + b"\r\n0\r\n\r\n"),
    "chunk of negative size": chunked(lambda body: b"-5\r\n" + body + b"\r\n0\r\n\r\n"),
    "chunk of a size beyond 64 bits": chunked(lambda body: b"fffffffffffffffff\r\n" + body),
    "chunk of a size that nobody could keep": chunked(lambda body: b"7fffffffffffffff\r\n" + half(body)),
    "chunk longer than its size": chunked(lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(half(body)), body)),
    "chunk shorter than its size": chunked(lambda body: b"%x\r\n%s\r\n" % (len(body) + 100, half(body))),
    "chunk without a line end": chunked(lambda body: b"%x\r\n%s0\r\n\r\n" % (len(body), body)),
    "chunk's line without an end": send_for_ever(CHUNKED, beginning=lambda _: b"5;x=", piece=b"x" * 1000),
    "closes between chunks": half_then(Peer.cut),
    "resets between chunks": half_then(Peer.reset),
    "stalls between chunks": half_then(Peer.read_on),
    "no last chunk": chunked(chunk),
    "last chunk without an end": chunked(lambda body: chunk(body) + b"0\r\n"),
    "trailers without an end": send_for_ever(
        CHUNKED, beginning=lambda body: chunk(body) + b"0\r\n", piece=b"X: y\r\n" * 100
    ),
    "chunks and a length": framed(
        lambda _: (CHUNKED, "Content-Length: 3"), lambda body: chunk(body) + b"0\r\n\r\n"
    ),
    "another transfer encoding": with_headers("Transfer-Encoding: gzip, chunked"),
}
