"""A local port that forwards connections to a server through code of the test."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from support.scripted_gateway import HOST


@contextlib.contextmanager
def relayed(port: int, connect: Callable[[socket.socket, socket.socket], None]) -> Iterator[int]:
    """Yields a port. Each connection to it is joined with one to the server by `connect(client, server)`, which must
    not wait. All connections are closed at the end."""
    ends: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.create_connection((HOST, port))
                ends.extend((client, server))
                connect(client, server)

    with socket.create_server((HOST, 0), backlog=128) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for end in ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
