"""Proxies of the environment: forwarding, tunnels, no_proxy, and errors that name the proxy."""

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.calls import call
from support.certificates import Authority
from support.scripted_gateway import HOST, ScriptedGateway, echo, listening, one_route


class Proxy:
    """A proxy that makes tunnels (CONNECT) and forwards requests, or refuses both."""

    def __init__(self) -> None:
        self.refusal_status = 0
        self.received: list[tuple[str, str]] = []
        self.connections = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                proxy.connections += 1
                super().setup()

            def is_refused(self) -> bool:
                proxy.received.append((f"{self.command} {self.path}", self.headers.get("Proxy-Authorization", "")))
                if proxy.refusal_status:
                    self.send_error(proxy.refusal_status)
                return bool(proxy.refusal_status)

            def forward(self) -> None:
                """Forwards a request to an http:// server."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.is_refused():
                    return
                target = urlsplit(self.path)
                headers = {name: value for name, value in self.headers.items() if name != "proxy-authorization"}
                onward = http.client.HTTPConnection(target.netloc, timeout=5)
                onward.request(self.command, target.path, body or None, headers)
                response = onward.getresponse()
                content = response.read()
                self.send_response(response.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                onward.close()

            do_GET = do_POST = forward

            def do_CONNECT(self) -> None:
                if self.is_refused():
                    return
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host, int(port))) as onward:
                    self.send_response(200)
                    self.end_headers()
                    return_thread = threading.Thread(target=forward, args=(onward, self.connection), daemon=True)
                    return_thread.start()
                    forward(self.connection, onward)
                    return_thread.join()
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Logs nothing: the requests are recorded instead."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.address = f"{HOST}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def forward(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    running = Proxy()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_http_requests_are_forwarded_by_the_proxy(proxy: Proxy) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        environment = {"HTTP_PROXY": f"http://user:pass@{proxy.address}", "NO_PROXY": ""}
        outcome = call(gateway.url, "hi", "warm=2", environment=environment)
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        authorization = "Basic dXNlcjpwYXNz"
        post = (f"POST {gateway.url}/endpoints/r/invocations", authorization)
        assert proxy.received == [(f"GET {gateway.url}/api/2.0/endpoints/r", authorization), post, post, post]
        assert proxy.connections == 1
        assert all("proxy-authorization" not in request.headers for request in gateway.requests)


def test_https_requests_are_tunneled_through_the_proxy(proxy: Proxy, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with ScriptedGateway(one_route(echo), authority.server(HOST)) as gateway:
        environment = {"HTTPS_PROXY": f"http://user:pass@{proxy.address}", "NO_PROXY": ""}
        outcome = call(gateway.url, "hi", f"option:ca_file={authority.file}", "warm=2", environment=environment)
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        expected = [(f"CONNECT {HOST}:{gateway.port}", "Basic dXNlcjpwYXNz")]
        assert proxy.received == expected, "one tunnel serves all calls"


def test_no_proxy_bypasses_the_proxy(proxy: Proxy) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        environment = {"HTTP_PROXY": f"http://{proxy.address}", "NO_PROXY": HOST}
        assert call(gateway.url, "hi", environment=environment).status == "OK"
        assert proxy.received == []


@pytest.mark.parametrize("status", [403, 407, 502])
def test_error_of_a_proxy_has_its_status(proxy: Proxy, status: int) -> None:
    proxy.refusal_status = status
    with ScriptedGateway(one_route(echo)) as gateway:
        url = f"http://user:hunter2@{proxy.address}"
        for uri, expected in (
            (gateway.url.replace("http:", "https:"), "PROXY_FAILED"),
            # A forwarding proxy cannot be told from the gateway itself, except for status 407.
            (gateway.url, {403: "FORBIDDEN", 407: "PROXY_FAILED", 502: "SERVER_ERROR"}[status]),
        ):
            outcome = call(uri, "hi", environment={"ALL_PROXY": url, "NO_PROXY": ""})
            assert outcome.status == expected and str(status) in outcome.text, outcome
            assert "hunter2" not in outcome.text
        assert gateway.requests == []


def test_unreachable_proxy_is_proxy_failed() -> None:
    environment = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""}
    outcome = call("http://127.0.0.1:2", "hi", environment=environment)
    assert outcome.status == "PROXY_FAILED" and "cannot connect to it or through it" in outcome.text, outcome
    outcome = call("https://127.0.0.1:2", "hi", environment={"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""})
    assert outcome.status == "PROXY_FAILED" and "cannot connect to it or through it" in outcome.text, outcome
    environment = {"HTTP_PROXY": "http://no-such-host.invalid:1", "NO_PROXY": ""}
    outcome = call("http://127.0.0.1:2", "hi", environment=environment)
    assert outcome.status == "PROXY_FAILED" and "cannot be resolved" in outcome.text, outcome


def test_proxy_variables_apply_by_scheme_and_precedence(proxy: Proxy) -> None:
    here, nowhere = f"http://{proxy.address}", "http://127.0.0.1:1"
    with ScriptedGateway(one_route(echo)) as gateway:
        rows = [
            ({"http_proxy": here, "https_proxy": nowhere, "all_proxy": nowhere}, 1),
            ({"http_proxy": here, "HTTP_PROXY": nowhere}, 1),
            ({"HTTP_PROXY": here, "ALL_PROXY": nowhere}, 1),
            ({"ALL_PROXY": here, "HTTPS_PROXY": nowhere}, 1),
            ({"HTTPS_PROXY": nowhere}, 0),
            ({"HTTP_PROXY": nowhere, "no_proxy": f"example.org, {HOST}"}, 0),
        ]
        for environment, forwarded in rows:
            proxy.received.clear()
            assert call(gateway.url, "hi", environment=environment).status == "OK", environment
            assert len(proxy.received) == 2 * forwarded, environment
        proxy.received.clear()
        # An https:// gateway uses its own proxy variable; behind the tunnel this gateway speaks no TLS.
        outcome = call(gateway.url.replace("http:", "https:"), "hi", environment={"https_proxy": here})
        assert outcome.status == "TLS_FAILED" and len(proxy.received) == 1


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH\r\n", b""], ids=["no proxy", "closes"])
def test_peer_that_is_not_a_proxy_is_named(reply: bytes) -> None:
    def reply_and_close(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply)
        connection.close()

    with listening(reply_and_close) as port:
        environment = {"ALL_PROXY": f"http://{HOST}:{port}"}
        assert call("https://127.0.0.1:2", "hi", environment=environment).status == "PROXY_FAILED"
        outcome = call("http://127.0.0.1:2", "hi", environment=environment)
        assert outcome.status == ("PROXY_FAILED" if reply else "CONNECTION_LOST"), outcome
        assert f"the proxy {HOST}:{port}" in outcome.text, outcome


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1", "http://user:hunter2@", "gopher://hunter2"])
def test_unusable_proxy_is_not_bypassed(value: str) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        outcome = call(gateway.url, "hi", environment={"HTTP_PROXY": value})
        assert outcome.status == "PROXY_FAILED" and "HTTP_PROXY" in outcome.text, outcome
        assert "hunter2" not in outcome.text
        assert gateway.requests == []


def test_http_proxy_is_ignored_in_cgi_programs(proxy: Proxy) -> None:
    """CVE-2016-5385: a web server passes the header "Proxy" of a request to the program as HTTP_PROXY."""
    here, nowhere = f"http://{proxy.address}", "http://127.0.0.1:1"
    with ScriptedGateway(one_route(echo)) as gateway:
        cgi = {"REQUEST_METHOD": "POST", "NO_PROXY": ""}
        assert call(gateway.url, "hi", environment={**cgi, "HTTP_PROXY": nowhere}).status == "OK"
        assert call(gateway.url, "hi", environment={**cgi, "HTTP_PROXY": here}).status == "OK"
        assert proxy.received == []
        for name in ("http_proxy", "ALL_PROXY"):
            proxy.received.clear()
            assert call(gateway.url, "hi", environment={**cgi, "HTTP_PROXY": nowhere, name: here}).status == "OK"
            assert len(proxy.received) == 2, name


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTP_PROXY"])
@pytest.mark.parametrize("exceptions", [HOST, "*", f"example.org\n{HOST}\n"])
def test_unusable_proxy_does_not_affect_hosts_of_no_proxy(name: str, exceptions: str) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        environment = {name: "socks5://127.0.0.1:1", "NO_PROXY": exceptions}
        assert call(gateway.url, "hi", environment=environment).status == "OK"


def test_spaces_and_quotes_around_a_proxy_are_ignored(proxy: Proxy) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        for value in (f" http://{proxy.address}\n", f'"http://{proxy.address}"', f"'{proxy.address}' "):
            proxy.received.clear()
            assert call(gateway.url, "hi", environment={"HTTP_PROXY": value}).status == "OK", value
            assert len(proxy.received) == 2, value
        assert call(gateway.url, "hi", environment={"HTTP_PROXY": '""'}).status == "OK"


def test_proxy_that_is_not_utf8_is_not_bypassed() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        outcome = call(gateway.url, "hi", environment={"HTTP_PROXY": os.fsdecode(b"http://h\xff:1")})
        assert outcome.status == "PROXY_FAILED" and "HTTP_PROXY" in outcome.text, outcome
        assert gateway.requests == []
