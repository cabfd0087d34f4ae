"""A relay that simulates network delay: it forwards bytes and ends of connections after a pause."""

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
    """Yields a port that forwards to `port` with this delay in each direction."""

    def connect(client: socket.socket, server: socket.socket) -> None:
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pass_on(client, server, seconds)
        pass_on(server, client, seconds)

    with relayed(port, connect) as relay:
        yield relay


def pass_on(source: socket.socket, target: socket.socket, seconds: float) -> None:
    """Forwards one direction of a connection until it ends."""
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
            # As if the server were gone: later bytes are refused.
            target.shutdown(socket.SHUT_RDWR)

    for work in (receive, send):
        threading.Thread(target=work, daemon=True).start()
