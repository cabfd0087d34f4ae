"""A listening port that serves each connection on a thread of its own."""

import contextlib
import socket
import threading
from collections.abc import Callable

from support.scripted_gateway import HOST, limit_buffers

from faults.peer import Peer

BACKLOG = 128


class Listener:
    """Listens until the end of its `with`, which shuts down all connections."""

    def __init__(self, serve: Callable[[Peer], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server((HOST, 0), backlog=BACKLOG)
        limit_buffers(self._listener)
        self._peers: set[Peer] = set()
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]
        self.connections = 0

    def __enter__(self) -> "Listener":
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        with self._lock:
            for peer in self._peers:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(peer.connection, socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._run, args=(Peer(connection),), daemon=True).start()

    def _run(self, peer: Peer) -> None:
        with self._lock:
            self._peers.add(peer)
        with contextlib.suppress(OSError):  # the client closed the connection
            self._serve(peer)
        with self._lock:
            self._peers.discard(peer)
        peer.cut()
