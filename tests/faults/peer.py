"""The server's end of one connection, with everything that it can do wrong."""

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
CLIENT_LEFT = "the client closed the connection"
SECONDS_BETWEEN_PEEKS = 0.001


class Peer:
    """One connection. Its methods raise OSError when the client has closed it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_reused = False
        self._received = b""

    def head(self) -> bytes:
        """Returns the head of the next request. Without TLS it only peeks, so that a fault can close before reading."""
        while END_OF_HEAD not in (received := self._peek()):
            time.sleep(SECONDS_BETWEEN_PEEKS)
        return received.split(END_OF_HEAD)[0]

    def read_request(self) -> bytes:
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
        """Sends each piece separately."""
        for piece in pieces:
            self.connection.sendall(piece)
            if pause:
                time.sleep(pause)

    def send_forever(self, piece: bytes, pause: float = 0) -> None:
        """Sends until the client closes the connection."""
        while True:
            self.send(piece, pause=pause)

    def stall(self) -> None:
        """Waits until the client closes the connection, without reading."""
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        poll.poll()
        raise ConnectionResetError(CLIENT_LEFT)

    def read_until_closed(self) -> None:
        """Reads until the client closes the connection, without sending."""
        with contextlib.suppress(OSError):
            while self._receive():
                pass

    def half_close(self) -> None:
        """Closes the sending side only."""
        self.connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Resets the connection (RST), as a crashing server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def cut(self) -> None:
        """Closes immediately, with TLS without close_notify."""
        self.connection.close()

    def _peek(self) -> bytes:
        if isinstance(self.connection, ssl.SSLSocket):
            if END_OF_HEAD not in self._received:
                self._received += self._receive()
            return self._received
        received = self.connection.recv(65536, socket.MSG_PEEK)
        if not received:
            raise ConnectionResetError(CLIENT_LEFT)
        return received

    def _receive(self) -> bytes:
        received = self.connection.recv(65536)
        if not received:
            raise ConnectionResetError(CLIENT_LEFT)
        return received


def bytewise(content: bytes) -> Iterable[bytes]:
    """The bytes, one by one."""
    return (content[at : at + 1] for at in range(len(content)))
