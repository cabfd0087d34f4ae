"""Sites: for each fault, the gateway URI, the settings to reach it, and whether it occurred."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from support.certificates import Authority
from support.scripted_gateway import HOST, refused_port, unreachable_port

from faults import contents, event_faults, framings, heads, proxy_faults, tls_faults
from faults.listener import Listener
from faults.server import FaultServer, segment

UNKNOWN_HOST = "gateway.invalid"


class Site(NamedTuple):
    """How to reach one fault."""

    uri: Callable[[str], str]
    """The gateway URI, by operation."""
    settings: tuple[str, ...] = ()
    """Commands of tests/c/operations.c."""
    has_occurred: Callable[[str], bool] = lambda operation: True
    """Whether the fault occurred, by operation."""
    is_discovery: bool = False
    """Whether the fault occurs in the dialect discovery."""


@contextlib.contextmanager
def sites(folder: Path) -> Iterator[dict[str, Site]]:
    """The sites of all faults, by name. `folder` is for the certificate files."""
    sites_by_name: dict[str, Site] = {}
    with contextlib.ExitStack() as stack:
        _add_http_faults(stack, sites_by_name)
        _add_tls_faults(stack, sites_by_name, folder)
        _add_proxy_faults(stack, sites_by_name)
        _add_network_faults(stack, sites_by_name)
        yield sites_by_name


def _add_http_faults(stack: contextlib.ExitStack, sites_by_name: dict[str, Site]) -> None:
    faults = {**heads.FAULTS, **framings.FAULTS, **contents.FAULTS, **event_faults.FAULTS}
    discovery = {f"discovery: {name}": faults[name] for name in heads.DISCOVERY_FAULTS}
    server = stack.enter_context(FaultServer(faults, discovery))
    for name in (*faults, *discovery):
        sites_by_name[name] = _on_server(server, name)._replace(is_discovery=name in discovery)


def _on_server(server: FaultServer, name: str, *settings: str) -> Site:
    def has_occurred(operation: str) -> bool:
        return server.has_served(name, operation)

    return Site(lambda operation: server.url(name, operation), settings, has_occurred)


def _add_tls_faults(stack: contextlib.ExitStack, sites_by_name: dict[str, Site], folder: Path) -> None:
    (folder / "stranger").mkdir()
    authority, stranger = Authority(folder), Authority(folder / "stranger")
    trust = f"handle-option ca_file={authority.file}"
    server = stack.enter_context(FaultServer(tls_faults.RESPONSES, tls=authority.server(HOST)))
    for name in tls_faults.RESPONSES:
        sites_by_name[name] = _on_server(server, name, trust)
    listeners: dict[str, Listener] = {
        **{name: Listener(handshake) for name, handshake in tls_faults.HANDSHAKES.items()},
        **{name: FaultServer({}, tls=tls) for name, tls in tls_faults.tls_contexts(authority, stranger).items()},
    }
    for name, listener in listeners.items():
        stack.enter_context(listener)
        sites_by_name[name] = _on_listener(listener, f"https://{HOST}:{listener.port}/{segment(name)}", trust)


def _add_proxy_faults(stack: contextlib.ExitStack, sites_by_name: dict[str, Site]) -> None:
    for name, fault in (*proxy_faults.PROXIES.items(), *proxy_faults.TUNNELS.items()):
        listener = stack.enter_context(Listener(fault))
        proxy = f"handle-option proxy=http://{HOST}:{listener.port}"
        sites_by_name[f"{name}, https"] = _on_listener(listener, f"https://{UNKNOWN_HOST}/{segment(name)}", proxy)
        if name in proxy_faults.PROXIES:
            sites_by_name[f"{name}, http"] = _on_listener(listener, f"http://{UNKNOWN_HOST}/{segment(name)}", proxy)
    for name, port in (("connection refused", refused_port()), ("connection not accepted", unreachable_port())):
        proxy = f"handle-option proxy=http://{HOST}:{stack.enter_context(port)}"
        for scheme in ("http", "https"):
            sites_by_name[f"proxy: {name}, {scheme}"] = _without_server(f"{scheme}://{UNKNOWN_HOST}", proxy)
    proxy = f"handle-option proxy=http://{UNKNOWN_HOST}:1"
    sites_by_name["proxy: unknown host"] = _without_server(f"http://{HOST}:1", proxy)


def _add_network_faults(stack: contextlib.ExitStack, sites_by_name: dict[str, Site]) -> None:
    refused, unreachable = stack.enter_context(refused_port()), stack.enter_context(unreachable_port())
    for scheme in ("http", "https"):
        sites_by_name[f"connection refused, {scheme}"] = _without_server(f"{scheme}://{HOST}:{refused}")
        sites_by_name[f"connection not accepted, {scheme}"] = _without_server(f"{scheme}://{HOST}:{unreachable}")
        sites_by_name[f"unknown host, {scheme}"] = _without_server(f"{scheme}://{UNKNOWN_HOST}")


def _on_listener(listener: Listener, uri: str, *settings: str) -> Site:
    """A fault that occurs on every new connection."""
    return Site(lambda operation: f"{uri}/{operation}", settings, lambda operation: listener.connections > 0)


def _without_server(uri: str, *settings: str) -> Site:
    """A fault without a server."""
    return Site(lambda operation: f"{uri}/{operation}", settings)
