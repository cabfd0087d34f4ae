"""A network of some milliseconds: passes bytes on to a server's port, and the ends of connections, each after a while."""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Optional

from support.relay import relayed


@contextlib.contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """A port that leads to this one, with so much delay each way."""

    def connect(client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pass_on(client, server, seconds)
        pass_on(server, client, seconds)

    with relayed(port, connect) as relay:
        yield relay


def pass_on(source: socket.socket, target: socket.socket, seconds: float) -> None:
    """One way, until it ends."""
    pieces: queue.Queue[tuple[float, Optional[bytes]]] = queue.Queue()

    def receive() -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                pieces.put((time.monotonic() + seconds, piece))
        pieces.put((time.monotonic() + seconds, None))

    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                due, piece = pieces.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if piece is None:
                    break
                target.sendall(piece)
        with contextlib.suppress(OSError):
            # As a server does that is gone: what is sent to it afterwards is refused.
            target.shutdown(socket.SHUT_RDWR)

    for work in (receive, send):
        threading.Thread(target=work, daemon=True).start()
