"""A server with faults. The path of a request selects the fault and the operation."""

import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Optional

from support.scripted_gateway import HOST

from faults.responses import Request, discovery_response, valid_response
from faults.listener import Listener
from faults.peer import Peer

Fault = Callable[[Peer, str], None]
"""Handles a request of an operation. The head has arrived; without TLS it has not been read yet."""


class FaultServer(Listener):
    """Applies `faults` to the requests of operations and `discovery_faults` to those of the dialect discovery.

    All other requests get the valid response.
    """

    def __init__(
        self,
        faults: Mapping[str, Fault],
        discovery_faults: Optional[Mapping[str, Fault]] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        super().__init__(self._serve_peer)
        self._faults = _by_segment(faults)
        self._discovery_faults = _by_segment(discovery_faults or {})
        self._tls = tls
        self._requests: Counter[tuple[str, str]] = Counter()

    def url(self, fault: str, operation: str) -> str:
        """The gateway URI for this fault and operation."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}/{segment(fault)}/{operation}"

    def has_served(self, fault: str, operation: str) -> bool:
        return self._requests[segment(fault), operation] > 0

    def _serve_peer(self, peer: Peer) -> None:
        if self._tls:
            peer.connection = self._tls.wrap_socket(peer.connection, server_side=True)
        while True:
            self._respond(peer)
            peer.is_reused = True

    def _respond(self, peer: Peer) -> None:
        request = Request.of(peer.head())
        fault = (self._faults if request.is_operation else self._discovery_faults).get(request.fault)
        if fault:
            self._requests[request.fault, request.operation] += 1
            fault(peer, request.operation)
        else:
            peer.read_request()
            peer.send(valid_response(request.operation) if request.is_operation else discovery_response(request))


def segment(fault: str) -> str:
    """The name of a fault as a path segment."""
    return "".join(letter if letter.isalnum() else "-" for letter in fault)


def _by_segment(faults: Mapping[str, Fault]) -> dict[str, Fault]:
    return {segment(name): fault for name, fault in faults.items()}
