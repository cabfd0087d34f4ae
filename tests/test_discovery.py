"""Which dialect a server speaks: asked once, remembered, and guessed where the server would not say."""

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from asks import ask_all
from calls import call
from chances import three_chances
from conftest import RealGateway
from scripted_gateway import CHAT_ROUTE, COMPLETIONS_ROUTE, NOT_FOUND, Handler, Request, ScriptedGateway, answering, echo

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}

# How a proxy before a gateway may treat the paths by which the server is asked.
HIDING: dict[str, Callable[[Handler], None]] = {
    "forbidden": lambda handler: handler.answer(403, "Forbidden"),
    "unauthorized": lambda handler: handler.answer(401, "who are you?"),
    "not found": lambda handler: handler.answer(404, "<html>no such page</html>"),
    "a web page": lambda handler: handler.answer(200, "<html>welcome</html>"),
    "other JSON": lambda handler: handler.answer(200, {"status": "OK"}),
    "a redirect": lambda handler: handler.answer(302, "", {"Location": "/login"}),
    "broken": lambda handler: handler.answer(502, "bad gateway"),
    "reset": lambda handler: handler.reset(),
    "silent": lambda handler: handler.stall(),
}


PROXYS_OWN: dict[str, dict] = {
    "Kong": {"message": "no Route matched with those values"},
    "APISIX": {"error_msg": "404 Route Not Found"},
    "Azure API Management": {"statusCode": 404, "message": "Resource not found"},
}
"""What proxies answer to a path that they do not publish."""

HIDING.update(
    {name: lambda handler, body=body: handler.answer(404, body) for name, body in PROXYS_OWN.items()}
)

TELLING = ("/api/", "/gateway/mlflow/")
"""Below these paths the servers say what they have."""


def hiding(gateway: RealGateway, hide: Callable[[Handler], None]) -> ScriptedGateway:
    """A proxy that passes on all but what the server says of itself."""

    def script(handler: Handler, request: Request) -> None:
        if request.path.startswith(TELLING):
            hide(handler)
            return
        pass_on(gateway, handler, request)

    return ScriptedGateway(script)


def pass_on(gateway: RealGateway, handler: Handler, request: Request) -> None:
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=20)
    headers = {"Content-Type": request.headers["content-type"]}
    connection.request(request.method, request.path, request.body, headers)
    response = connection.getresponse()
    handler.answer(response.status, response.read())
    connection.close()


@pytest.mark.parametrize("way", HIDING)
def test_a_server_that_does_not_say_is_asked_all_the_same(real_gateway: RealGateway, way: str) -> None:
    with hiding(real_gateway, HIDING[way]) as proxy:
        for route in ("completions", "chat"):
            outcome = call(proxy.url, "hi", "param:n=1", "option:timeout_ms=8000", route=route)
            assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome


@pytest.mark.parametrize("way", HIDING)
def test_a_tracking_server_that_does_not_say_is_asked_all_the_same(tracking_server: RealGateway, way: str) -> None:
    tracking_server.upstream.forget_requests()
    with hiding(tracking_server, HIDING[way]) as proxy:
        outcome = call(proxy.url, "hi", "warm=1", "option:timeout_ms=8000", route="chat")
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        vectors, text = ask_all(
            proxy.url, "handle-option timeout_ms=8000", "input a", "input b", "embed", "again", "prompt hi", "send",
            route="embeddings",
        )  # fmt: skip
        assert vectors.status == "OK" and vectors.embeddings.count == 2, vectors
        assert text.status == "OK" and text.response.texts == ["echo: hi"], "it does both"


@pytest.mark.parametrize("proxy", PROXYS_OWN)
def test_path_that_a_proxy_publishes_alone_is_found(tracking_server: RealGateway, proxy: str) -> None:
    """Neither the lists nor the other dialects' paths get through."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/chat/mlflow/invocations":
            pass_on(tracking_server, handler, request)
        else:
            handler.answer(404, PROXYS_OWN[proxy])

    with ScriptedGateway(script) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=8000", route="chat")
        assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
        forced = call(gateway.url, "hi", "option:dialect=tracking", route="chat")
        assert (forced.status, forced.text) == ("OK", "echo: hi"), forced


def test_forced_dialect_is_never_vetoed() -> None:
    """Not even by a gateway that says that the route is not there, or is for something else."""
    absent = {"detail": "The endpoint 'r' is not present or active on the server."}
    for status, body in ((404, absent), (404, {"message": "x"}), (500, {}), (200, EMBEDDINGS_ROUTE)):

        def script(handler: Handler, request: Request, status: int = status, body: dict = body) -> None:
            if request.method == "POST":
                handler.answer(200, {"choices": [{"message": {"content": "x"}, "text": "x"}]})
            else:
                handler.answer(status, body)

        with ScriptedGateway(script) as gateway:
            commands = ("handle-option dialect=deployments", "prompt hi", "send")
            (outcome,) = ask_all(gateway.url, *commands)
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
def test_nothing_is_asked_first_where_it_is_plain_how_to_ask(
    dialect: str, commands: tuple[str, ...], path: str
) -> None:
    with ScriptedGateway(lambda handler, request: handler.answer(503, {})) as gateway:
        ask_all(gateway.url, f"handle-option dialect={dialect}", *commands)
        assert gateway.paths() == [f"POST {path}"]


@pytest.mark.alone
@three_chances
def test_discovery_takes_five_seconds_at_most() -> None:
    """By default a call has 300 s, a quarter of which is long for who waits for the first word."""

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST":
            handler.answer(200, {"choices": [{"message": {"content": "x"}}]})
        else:
            handler.stall()

    with ScriptedGateway(script) as gateway:
        (outcome,) = ask_all(gateway.url, "log 3", "message user=hi", "send")
    assert outcome.status == "OK" and 4_900_000 < outcome.took_us < 5_500_000, outcome
    line = outcome.log[0].text
    assert line.startswith("GET ") and ": MLFLOW_GATEWAY_TIMEOUT after 500" in line, line
    assert "discovery timed out" in line, line


def test_what_worked_is_remembered(real_gateway: RealGateway) -> None:
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


def test_a_server_is_asked_once() -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        assert call(gateway.url, "hi", "warm=3").status == "OK"
        assert gateway.paths() == ["GET /api/2.0/endpoints/r"] + ["POST /endpoints/r/invocations"] * 4


def test_headers_go_with_every_request() -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        assert call(gateway.url, "hi", "header:Authorization=Bearer hunter2", "header:X-A=é").status == "OK"
        for request in gateway.requests:
            assert request.headers["authorization"] == "Bearer hunter2"
            assert request.headers["user-agent"].startswith("mlflow-ai-gateway/0.")
        assert gateway.requests[1].headers["content-type"] == "application/json"


def test_a_server_that_was_replaced_is_asked_anew() -> None:
    """The handle knows an older server; the newer one in its place answers on the older path in the newer shape."""

    def script(handler: Handler, request: Request) -> None:
        replaced = any(path.startswith("POST") for path in gateway.paths()[:-1])
        if request.path == "/gateway/r/invocations":
            handler.answer(200, {"choices": [{"text": "newer"}]} if replaced else {"candidates": [{"text": "older"}]})
        elif request.path == "/endpoints/r/invocations" and replaced:
            handler.answer(200, {"choices": [{"text": "newer"}]})
        elif request.path == "/api/2.0/endpoints/r" and replaced:
            handler.answer(200, COMPLETIONS_ROUTE)
        elif request.path == "/api/2.0/gateway/routes/r":
            handler.answer(200, {"name": "r", "route_type": "llm/v1/completions"})
        else:
            handler.answer(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        outcome = call(gateway.url, "hi", "warm=1")
        assert (outcome.status, outcome.text) == ("OK", "newer"), "no answer is lost"
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
def test_forced_dialect_takes_a_response_of_a_newer_server(route: str) -> None:
    """MLflow 2.9 and later have the older path, and answer there in OpenAI's shape."""
    shapes = {
        "completions": {"choices": [{"text": "newer"}]},
        "chat": {"choices": [{"message": {"content": "newer"}}]},
        "embeddings": {"data": [{"embedding": [1.0, 2.0]}]},
    }

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations":
            handler.answer(200, shapes[route])
        elif request.path == "/api/2.0/gateway/routes/r":
            handler.answer(200, {"name": "r", "route_type": f"llm/v1/{route}"})
        else:
            handler.answer(404, NOT_FOUND)

    way = ("input hi", "embed", "embed") if route == "embeddings" else ("prompt hi", "send", "send")
    with ScriptedGateway(script) as gateway:
        for outcome in ask_all(gateway.url, "handle-option dialect=gateway", *way):
            assert outcome.status == "OK", outcome
            assert outcome.embeddings.vectors == [[1.0, 2.0]] if outcome.embeddings else outcome.response.texts == ["newer"]
        asked = ["POST /gateway/r/invocations"] * 2
        assert [path for path in gateway.paths() if path.startswith("POST")] == asked
        assert len(gateway.paths()) <= 3, "nothing is found out twice"


def test_a_path_that_went_away_is_looked_for_elsewhere() -> None:
    """The handle knows a newer server; the older one in its place has no such path."""

    def script(handler: Handler, request: Request) -> None:
        is_newer = sum(path.startswith("POST") for path in gateway.paths()) <= 1
        if request.path == "/api/2.0/endpoints/r" and is_newer:
            handler.answer(200, COMPLETIONS_ROUTE)
        elif request.path == "/endpoints/r/invocations" and is_newer:
            handler.answer(200, {"choices": [{"text": "newer"}]})
        elif request.path == "/gateway/r/invocations":
            handler.answer(200, {"candidates": [{"text": "older"}]})
        elif request.method == "GET":
            handler.answer(403, "Forbidden")
        else:
            handler.answer(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        outcome = call(gateway.url, "hi", "warm=2")
        assert (outcome.status, outcome.text) == ("OK", "older"), outcome
        assert gateway.paths() == [
            "GET /api/2.0/endpoints/r",
            "POST /endpoints/r/invocations",
            "POST /endpoints/r/invocations",
            # What does not say what it speaks now is asked in the next dialect.
            "GET /api/2.0/endpoints/r",
            "GET /api/2.0/gateway/routes/r",
            "GET /gateway/mlflow/v1/models",
            "GET /api/3.0/mlflow/gateway/endpoints/list",
            "GET /api/2.0/serving-endpoints/r",
            "POST /gateway/r/invocations",
            "POST /gateway/r/invocations",
        ]


@pytest.mark.parametrize("page", ["FastAPI", "Flask", "Databricks", "llama.cpp"])
def test_no_prompt_is_posted_where_every_list_is_said_to_be_missing(page: str) -> None:
    """By the server itself: a proxy before it would have answers of its own."""
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
    with ScriptedGateway(lambda handler, request: handler.answer(404, pages[page])) as gateway:
        for outcome in ask_all(gateway.url, "prompt hi", "send", "stream", "call hi"):
            assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome
            assert "no prompt was sent" in outcome.message and "check that the gateway URI" in outcome.message
            assert outcome.error_attempts == 0
        assert {path.split()[0] for path in gateway.paths()} == {"GET"}


def test_list_that_is_hidden_beside_missing_ones_lets_a_prompt_through() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/mlflow/invocations":
            handler.answer(200, {"choices": [{"message": {"content": "x"}}]})
        elif request.path == "/api/3.0/mlflow/gateway/endpoints/list":
            handler.answer(403, "Forbidden")
        else:
            handler.answer(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        (outcome,) = ask_all(gateway.url, "prompt hi", "send")
        assert outcome.status == "OK", outcome


def test_route_that_splits_its_traffic_is_found() -> None:
    """The list does not name it, and its own path does."""
    absent = {"detail": "The endpoint 'r' is not present or active on the server. Please verify the endpoint name."}

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/api/3.0/gateway/route/r":
            handler.answer(200, {"name": "r", "task_type": "llm/v1/chat", "destinations": [{"name": "a"}]})
        elif request.path == "/endpoints/r/invocations":
            handler.answer(200, {"choices": [{"message": {"content": "x"}}]})
        else:
            handler.answer(404, absent)

    with ScriptedGateway(script) as gateway:
        (outcome,) = ask_all(gateway.url, "prompt hi", "send")
        assert outcome.status == "OK", outcome
        assert gateway.paths() == [
            "GET /api/2.0/endpoints/r", "GET /api/3.0/gateway/route/r", "POST /endpoints/r/invocations",
        ]  # fmt: skip
        (found,) = ask_all(gateway.url, "get-route")
        assert (found.routes[0].name, found.routes[0].type) == ("r", "llm/v1/chat")


def test_route_that_is_nowhere_is_reported_by_the_first_path() -> None:
    absent = {"detail": "The endpoint 'r' is not present or active on the server. Please verify the endpoint name."}
    for other in (NOT_FOUND, absent):

        def script(handler: Handler, request: Request, other: dict = other) -> None:
            if request.path == "/api/2.0/endpoints/":
                handler.answer(200, {"endpoints": [{**CHAT_ROUTE, "name": "other"}]})
            else:
                handler.answer(404, absent if request.path == "/api/2.0/endpoints/r" else other)

        with ScriptedGateway(script) as gateway:
            for outcome in ask_all(gateway.url, "prompt hi", "send", "get-route"):
                assert outcome.status == "NOT_FOUND" and "it has: other" in outcome.message, outcome
                assert "/api/2.0/endpoints/r:" in outcome.message
            assert not any(path.startswith("POST") for path in gateway.paths())


def test_endpoint_of_a_tracking_server_without_the_list_of_models_is_found() -> None:
    """As 3.9 to 3.16 have it."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/api/3.0/mlflow/gateway/endpoints/list":
            handler.answer(200, {"endpoints": [{"name": "r", "model_mappings": []}]})
        elif request.path == "/gateway/r/mlflow/invocations":
            handler.answer(200, {"choices": [{"message": {"content": "x"}}]})
        else:
            handler.answer(404, "<html>no such page</html>")

    with ScriptedGateway(script) as gateway:
        sent, found = ask_all(gateway.url, "prompt hi", "send", "get-route")
        assert sent.status == found.status == "OK", (sent, found)
        assert [path for path in gateway.paths() if path.startswith("POST")] == ["POST /gateway/r/mlflow/invocations"]


def test_a_route_for_vectors_has_no_text() -> None:
    with ScriptedGateway(answering(echo, EMBEDDINGS_ROUTE)) as gateway:
        outcome = call(gateway.url, "hi")
        assert outcome.status == "UNSUPPORTED" and "llm/v1/embeddings" in outcome.text
        assert len(gateway.requests) == 1


def test_a_gateway_below_a_path() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/ml/flow/api/2.0/endpoints/r":
            handler.answer(200, CHAT_ROUTE)
        elif request.path == "/ml/flow/endpoints/r/invocations":
            handler.answer(200, {"choices": [{"message": {"content": request.json()["messages"][0]["content"]}}]})
        else:
            handler.answer(404, NOT_FOUND)

    with ScriptedGateway(script) as gateway:
        for uri in (f"{gateway.url}/ml/flow", f"{gateway.url}/ml/flow/"):
            assert call(uri, "hi")[-1] == "hi"
