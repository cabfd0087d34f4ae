"""The server's end of one connection, and everything that it can do wrong there."""

import contextlib
import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from typing import Union

Connection = Union[socket.socket, ssl.SSLSocket]

END_OF_HEAD = b"\r\n\r\n"
THE_CLIENT_HAS_LEFT = "the client has left"
SECONDS_BETWEEN_LOOKS = 0.001


class Peer:
    """One connection. What goes wrong on it because the client left is an OSError."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_reused = False
        self._received = b""

    def head(self) -> bytes:
        """The next request's head. Over a plain connection it stays unread: a server may close before it reads."""
        while END_OF_HEAD not in (received := self._look()):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return received.split(END_OF_HEAD)[0]

    def take(self) -> bytes:
        """Reads the next request, and returns its body."""
        length = re.search(rb"\r\ncontent-length: *(\d+)", self.head().lower())
        received = self._received
        while END_OF_HEAD not in received:
            received += self._receive()
        body = received.split(END_OF_HEAD, 1)[1]
        parts, left = [body], (int(length[1]) if length else 0) - len(body)
        while left > 0:
            parts.append(self._receive())
            left -= len(parts[-1])
        self._received = b""
        return b"".join(parts)

    def send(self, *pieces: bytes, pause: float = 0) -> None:
        """Sends these bytes, each piece by itself."""
        for piece in pieces:
            self.connection.sendall(piece)
            if pause:
                time.sleep(pause)

    def send_for_ever(self, piece: bytes, pause: float = 0) -> None:
        """Sends until the client leaves."""
        while True:
            self.send(piece, pause=pause)

    def stall(self) -> None:
        """Does nothing more until the client leaves; what it still sends stays unread."""
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        poll.poll()
        raise ConnectionResetError(THE_CLIENT_HAS_LEFT)

    def read_on(self) -> None:
        """Reads until the client leaves, and says nothing."""
        with contextlib.suppress(OSError):
            while self._receive():
                pass

    def half_close(self) -> None:
        """Says that nothing more comes, but goes on listening."""
        self.connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Breaks the connection with a RST, as a crashing peer does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def cut(self) -> None:
        """Closes at once, over TLS without a word of it."""
        self.connection.close()

    def _look(self) -> bytes:
        if isinstance(self.connection, ssl.SSLSocket):
            if END_OF_HEAD not in self._received:
                self._received += self._receive()
            return self._received
        received = self.connection.recv(65536, socket.MSG_PEEK)
        if not received:
            raise ConnectionResetError(THE_CLIENT_HAS_LEFT)
        return received

    def _receive(self) -> bytes:
        received = self.connection.recv(65536)
        if not received:
            raise ConnectionResetError(THE_CLIENT_HAS_LEFT)
        return received


def bytewise(content: bytes) -> Iterable[bytes]:
    """Its bytes, one by one."""
    return (content[at : at + 1] for at in range(len(content)))
