"""Where each fault is met: the gateway's URI, the settings that it takes to get there, and whether it was met."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from support.certificates import Authority
from support.scripted_gateway import HOST, refused_port, unreachable_port

from faults import contents, event_faults, framings, heads, proxy_faults, tls_faults
from faults.listener import Listener
from faults.server import FaultServer, segment

NOWHERE = "gateway.invalid"


class Site(NamedTuple):
    """The place of one fault."""

    uri: Callable[[str], str]
    """By operation."""
    settings: tuple[str, ...] = ()
    """Commands of tests/c/asks.c."""
    was_met: Callable[[str], bool] = lambda operation: True
    """By operation, once it has asked."""
    is_beside: bool = False
    """Whether the fault is met by a question beside the operation's own."""


@contextlib.contextmanager
def sites(folder: Path) -> Iterator[dict[str, Site]]:
    """Everywhere where something is wrong; `folder` is for the files of authorities."""
    found: dict[str, Site] = {}
    with contextlib.ExitStack() as stack:
        _of_answers(stack, found)
        _of_tls(stack, found, folder)
        _of_proxies(stack, found)
        _of_ways(stack, found)
        yield found


def _of_answers(stack: contextlib.ExitStack, found: dict[str, Site]) -> None:
    plays = {**heads.FAULTS, **framings.FAULTS, **contents.FAULTS, **event_faults.FAULTS}
    beside = {f"beside: {name}": plays[name] for name in heads.BESIDE}
    server = stack.enter_context(FaultServer(plays, beside))
    for name in (*plays, *beside):
        found[name] = _at(server, name)._replace(is_beside=name in beside)


def _at(server: FaultServer, name: str, *settings: str) -> Site:
    def was_met(operation: str) -> bool:
        return server.has_played(name, operation)

    return Site(lambda operation: server.url(name, operation), settings, was_met)


def _of_tls(stack: contextlib.ExitStack, found: dict[str, Site], folder: Path) -> None:
    (folder / "stranger").mkdir()
    authority, stranger = Authority(folder), Authority(folder / "stranger")
    trust = f"handle-option ca_file={authority.file}"
    good = stack.enter_context(FaultServer(tls_faults.ANSWERS, tls=authority.server(HOST)))
    for name in tls_faults.ANSWERS:
        found[name] = _at(good, name, trust)
    listeners: dict[str, Listener] = {
        **{name: Listener(handshake) for name, handshake in tls_faults.HANDSHAKES.items()},
        **{name: FaultServer({}, tls=tls) for name, tls in tls_faults.contexts(authority, stranger).items()},
    }
    for name, listener in listeners.items():
        stack.enter_context(listener)
        found[name] = _behind(listener, f"https://{HOST}:{listener.port}/{segment(name)}", trust)


def _of_proxies(stack: contextlib.ExitStack, found: dict[str, Site]) -> None:
    for name, play in (*proxy_faults.PROXIES.items(), *proxy_faults.TUNNELS.items()):
        listener = stack.enter_context(Listener(play))
        proxy = f"handle-option proxy=http://{HOST}:{listener.port}"
        found[f"{name}, https"] = _behind(listener, f"https://{NOWHERE}/{segment(name)}", proxy)
        if name in proxy_faults.PROXIES:
            found[f"{name}, http"] = _behind(listener, f"http://{NOWHERE}/{segment(name)}", proxy)
    for name, port in (("is not there", refused_port()), ("cannot be reached", unreachable_port())):
        proxy = f"handle-option proxy=http://{HOST}:{stack.enter_context(port)}"
        for scheme in ("http", "https"):
            found[f"proxy: {name}, {scheme}"] = _away(f"{scheme}://{NOWHERE}", proxy)
    found["proxy: no such host"] = _away(f"http://{HOST}:1", f"handle-option proxy=http://{NOWHERE}:1")


def _of_ways(stack: contextlib.ExitStack, found: dict[str, Site]) -> None:
    refused, unreachable = stack.enter_context(refused_port()), stack.enter_context(unreachable_port())
    for scheme in ("http", "https"):
        found[f"port is refused, {scheme}"] = _away(f"{scheme}://{HOST}:{refused}")
        found[f"port cannot be reached, {scheme}"] = _away(f"{scheme}://{HOST}:{unreachable}")
        found[f"no such host, {scheme}"] = _away(f"{scheme}://{NOWHERE}")


def _behind(listener: Listener, uri: str, *settings: str) -> Site:
    """Where each new connection meets the fault."""
    return Site(lambda operation: f"{uri}/{operation}", settings, lambda operation: listener.connections > 0)


def _away(uri: str, *settings: str) -> Site:
    """Where nobody is."""
    return Site(lambda operation: f"{uri}/{operation}", settings)
