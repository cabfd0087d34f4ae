"""Faults of the connection, and of the head of an answer."""

import time
from collections.abc import Callable

from faults import answers
from faults.answers import good, head
from faults.peer import Peer, bytewise
from faults.server import Play

SETTINGS_OF_HTTP_2 = bytes.fromhex("0000120400000000000003000000640004003fffff000600002000")
TLS_ALERT = bytes.fromhex("15030300020246")
REFUSAL = answers.answer(b"too much", "413 Content Too Large", "text/plain")
SLOWLY = 0.05
LATE = 0.4
"""Seconds after which a connection was not lost because it was idle."""


def saying(*pieces: bytes, pause: float = 0) -> Play:
    """These bytes instead of an answer, and the end of the connection."""

    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(*pieces, pause=pause)
        peer.half_close()
        peer.read_on()

    return play


def saying_before_the_answer(*pieces: bytes) -> Play:
    """These bytes, and a good answer after them."""
    return lambda peer, operation: saying(*pieces, good(operation))(peer, operation)


def with_header_lines(*lines: bytes) -> Play:
    """A good answer with these lines in its head."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        first, rest = good(operation).split(b"\r\n", 1)
        peer.send(b"\r\n".join((first, *lines, rest)))

    return play


def saying_and_stalling(*pieces: bytes) -> Play:
    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(*pieces)
        peer.read_on()

    return play


def saying_for_ever(beginning: bytes, piece: bytes) -> Play:
    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(beginning)
        peer.send_for_ever(piece)

    return play


def close_before_reading(peer: Peer, _: str) -> None:
    """What it has not read makes the system send a RST."""
    peer.cut()


def reset_before_reading(peer: Peer, _: str) -> None:
    peer.reset()


def reset_after_reading(peer: Peer, _: str) -> None:
    peer.take()
    peer.reset()


def half_close_before_reading(peer: Peer, _: str) -> None:
    peer.half_close()
    peer.read_on()


def stall_before_reading(peer: Peer, _: str) -> None:
    peer.stall()


def reset_in_the_head(peer: Peer, _: str) -> None:
    peer.take()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-", pause=SLOWLY)
    peer.reset()


def answer_before_reading(peer: Peer, operation: str) -> None:
    """The whole answer by the head of the question alone; its body is never read."""
    peer.send(good(operation))
    peer.stall()


def refuse_before_reading(peer: Peer, _: str) -> None:
    peer.send(REFUSAL)
    peer.half_close()
    peer.stall()


def where_reused(end: Callable[[Peer], None], beginning: bytes = b"", pause: float = 0) -> Play:
    """Ends a connection on which a response was sent before; a new one is good."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        if not peer.is_reused:
            peer.send(good(operation))
            return
        peer.send(beginning)
        time.sleep(pause)
        end(peer)

    return play


def reset_while_reading(peer: Peer, _: str) -> None:
    peer.connection.recv(1000)
    peer.reset()


def head_byte_by_byte(peer: Peer, operation: str) -> None:
    peer.take()
    begin, rest = good(operation).split(b"\r\n\r\n", 1)
    peer.send(*bytewise(begin + b"\r\n\r\n"), rest)


def head_too_slowly(peer: Peer, operation: str) -> None:
    peer.take()
    peer.send(*bytewise(good(operation)), pause=SLOWLY)


FAULTS: dict[str, Play] = {
    "closes before it reads": close_before_reading,
    "resets before it reads": reset_before_reading,
    "half-closes before it reads": half_close_before_reading,
    "stalls before it reads": stall_before_reading,
    "closes before it answers": saying(),
    "resets before it answers": reset_after_reading,
    "stalls before it answers": saying_and_stalling(),
    "answers before it reads": answer_before_reading,
    "refuses before it reads": refuse_before_reading,
    "resets while it reads": reset_while_reading,
    "closes an idle connection at the request": where_reused(Peer.cut),
    "resets an idle connection at the request": where_reused(Peer.reset),
    "closes an idle connection long after the request": where_reused(Peer.cut, pause=LATE),
    "closes an idle connection in the head": where_reused(Peer.cut, b"HTTP/1.1 200 OK\r\nContent-"),
    "garbage before the head": saying_before_the_answer(b"\x00\xff\x7fgarbage\r\n\r\n"),
    "empty lines before the head": saying_before_the_answer(b"\r\n\r\n"),
    "speaks SSH": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "speaks HTTP/2": saying(SETTINGS_OF_HTTP_2),
    "says HTTP/2": saying(b"HTTP/2 200 OK\r\n\r\n{}"),
    "speaks TLS": saying(TLS_ALERT),
    "no status": saying(b"HTTP/1.1 OK\r\n\r\n"),
    "status of four digits": saying(b"HTTP/1.1 2000 OK\r\n\r\n{}"),
    "status 000": saying(answers.answer(b"{}", "000 Nothing")),
    "status 999": saying(answers.answer(b"{}", "999 Everything")),
    "header without a colon": saying(head("no header") + b"{}"),
    "NUL in a header": saying(head("X: a\0b") + b"{}"),
    "header on two lines": with_header_lines(b"X: a\r\n b\r\n\tc"),
    "line without an end": saying_for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
    "head without an end": saying_for_ever(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
    "many headers": with_header_lines(*[b"X: y"] * 990),
    "too many headers": with_header_lines(*[b"X: y"] * 1001),
    "interim answers without an end": saying_for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "stalls after an interim answer": saying_and_stalling(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim answers before the head": saying_before_the_answer(
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    ),
    "switches protocols": saying_and_stalling(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
    "head byte by byte": head_byte_by_byte,
    "head too slowly": head_too_slowly,
    "closes in the head": saying(b"HTTP/1.1 200 OK\r\nContent-"),
    "resets in the head": reset_in_the_head,
    "stalls in the head": saying_and_stalling(b"HTTP/1.1 200 OK\r\nContent-"),
}

BESIDE = (
    "closes before it reads",
    "resets before it reads",
    "stalls before it reads",
    "closes before it answers",
    "stalls before it answers",
    "garbage before the head",
    "speaks HTTP/2",
    "line without an end",
    "interim answers without an end",
    "closes in the head",
    "stalls in the head",
)
"""Those that are of use at a question beside the operation's own, too."""

LONG_QUESTIONS = ("answers before it reads", "refuses before it reads", "resets while it reads")
"""Those that take a question of more than fits on the way."""
