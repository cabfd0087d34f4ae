"""Faults of a proxy: of one that is to make a tunnel (CONNECT), and of one that is to pass requests on."""

from collections.abc import Callable

from faults.peer import Peer

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"

Proxy = Callable[[Peer], None]


def saying(words: bytes, end: Callable[[Peer], None] = Peer.half_close) -> Proxy:
    """Takes what it is asked for, says this, and does that."""

    def play(peer: Peer) -> None:
        peer.take()
        peer.send(words)
        end(peer)
        peer.read_on()

    return play


def saying_for_ever(beginning: bytes, piece: bytes) -> Proxy:
    def play(peer: Peer) -> None:
        peer.take()
        peer.send(beginning)
        peer.send_for_ever(piece)

    return play


def refusing(status: str) -> Proxy:
    """Says no, as often as it is asked."""

    def play(peer: Peer) -> None:
        while True:
            peer.take()
            peer.send(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode())

    return play


PROXIES: dict[str, Proxy] = {
    "proxy: refuses with 403": refusing("403 Forbidden"),
    "proxy: refuses with 407": refusing("407 Proxy Authentication Required"),
    "proxy: refuses with 502": refusing("502 Bad Gateway"),
    "proxy: stalls": saying(b"", Peer.read_on),
    "proxy: closes": saying(b""),
    "proxy: resets": saying(b"", Peer.reset),
    "proxy: speaks SSH": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "proxy: head without an end": saying_for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
}
"""What a proxy does, whatever it is asked for."""

TUNNELS: dict[str, Proxy] = {
    "tunnel: stalls": saying(TUNNEL, Peer.read_on),
    "tunnel: closes": saying(TUNNEL),
    "tunnel: resets": saying(TUNNEL, Peer.reset),
    "tunnel: garbage": saying(TUNNEL + b"\x00\xffgarbage" * 100),
}
"""What a tunnel leads to."""
