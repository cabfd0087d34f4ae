"""Discovery of the dialect: looked up once, remembered, and guessed if the server does not report it."""

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from support.calls import call
from support.operations import perform_all
from support.real_gateways import RealGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    COMPLETIONS_ROUTE,
    NOT_FOUND,
    Handler,
    Request,
    ScriptedGateway,
    echo,
    one_route,
)
from support.timing import three_attempts

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}

# How a proxy before a gateway may hide the discovery paths.
HIDING: dict[str, Callable[[Handler], None]] = {
    "forbidden": lambda handler: handler.respond(403, "Forbidden"),
    "unauthorized": lambda handler: handler.respond(401, "who are you?"),
    "not found": lambda handler: handler.respond(404, "<html>no such page</html>"),
    "a web page": lambda handler: handler.respond(200, "<html>welcome</html>"),
    "other JSON": lambda handler: handler.respond(200, {"status": "OK"}),
    "a redirect": lambda handler: handler.respond(302, "", {"Location": "/login"}),
    "broken": lambda handler: handler.respond(502, "bad gateway"),
    "reset": lambda handler: handler.reset(),
    "silent": lambda handler: handler.stall(),
}


PROXY_NOT_FOUND: dict[str, dict] = {
    "Kong": {"message": "no Route matched with those values"},
    "APISIX": {"error_msg": "404 Route Not Found"},
    "Azure API Management": {"statusCode": 404, "message": "Resource not found"},
}
"""Responses of proxies to a path that they do not publish."""

HIDING.update(
    {name: lambda handler, body=body: handler.respond(404, body) for name, body in PROXY_NOT_FOUND.items()}
)

DISCOVERY_PATHS = ("/api/", "/gateway/mlflow/")
"""Servers describe their routes below these paths."""


def hiding(gateway: RealGateway, hide: Callable[[Handler], None]) -> ScriptedGateway:
    """A proxy that forwards everything except the discovery paths."""

    def script(handler: Handler, request: Request) -> None:
        if request.path.startswith(DISCOVERY_PATHS):
            hide(handler)
            return
        pass_on(gateway, handler, request)

    return ScriptedGateway(script)


def pass_on(gateway: RealGateway, handler: Handler, request: Request) -> None:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=20)
    headers = {"Content-Type": request.headers["content-type"]}
    connection.request(request.method, request.path, request.body, headers)
    response = connection.getresponse()
    handler.respond(response.status, response.read())
    connection.close()


@pytest.mark.parametrize("hidden_by", HIDING)
def test_prompt_is_sent_if_a_proxy_hides_the_discovery_paths(real_gateway: RealGateway, hidden_by: str) -> None:
    with hiding(real_gateway, HIDING[hidden_by]) as proxy:
        for route in ("completions", "chat"):
            outcome = call(proxy.url, "hi", "param:n=1", "option:timeout_ms=8000", route=route)
            assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome


@pytest.mark.parametrize("hidden_by", HIDING)
def test_tracking_server_is_used_if_a_proxy_hides_the_discovery_paths(
    tracking_server: RealGateway, hidden_by: str
) -> None:
    tracking_server.upstream.forget_requests()
    with hiding(tracking_server, HIDING[hidden_by]) as proxy:
        outcome = call(proxy.url, "hi", "warm=1", "option:timeout_ms=8000", route="chat")
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        embedded, text = perform_all(
            proxy.url, "handle-option timeout_ms=8000", "input a", "input b", "embed", "again", "prompt hi", "send",
            route="embeddings",
        )  # fmt: skip
        assert embedded.status == "OK" and embedded.embeddings.count == 2, embedded
        assert text.status == "OK" and text.response.texts == ["echo: hi"], "an endpoint serves both"


@pytest.mark.parametrize("proxy", PROXY_NOT_FOUND)
def test_only_path_that_a_proxy_publishes_is_found(tracking_server: RealGateway, proxy: str) -> None:
    """The proxy publishes neither the lists nor the paths of other dialects."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/chat/mlflow/invocations":
            pass_on(tracking_server, handler, request)
        else:
            handler.respond(404, PROXY_NOT_FOUND[proxy])

    with ScriptedGateway(script) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=8000", route="chat")
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        forced = call(gateway.url, "hi", "option:dialect=tracking", route="chat")
        assert (forced.status, forced.text) == ("OK", "echo: hi"), forced


def test_dialect_option_is_never_overruled_by_discovery() -> None:
    """Not even if the gateway reports that the route is missing or has another type."""
    absent = {"detail": "The endpoint 'r' is not present or active on the server."}
    for status, body in ((404, absent), (404, {"message": "x"}), (500, {}), (200, EMBEDDINGS_ROUTE)):

        def script(handler: Handler, request: Request, status: int = status, body: dict = body) -> None:
            if request.method == "POST":
                handler.respond(200, {"choices": [{"message": {"content": "x"}, "text": "x"}]})
            else:
                handler.respond(status, body)

        with ScriptedGateway(script) as gateway:
            commands = ("handle-option dialect=deployments", "prompt hi", "send")
            (outcome,) = perform_all(gateway.url, *commands)
        assert outcome.status == "OK", (body, outcome)


@pytest.mark.parametrize(
    ("dialect", "commands", "path"),
    [
        ("deployments", ("message user=hi", "send"), "/endpoints/r/invocations"),
        ("deployments", ("message user=hi", "stream"), "/endpoints/r/invocations"),
        ("deployments", ("input hi", "embed"), "/endpoints/r/invocations"),
        ("gateway", ('body {"messages":[]}', "send"), "/gateway/r/invocations"),
        ("tracking", ("call hi",), "/gateway/r/mlflow/invocations"),
        ("tracking", ("prompt hi", "stream"), "/gateway/r/mlflow/invocations"),
        ("databricks", ("message user=hi", "send"), "/serving-endpoints/r/invocations"),
    ],
)
def test_nothing_is_looked_up_if_dialect_and_task_are_known(
    dialect: str, commands: tuple[str, ...], path: str
) -> None:
    with ScriptedGateway(lambda handler, request: handler.respond(503, {})) as gateway:
        perform_all(gateway.url, f"handle-option dialect={dialect}", *commands)
        assert gateway.paths() == [f"POST {path}"]


@pytest.mark.alone
@three_attempts
def test_discovery_takes_at_most_five_seconds() -> None:
    """By default a call has 300 s; a quarter of it would be too long a delay."""

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST":
            handler.respond(200, {"choices": [{"message": {"content": "x"}}]})
        else:
            handler.stall()

    with ScriptedGateway(script) as gateway:
        (outcome,) = perform_all(gateway.url, "log 3", "message user=hi", "send")
    assert outcome.status == "OK" and 4_900_000 < outcome.took_us < 5_500_000, outcome
    line = outcome.log[0].text
    assert line.startswith("GET ") and ": MLFLOW_GATEWAY_TIMEOUT after 500" in line, line
    assert "discovery timed out" in line, line


def test_discovered_dialect_is_remembered(real_gateway: RealGateway) -> None:
    with hiding(real_gateway, HIDING["forbidden"]) as proxy:
        outcome = call(proxy.url, "hi", "warm=2", route="chat")
        assert outcome.status == "OK"
        assert [path for path in proxy.paths() if path.startswith("GET")] == [
            "GET /api/2.0/endpoints/chat",
            "GET /api/2.0/gateway/routes/chat",
            "GET /gateway/mlflow/v1/models",
            "GET /api/3.0/mlflow/gateway/endpoints/list",
            "GET /api/2.0/serving-endpoints/chat",
        ]
        last = proxy.paths()[-2:]
        assert last[0] == last[1] and last[0].startswith("POST")


def test_discovery_sends_one_request_for_many_calls() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert call(gateway.url, "hi", "warm=3").status == "OK"
        assert gateway.paths() == ["GET /api/2.0/endpoints/r"] + ["POST /endpoints/r/invocations"] * 4


def test_headers_are_sent_with_discovery_and_calls() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert call(gateway.url, "hi", "header:Authorization=Bearer hunter2", "header:X-A=é").status == "OK"
        for request in gateway.requests:
            assert request.headers["authorization"] == "Bearer hunter2"
            assert request.headers["user-agent"].startswith("mlflow-ai-gateway/0.")
        assert gateway.requests[1].headers["content-type"] == "application/json"


def test_server_upgraded_behind_the_handle_is_discovered_again() -> None:
    """The handle remembers an older server; the newer one responds on the older path in the newer shape."""

    def script(handler: Handler, request: Request) -> None:
        replaced = any(path.startswith("POST") for path in gateway.paths()[:-1])
        if request.path == "/gateway/r/invocations":
            handler.respond(200, {"choices": [{"text": "newer"}]} if replaced else {"candidates": [{"text": "older"}]})
        elif request.path == "/endpoints/r/invocations" and replaced:
            handler.respond(200, {"choices": [{"text": "newer"}]})
        elif request.path == "/api/2.0/endpoints/r" and replaced:
            handler.respond(200, COMPLETIONS_ROUTE)
        elif request.path == "/api/2.0/gateway/routes/r":
            handler.respond(200, {"name": "r", "route_type": "llm/v1/completions"})
        else:
            handler.respond(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        outcome = call(gateway.url, "hi", "warm=1")
        assert (outcome.status, outcome.text) == ("OK", "newer"), "no response is lost"
        gateway.requests.clear()
        outcome = call(gateway.url, "hi", "warm=3")
        assert outcome.status == "OK"
        assert gateway.paths()[3:] == [
            "POST /gateway/r/invocations",
            "GET /api/2.0/endpoints/r",
            "POST /endpoints/r/invocations",
            "POST /endpoints/r/invocations",
        ]


@pytest.mark.parametrize("route", ["completions", "chat", "embeddings"])
def test_dialect_option_gateway_accepts_the_response_of_a_newer_server(route: str) -> None:
    """MLflow 2.9 and later have the older path, and respond there in the shape of OpenAI."""
    shapes = {
        "completions": {"choices": [{"text": "newer"}]},
        "chat": {"choices": [{"message": {"content": "newer"}}]},
        "embeddings": {"data": [{"embedding": [1.0, 2.0]}]},
    }

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations":
            handler.respond(200, shapes[route])
        elif request.path == "/api/2.0/gateway/routes/r":
            handler.respond(200, {"name": "r", "route_type": f"llm/v1/{route}"})
        else:
            handler.respond(404, NOT_FOUND)

    hidden_by = ("input hi", "embed", "embed") if route == "embeddings" else ("prompt hi", "send", "send")
    with ScriptedGateway(script) as gateway:
        for outcome in perform_all(gateway.url, "handle-option dialect=gateway", *hidden_by):
            assert outcome.status == "OK", outcome
            assert (
                outcome.embeddings.values == [[1.0, 2.0]] if outcome.embeddings else outcome.response.texts == ["newer"]
            )
        posted = ["POST /gateway/r/invocations"] * 2
        assert [path for path in gateway.paths() if path.startswith("POST")] == posted
        assert len(gateway.paths()) <= 3, "nothing is discovered twice"


def test_missing_path_triggers_discovery_of_an_older_server() -> None:
    """The handle remembers a newer server; the older one in its place has no such path."""

    def script(handler: Handler, request: Request) -> None:
        is_newer = sum(path.startswith("POST") for path in gateway.paths()) <= 1
        if request.path == "/api/2.0/endpoints/r" and is_newer:
            handler.respond(200, COMPLETIONS_ROUTE)
        elif request.path == "/endpoints/r/invocations" and is_newer:
            handler.respond(200, {"choices": [{"text": "newer"}]})
        elif request.path == "/gateway/r/invocations":
            handler.respond(200, {"candidates": [{"text": "older"}]})
        elif request.method == "GET":
            handler.respond(403, "Forbidden")
        else:
            handler.respond(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        outcome = call(gateway.url, "hi", "warm=2")
        assert (outcome.status, outcome.text) == ("OK", "older"), outcome
        assert gateway.paths() == [
            "GET /api/2.0/endpoints/r",
            "POST /endpoints/r/invocations",
            "POST /endpoints/r/invocations",
            # The server does not report its dialect, so the next one is tried.
            "GET /api/2.0/endpoints/r",
            "GET /api/2.0/gateway/routes/r",
            "GET /gateway/mlflow/v1/models",
            "GET /api/3.0/mlflow/gateway/endpoints/list",
            "GET /api/2.0/serving-endpoints/r",
            "POST /gateway/r/invocations",
            "POST /gateway/r/invocations",
        ]


@pytest.mark.parametrize("page", ["FastAPI", "Flask", "Databricks", "llama.cpp"])
def test_no_prompt_is_posted_if_the_server_reports_every_list_missing(page: str) -> None:
    """The report must come from the server itself, not from a proxy."""
    flask = (
        "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not "
        "found on the server. If you entered the URL manually please check your spelling and try again.</p>\n"
    )
    pages = {
        "FastAPI": NOT_FOUND,
        "Flask": flask,
        "Databricks": {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found for 'GET /x'"},
        "llama.cpp": {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}},
    }
    with ScriptedGateway(lambda handler, request: handler.respond(404, pages[page])) as gateway:
        for outcome in perform_all(gateway.url, "prompt hi", "send", "stream", "call hi"):
            assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome
            assert "no prompt was sent" in outcome.message and "check that the gateway URI" in outcome.message
            assert outcome.error_attempts == 0
        assert {path.split()[0] for path in gateway.paths()} == {"GET"}


def test_prompt_is_posted_if_one_list_is_hidden_and_the_others_are_missing() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/mlflow/invocations":
            handler.respond(200, {"choices": [{"message": {"content": "x"}}]})
        elif request.path == "/api/3.0/mlflow/gateway/endpoints/list":
            handler.respond(403, "Forbidden")
        else:
            handler.respond(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        (outcome,) = perform_all(gateway.url, "prompt hi", "send")
        assert outcome.status == "OK", outcome


def test_route_with_a_traffic_split_is_found() -> None:
    """The list does not contain it, but its own path describes it."""
    absent = {"detail": "The endpoint 'r' is not present or active on the server. Please verify the endpoint name."}

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/api/3.0/gateway/route/r":
            handler.respond(200, {"name": "r", "task_type": "llm/v1/chat", "destinations": [{"name": "a"}]})
        elif request.path == "/endpoints/r/invocations":
            handler.respond(200, {"choices": [{"message": {"content": "x"}}]})
        else:
            handler.respond(404, absent)

    with ScriptedGateway(script) as gateway:
        (outcome,) = perform_all(gateway.url, "prompt hi", "send")
        assert outcome.status == "OK", outcome
        assert gateway.paths() == [
            "GET /api/2.0/endpoints/r", "GET /api/3.0/gateway/route/r", "POST /endpoints/r/invocations",
        ]  # fmt: skip
        (found,) = perform_all(gateway.url, "get-route")
        assert (found.routes[0].name, found.routes[0].type) == ("r", "llm/v1/chat")


def test_missing_route_is_reported_with_the_first_discovery_path() -> None:
    absent = {"detail": "The endpoint 'r' is not present or active on the server. Please verify the endpoint name."}
    for other in (NOT_FOUND, absent):

        def script(handler: Handler, request: Request, other: dict = other) -> None:
            if request.path == "/api/2.0/endpoints/":
                handler.respond(200, {"endpoints": [{**CHAT_ROUTE, "name": "other"}]})
            else:
                handler.respond(404, absent if request.path == "/api/2.0/endpoints/r" else other)

        with ScriptedGateway(script) as gateway:
            for outcome in perform_all(gateway.url, "prompt hi", "send", "get-route"):
                assert outcome.status == "NOT_FOUND" and "it has: other" in outcome.message, outcome
                assert "/api/2.0/endpoints/r:" in outcome.message
            assert not any(path.startswith("POST") for path in gateway.paths())


def test_endpoint_of_a_tracking_server_without_model_list_is_found() -> None:
    """MLflow 3.9 to 3.16 have none."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/api/3.0/mlflow/gateway/endpoints/list":
            handler.respond(200, {"endpoints": [{"name": "r", "model_mappings": []}]})
        elif request.path == "/gateway/r/mlflow/invocations":
            handler.respond(200, {"choices": [{"message": {"content": "x"}}]})
        else:
            handler.respond(404, "<html>no such page</html>")

    with ScriptedGateway(script) as gateway:
        sent, found = perform_all(gateway.url, "prompt hi", "send", "get-route")
        assert sent.status == found.status == "OK", (sent, found)
        assert [path for path in gateway.paths() if path.startswith("POST")] == ["POST /gateway/r/mlflow/invocations"]


def test_prompt_to_an_embeddings_route_is_unsupported() -> None:
    with ScriptedGateway(one_route(echo, EMBEDDINGS_ROUTE)) as gateway:
        outcome = call(gateway.url, "hi")
        assert outcome.status == "UNSUPPORTED" and "llm/v1/embeddings" in outcome.text
        assert len(gateway.requests) == 1


def test_gateway_uri_may_have_a_path() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/ml/flow/api/2.0/endpoints/r":
            handler.respond(200, CHAT_ROUTE)
        elif request.path == "/ml/flow/endpoints/r/invocations":
            handler.respond(200, {"choices": [{"message": {"content": request.json()["messages"][0]["content"]}}]})
        else:
            handler.respond(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        for uri in (f"{gateway.url}/ml/flow", f"{gateway.url}/ml/flow/"):
            assert call(uri, "hi")[-1] == "hi"
