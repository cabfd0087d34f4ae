"""Faults of a proxy, for tunnels (CONNECT) and for forwarded requests."""

from collections.abc import Callable

from faults.peer import Peer

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"

Proxy = Callable[[Peer], None]


def responding(data: bytes, end: Callable[[Peer], None] = Peer.half_close) -> Proxy:
    """Reads the request, sends this data, then calls `end`."""

    def fault(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)
        end(peer)
        peer.read_until_closed()

    return fault


def responding_forever(beginning: bytes, piece: bytes) -> Proxy:
    def fault(peer: Peer) -> None:
        peer.read_request()
        peer.send(beginning)
        peer.send_forever(piece)

    return fault


def responding_with_status(status: str) -> Proxy:
    """Responds to every request with this status."""

    def fault(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode())

    return fault


PROXIES: dict[str, Proxy] = {
    "proxy: refuses with 403": responding_with_status("403 Forbidden"),
    "proxy: refuses with 407": responding_with_status("407 Proxy Authentication Required"),
    "proxy: refuses with 502": responding_with_status("502 Bad Gateway"),
    "proxy: stalls": responding(b"", Peer.read_until_closed),
    "proxy: closes": responding(b""),
    "proxy: resets": responding(b"", Peer.reset),
    "proxy: SSH banner": responding(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "proxy: endless head": responding_forever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
}
"""Faults of the proxy itself."""

TUNNELS: dict[str, Proxy] = {
    "tunnel: stalls": responding(TUNNEL, Peer.read_until_closed),
    "tunnel: closes": responding(TUNNEL),
    "tunnel: resets": responding(TUNNEL, Peer.reset),
    "tunnel: garbage": responding(TUNNEL + b"\x00\xffgarbage" * 100),
}
"""Faults behind an established tunnel."""
