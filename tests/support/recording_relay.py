"""A relay in front of a server that records POST requests, to prove how often something was sent."""

import contextlib
import itertools
import re
import socket
import threading
from collections.abc import Iterator

from support.relay import relayed
from support.scripted_gateway import HOST

POST = re.compile(rb"POST (\S+) HTTP/1\.1\r\n")


class Recorded:
    """The bytes recorded so far. A body of JSON on one line cannot look like the start of another request."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pieces: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def add(self, connection: int, piece: bytes) -> None:
        """Records a piece that a connection sent."""
        with self._lock:
            self._pieces[connection] = self._pieces.get(connection, b"") + piece

    def posts(self) -> list[str]:
        """Returns the paths of all POST requests."""
        with self._lock:
            return [path.decode() for sent in self._pieces.values() for path in POST.findall(sent)]


@contextlib.contextmanager
def recorded(url: str) -> Iterator[Recorded]:
    """Yields a relay to the server at this URL, which must contain a port."""
    numbers = itertools.count()

    def connect(client: socket.socket, server: socket.socket) -> None:
        number = next(numbers)
        threading.Thread(target=pass_on, args=(client, server, number), daemon=True).start()
        threading.Thread(target=pass_on, args=(server, client, None), daemon=True).start()

    def pass_on(source: socket.socket, target: socket.socket, number: "int | None") -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if number is not None:
                    record.add(number, piece)
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    with relayed(int(url.rsplit(":", 1)[1]), connect) as port:
        record = Recorded(f"http://{HOST}:{port}")
        yield record
