"""Redirects: followed only if allowed, only on the same server, and with method, body and credentials unchanged."""

import contextlib
from collections.abc import Iterator

import pytest
from support.certificates import Authority
from support.operations import perform
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    echo,
    one_route,
)

RESPONSE = {"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
SECRET = "handle-option bearer_token=hunter2hunter2"


def redirecting(status: int, *locations: str) -> ScriptedGateway:
    """A gateway that redirects each request to these locations in turn, and then responds."""
    remaining = list(locations)

    def respond(handler: Handler, request: Request) -> None:
        if remaining:
            handler.respond(status, "", {"Location": remaining.pop(0)})
        else:
            handler.respond(200, RESPONSE)

    return ScriptedGateway(one_route(respond, CHAT_ROUTE))


@pytest.mark.parametrize("status", [307, 308])
def test_redirected_post_is_sent_again_with_body_and_credentials(status: int) -> None:
    for operation in ("call hi", "send", "stream", "callback"):
        with redirecting(status, "/elsewhere/a%20b", "/there?x=1") as gateway:
            outcome = perform(gateway.url, SECRET, "handle-option max_redirects=2", "prompt hi", operation)
            assert outcome.status in ("OK", "STREAM_END"), outcome
            posts = [request for request in gateway.requests if request.method == "POST"]
        assert [request.path for request in posts] == ["/endpoints/r/invocations", "/elsewhere/a%20b", "/there?x=1"]
        assert len({request.body for request in posts}) == 1, "with the whole body"
        assert {request.headers["authorization"] for request in posts} == {"Bearer hunter2hunter2"}
        if outcome.response:
            assert outcome.response.attempts == 3 and len(outcome.response.retries) == 2, outcome.response


def test_redirects_are_followed_at_most_max_redirects_times() -> None:
    for maximum in (None, 0, 1):
        options = [] if maximum is None else [f"handle-option max_redirects={maximum}"]
        with redirecting(307, "/a", "/b") as gateway:
            outcome = perform(gateway.url, *options, "prompt hi", "send")
            assert (outcome.status, outcome.error_http_status) == ("HTTP_ERROR", 307), outcome
            assert len([path for path in gateway.paths() if path.startswith("POST")]) == (maximum or 0) + 1
        assert outcome.error_attempts == (maximum or 0) + 1


def test_redirect_loop_ends_after_max_redirects() -> None:
    for location in ("", "?", "/endpoints/r/invocations", "/a"):
        with redirecting(308, *[location] * 99) as gateway:
            outcome = perform(gateway.url, "handle-option max_redirects=10", "prompt hi", "send")
            assert outcome.status == "HTTP_ERROR", outcome
            assert len([path for path in gateway.paths() if path.startswith("POST")]) <= 11


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 306])
def test_redirect_that_would_change_the_method_is_not_followed(status: int) -> None:
    with redirecting(status, "/a") as gateway:
        outcome = perform(gateway.url, "handle-option max_redirects=5", "prompt hi", "send")
        assert (outcome.status, outcome.error_http_status) == ("HTTP_ERROR", status), outcome
        assert len([path for path in gateway.paths() if path.startswith("POST")]) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirected_get_is_followed(status: int) -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/elsewhere":
            handler.respond(200, {"endpoints": [CHAT_ROUTE]})
        else:
            handler.respond(status, "", {"Location": "/elsewhere"})

    with ScriptedGateway(script) as gateway:
        outcome = perform(gateway.url, "handle-option dialect=deployments", "handle-option max_redirects=1", "list")
        assert outcome.status == "OK" and [route.name for route in outcome.routes] == ["r"], outcome
        outcome = perform(gateway.url, "handle-option dialect=deployments", "list")
        assert outcome.status == "HTTP_ERROR", outcome


@contextlib.contextmanager
def other_servers(authority: Authority) -> Iterator[list[tuple[ScriptedGateway, str]]]:
    """Servers other than the gateway, and the locations of redirects to them."""
    with ScriptedGateway(one_route(echo)) as other, ScriptedGateway(one_route(echo), authority.server(HOST)) as tls:
        yield [
            (other, other.url + "/endpoints/r/invocations"),
            (other, f"//{HOST}:{other.port}/x"),
            (other, f"http://localhost:{other.port}/x"),
            (tls, tls.url + "/x"),
        ]


def test_redirect_to_another_origin_is_not_followed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No request goes to another host, port or scheme, and no credentials are sent."""
    authority = Authority(tmp_path_factory.mktemp("limits"))
    with other_servers(authority) as others:
        for other, location in others:
            with redirecting(307, location) as gateway:
                options = (SECRET, "handle-option max_redirects=5", "handle-option insecure_tls=true")
                outcome = perform(gateway.url, *options, "prompt hi", "send")
                assert (outcome.status, outcome.error_http_status) == ("HTTP_ERROR", 307), (location, outcome)
            assert other.requests == [] and other.connections == 0, location
    for location in (
        "https://{host}/x", "ftp://{host}/x", "http://me:pass@{host}/x", "http://{host}@other.example/x",
        "javascript:alert(1)",
        "http://localhost:{port}/x", "http://{host}.other.example/x", "http:///x", "\\\\other.example\\x",
        "//other.example/x",
        "/\\other.example/x", "http://[::1]:{port}/x",
    ):  # fmt: skip
        with redirecting(307, "") as gateway:
            host = f"{HOST}:{gateway.port}"
        with redirecting(307, location.format(host=host, port=gateway.port)) as gateway:
            outcome = perform(gateway.url, SECRET, "handle-option max_redirects=5", "prompt hi", "send")
            posts = [path for path in gateway.paths() if path.startswith("POST")]
        assert outcome.status == "HTTP_ERROR" or len(posts) == 2, (location, outcome)
        assert "hunter2" not in str(outcome), location


def test_redirect_to_the_same_origin_may_be_absolute() -> None:
    for form in ("{url}/x", "HTTP://{host}/x", "/x", "{url}/x#part"):
        remaining = [form]

        def respond(handler: Handler, request: Request) -> None:
            if remaining:
                location = remaining.pop().format(url=gateway.url, host=f"{HOST}:{gateway.port}")
                handler.respond(307, "", {"Location": location})
            else:
                handler.respond(200, RESPONSE)

        with ScriptedGateway(one_route(respond, CHAT_ROUTE)) as gateway:
            outcome = perform(gateway.url, SECRET, "handle-option max_redirects=1", "prompt hi", "send")
            assert outcome.status == "OK", (form, outcome)
            assert gateway.paths()[-1] == "POST /x", form


def test_retries_continue_after_a_redirect() -> None:
    def respond(handler: Handler, request: Request) -> None:
        if request.path != "/x":
            handler.respond(307, "", {"Location": "/x"})
        elif gateway.paths().count("POST /x") < 3:
            handler.respond(503, {"detail": "not now"})
        else:
            handler.respond(200, RESPONSE)

    options = ("handle-option max_redirects=1", "handle-option max_retries=2", "handle-option retry_backoff_ms=1")
    with ScriptedGateway(one_route(respond, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, *options, "prompt hi", "send")
    assert outcome.status == "OK" and outcome.response.attempts == 4, outcome
    assert len(outcome.response.retries) == 3
