"""Route functions in each dialect: lists, single routes, health, limits, and missing routes."""

import json
import time
from collections.abc import Callable
from typing import NamedTuple, Optional

import pytest
from support.builds import CHECKED, SHARED, Build
from support.operations import perform, perform_all
from support.real_gateways import RealGateway
from support.scripted_gateway import HOST, NOT_FOUND, Handler, Request, ScriptedGateway, refused_port
from support.timing import three_attempts

CHAT = "llm/v1/chat"


class Dialect(NamedTuple):
    """The paths and the list entries of a server of this dialect."""

    name: str
    list_path: str
    field: str
    entry: Callable[[str], dict]
    reported_url: str
    """The URL in an entry, or else the path of invocations."""
    invocation_path: str
    type: Optional[str] = CHAT


def old_entry(name: str) -> dict:
    model = {"name": "gpt", "provider": "openai"}
    return {"name": name, "route_type": CHAT, "model": model, "route_url": f"/gateway/{name}/invocations"}


def new_entry(name: str) -> dict:
    model = {"name": "gpt", "provider": "openai"}
    url = f"/gateway/{name}/invocations"
    return {"name": name, "endpoint_type": CHAT, "model": model, "endpoint_url": url, "limit": None}


def tracking_entry(name: str) -> dict:
    def mapping(kind: str, model: str) -> dict:
        return {"linkage_type": kind, "model_definition": {"provider": "openai", "model_name": model}}

    return {"endpoint_id": "e-1", "name": name, "model_mappings": [mapping("FALLBACK", "x"), mapping("PRIMARY", "gpt")]}


def model_entry(name: str) -> dict:
    return {"id": name, "object": "model", "created": 1758326497, "owned_by": "mlflow"}


def databricks_entry(name: str) -> dict:
    served = {"external_model": {"name": "gpt", "provider": "openai", "task": CHAT}}
    return {"name": name, "task": CHAT, "state": {"ready": "READY"}, "config": {"served_entities": [served]}}


OLD_URL, NEW_URL = "/gateway/{}/invocations", "/endpoints/{}/invocations"
TRACKING_URL, DATABRICKS_URL = "/gateway/{}/mlflow/invocations", "/serving-endpoints/{}/invocations"

DEPLOYMENTS = Dialect("deployments", "/api/2.0/endpoints/", "endpoints", new_entry, OLD_URL, NEW_URL)
GATEWAY = Dialect("gateway", "/api/2.0/gateway/routes/", "routes", old_entry, OLD_URL, OLD_URL)
TRACKING = Dialect(
    "tracking", "/api/3.0/mlflow/gateway/endpoints/list", "endpoints", tracking_entry, TRACKING_URL, TRACKING_URL, None
)
MODELS = Dialect("tracking", "/gateway/mlflow/v1/models", "data", model_entry, TRACKING_URL, TRACKING_URL, None)
"""The same server as seen by ordinary users."""
DATABRICKS = Dialect(
    "databricks", "/api/2.0/serving-endpoints", "endpoints", databricks_entry, DATABRICKS_URL, DATABRICKS_URL
)
ALL_DIALECTS = (DEPLOYMENTS, GATEWAY, TRACKING, DATABRICKS)
PAGED = (DEPLOYMENTS, GATEWAY)

each_dialect = pytest.mark.parametrize("dialect", ALL_DIALECTS, ids=lambda dialect: dialect.name)

Respond = Callable[[Handler, Request], None]


def serving(
    dialect: Dialect, names: list[str], otherwise: Optional[Respond] = None, prefix: str = ""
) -> ScriptedGateway:
    """A server of one dialect with these routes; `otherwise` responds to changes and limits."""
    entries = [dialect.entry(name) for name in names]

    def script(handler: Handler, request: Request) -> None:
        path = request.path.removeprefix(prefix).split("?")[0]
        one = f"{dialect.list_path.rstrip('/')}/"
        if request.method == "GET" and path == dialect.list_path:
            handler.respond(200, {dialect.field: entries})
        elif request.method == "GET" and path == MODELS.list_path and dialect is TRACKING:
            handler.respond(200, {"object": "list", "data": [model_entry(name) for name in names]})
        elif request.method == "GET" and path.startswith(one) and path[len(one) :] in names and dialect.type:
            handler.respond(200, dialect.entry(path[len(one) :]))
        elif otherwise and (request.method != "GET" or "limits" in path):
            otherwise(handler, request)
        elif request.method == "GET" and path.startswith(one) and dialect.type:
            handler.respond(404, missing(dialect, path[len(one) :]))
        elif request.method == "POST" and path in [dialect.invocation_path.format(name) for name in names]:
            candidates = [{"message": {"content": "x"}}]
            handler.respond(200, {"choices": candidates, "candidates": candidates})
        else:
            handler.respond(404, NOT_FOUND)

    return ScriptedGateway(script)


def missing(dialect: Dialect, name: str) -> dict:
    """Returns the error body of a server for a missing name."""
    if dialect is DATABRICKS:
        return {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Endpoint with name '{name}' does not exist."}
    kind = "route" if dialect is GATEWAY else "endpoint"
    phrase = f"The {kind} '{name}' is not present or active on the server. Please verify the {kind} name."
    return {"detail": phrase}


def paged(dialect: Dialect, pages: dict[str, object]) -> ScriptedGateway:
    """A server whose list has pages, by page token; a number is an HTTP status."""

    def script(handler: Handler, request: Request) -> None:
        path, _, query = request.path.partition("?")
        page = pages.get(query.removeprefix("page_token="))
        if path != dialect.list_path:
            handler.respond(404, NOT_FOUND)
        elif isinstance(page, int):
            handler.respond(page, {"detail": "no such page"})
        else:
            handler.respond(200, page)

    return ScriptedGateway(script)


def page(dialect: Dialect, names: list[str], token: Optional[str]) -> dict:
    return {dialect.field: [dialect.entry(name) for name in names], "next_page_token": token}


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@each_dialect
def test_list_returns_name_type_model_url_and_json_of_each_route(dialect: Dialect, build: Build) -> None:
    names = ["chat", "r", "e5"]
    with serving(dialect, names) as gateway:
        outcome, again = perform_all(gateway.url, "list", "list", build=build)
        assert (outcome.status, outcome._replace(started_at_us=again.started_at_us, took_us=again.took_us)) == (
            "OK",
            again,
        )
        assert len(outcome.routes) == len(names)
        for name, route in zip(names, outcome.routes):
            assert (route.name, route.url) == (name, gateway.url + dialect.reported_url.format(name))
            assert json.loads(route.json) == dialect.entry(name)
            assert (route.type, route.provider, route.model) == (dialect.type, "openai", "gpt")


@each_dialect
def test_dialects_are_tried_in_order_and_the_result_is_remembered(dialect: Dialect) -> None:
    with serving(dialect, ["r"]) as gateway:
        perform_all(gateway.url, "list", "list")
        order = [each.list_path for each in (DEPLOYMENTS, GATEWAY, TRACKING, MODELS, DATABRICKS)]
        expected = order[: order.index(dialect.list_path) + 1] + [dialect.list_path]
        assert gateway.paths() == [f"GET {path}" for path in expected], "the result is remembered"


@each_dialect
def test_get_route_returns_the_route_of_the_handle_or_by_name(dialect: Dialect) -> None:
    with serving(dialect, ["chat", "r"]) as gateway:
        own, named = perform_all(gateway.url, "get-route", "get-route chat")
        for outcome, name in ((own, "r"), (named, "chat")):
            assert outcome.status == "OK", outcome
            (route,) = outcome.routes
            assert (route.name, route.url) == (name, gateway.url + dialect.reported_url.format(name))
            assert json.loads(route.json) == dialect.entry(name)
            assert (route.type, route.provider, route.model) == (dialect.type, "openai", "gpt")


def test_ordinary_user_of_a_tracking_server_gets_the_list_of_models() -> None:
    """The list contains only names; a forbidden path does not mean that other paths are forbidden."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == MODELS.list_path:
            handler.respond(200, {"object": "list", "data": [model_entry("a"), model_entry("b")]})
        else:
            handler.respond(403, "Permission denied")

    with ScriptedGateway(script) as gateway:
        outcome = perform(gateway.url, "list")
    assert outcome.status == "OK", outcome
    assert [(route.name, route.provider) for route in outcome.routes] == [("a", None), ("b", None)]
    assert outcome.routes[0].url == gateway.url + TRACKING_URL.format("a")


@each_dialect
def test_dialect_option_skips_discovery(dialect: Dialect) -> None:
    with serving(dialect, ["r"]) as gateway:
        outcome = perform(gateway.url, f"handle-option dialect={dialect.name}", "list")
        assert outcome.status == "OK" and gateway.paths() == [f"GET {dialect.list_path}"]


@each_dialect
def test_gateway_uri_may_have_a_path(dialect: Dialect) -> None:
    with serving(dialect, ["r"], prefix="/mount/point") as gateway:
        outcome, one = perform_all(f"{gateway.url}/mount/point/", "list", "get-route")
        for found in (outcome, one):
            (route,) = found.routes
            assert route.url == f"{gateway.url}/mount/point{dialect.reported_url.format('r')}"
        assert all(" /mount/point/" in path for path in gateway.paths())


@each_dialect
def test_empty_list_is_ok(dialect: Dialect) -> None:
    with serving(dialect, []) as gateway:
        outcome = perform(gateway.url, "list")
        assert (outcome.status, outcome.routes) == ("OK", [])


@pytest.mark.parametrize("dialect", PAGED, ids=lambda dialect: dialect.name)
def test_list_of_several_pages_is_complete(dialect: Dialect) -> None:
    token = "a b&c=d/é"
    pages = {
        "": page(dialect, ["a", "b"], "2"),
        "2": page(dialect, [], token),
        "a%20b%26c%3Dd%2F%C3%A9": page(dialect, ["c"], ""),
    }
    with paged(dialect, pages) as gateway:
        outcome = perform(gateway.url, f"handle-option dialect={dialect.name}", "list")
        assert outcome.status == "OK", outcome
        assert [route.name for route in outcome.routes] == ["a", "b", "c"]
        assert len(gateway.requests) == 3


@pytest.mark.parametrize("dialect", PAGED, ids=lambda dialect: dialect.name)
def test_missing_page_fails_the_list(dialect: Dialect) -> None:
    """A partial list would hide the other routes."""
    for last, status in ((500, "SERVER_ERROR"), (403, "FORBIDDEN"), ({"status": "OK"}, "BAD_RESPONSE")):
        with paged(dialect, {"": page(dialect, ["a"], "2"), "2": last}) as gateway:
            outcome = perform(gateway.url, f"handle-option dialect={dialect.name}", "list")
            assert outcome.status == status and "page_token=2" in outcome.message, outcome


@pytest.mark.parametrize("tokens", [{"": "1", "1": "1"}, {"": "1", "1": "2", "2": "1"}], ids=["one", "two"])
@three_attempts
def test_endless_pages_fail_the_list(tokens: dict[str, str]) -> None:
    pages = {token: page(DEPLOYMENTS, ["a"], following) for token, following in tokens.items()}
    with paged(DEPLOYMENTS, pages) as gateway:
        start = time.monotonic()
        outcome = perform(gateway.url, "handle-option timeout_ms=2000", "list")
        assert outcome.status in ("BAD_RESPONSE", "TIMEOUT", "RESPONSE_TOO_LARGE"), outcome
        assert time.monotonic() - start < 5


def test_incomplete_entries_are_listed_with_their_json_unchanged() -> None:
    """Most fields may be missing, null or of another type; the JSON of the entry is kept as written."""
    written = [
        '{"name": "bare" , "endpoint_type": "llm/v9/dance"}',
        '{ "name":"null","endpoint_type":"llm/v9/dance","model":null,"endpoint_url":null,"limit":{"calls":1} }',
        '{"name":"odd","endpoint_type":"llm/v9/dance","model":{"name":[],"provider":1.5}}',
        '{"endpoint_type":"llm/v9/dance","name":"\\u00e9 \\"q\\"","model":{"name":"m"},"x":[{"a":"\\ud83d\\ude00"}]}',
    ]

    def script(handler: Handler, request: Request) -> None:
        handler.respond(200, f'{{"endpoints":[{", ".join(written)}],"next_page_token":null}}')

    with ScriptedGateway(script) as gateway:
        outcome = perform(gateway.url, "list")
    assert outcome.status == "OK", outcome
    assert [route.json for route in outcome.routes] == written
    assert [route.name for route in outcome.routes] == ["bare", "null", "odd", 'é "q"']
    assert [route.type for route in outcome.routes] == ["llm/v9/dance"] * 4
    assert [(route.provider, route.model) for route in outcome.routes] == [(None, None)] * 3 + [(None, "m")]
    assert outcome.routes[3].url.startswith(gateway.url) and outcome.routes[3].url.isascii()


@pytest.mark.parametrize("url", ["gateway/r/invocations", "/gateway/r/invocations", "//gateway/r/invocations"])
def test_url_of_a_route_is_joined_by_one_slash(url: str) -> None:
    entry = {**new_entry("r"), "endpoint_url": url}

    def script(handler: Handler, request: Request) -> None:
        handler.respond(200, {"endpoints": [entry]} if request.path.endswith("/endpoints/") else entry)

    with ScriptedGateway(script) as gateway:
        for prefix in ("", "/ml/flow", "/ml/"):
            listed, one = perform_all(f"{gateway.url}{prefix}", "list", "get-route r")
            expected = f"{gateway.url}{prefix.rstrip('/')}/gateway/r/invocations"
            assert [route.url for route in (*listed.routes, *one.routes)] == [expected] * 2


def test_route_of_unknown_shape_is_bad_response() -> None:
    with ScriptedGateway(lambda handler, request: handler.respond(200, {"title": "x"})) as gateway:
        outcome = perform(gateway.url, "handle-option dialect=databricks", "get-route r")
    assert outcome.status == "BAD_RESPONSE" and "the response does not describe the route" in outcome.message, outcome


@pytest.mark.parametrize(
    "body",
    [
        "<html><title>Sign in</title></html>", "", "[]", "null", "{}", '{"endpoints":{}}', '{"endpoints":null}',
        '{"endpoints":[1]}', '{"endpoints":[{}]}', '{"endpoints":[{"name":5}]}', '{"endpoints":[{"name":"a"}]',
        "[" * 10_000,
    ],
)  # fmt: skip
def test_invalid_list_is_bad_response(body: str) -> None:
    with ScriptedGateway(lambda handler, request: handler.respond(200, body)) as gateway:
        outcome = perform(gateway.url, "handle-option dialect=deployments", "list")
        assert outcome.status == "BAD_RESPONSE" and "/api/2.0/endpoints/" in outcome.message, outcome


def test_list_of_3000_routes_is_complete() -> None:
    names = [f"route-{number:05}" for number in range(3000)]
    with serving(DEPLOYMENTS, names) as gateway:
        outcome = perform(gateway.url, "list")
    assert [route.name for route in outcome.routes] == names


@pytest.mark.parametrize(
    ("http_status", "status"),
    [(401, "UNAUTHORIZED"), (403, "FORBIDDEN"), (429, "RATE_LIMITED"), (503, "SERVER_ERROR"), (302, "HTTP_ERROR")],
)
@pytest.mark.parametrize("command", ["list", "get-route", "get-limits", "set-limits r=[]"])
def test_error_response_has_its_status(http_status: int, status: str, command: str) -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(http_status, {"detail": "not now"}, {"Location": "/login"})

    with ScriptedGateway(reject) as gateway:
        outcome = perform(gateway.url, "handle-option dialect=deployments", command)
        assert (outcome.status, outcome.error_http_status) == (status, http_status), outcome
        assert f"{gateway.url}/api/2.0/endpoints/" in outcome.message


def test_unreachable_gateway_is_connect_failed() -> None:
    commands = ("list", "get-route", "health", "get-limits", "set-limits r=[]", "create-route {}", "delete-route r")
    with refused_port() as port:
        uri = f"http://{HOST}:{port}"
        for command in commands:
            assert perform(uri, command).status == "CONNECT_FAILED", command


def test_server_that_is_not_a_gateway_is_not_found() -> None:
    """A server of another kind has none of the paths."""
    with ScriptedGateway(lambda handler, request: handler.respond(404, "<html>nothing here</html>")) as gateway:
        outcome = perform(gateway.url, "list")
        assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome


@pytest.mark.parametrize("command", ["list", "get-route", "health", "get-limits"])
@three_attempts
def test_route_functions_obey_timeout_ms(command: str) -> None:
    SHARED.compile("operations.c")
    for script in (lambda handler, request: handler.stall(), trickle):
        with ScriptedGateway(script) as gateway:
            start = time.monotonic()
            outcome = perform(gateway.url, "handle-option timeout_ms=600", command)
            assert outcome.status == "TIMEOUT" and "timeout_ms" in outcome.message, outcome
            assert time.monotonic() - start < 1.5


def trickle(handler: Handler, request: Request) -> None:
    """Responds with spaces, slowly and without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


# Health


@pytest.mark.parametrize("body", [{"status": "OK"}, "OK"], ids=["JSON", "text"])
def test_healthy_gateway_is_ok(body: object) -> None:
    def script(handler: Handler, request: Request) -> None:
        handler.respond(200 if request.path == "/health" else 404, body)

    with ScriptedGateway(script) as gateway:
        assert perform(gateway.url, "health").status == "OK"
        assert gateway.paths()[-1] == "GET /health"


@pytest.mark.parametrize(
    ("http_status", "status"),
    [(500, "SERVER_ERROR"), (503, "SERVER_ERROR"), (401, "UNAUTHORIZED"), (302, "HTTP_ERROR")],
)
def test_unhealthy_gateway_has_its_status(http_status: int, status: str) -> None:
    with ScriptedGateway(lambda handler, request: handler.respond(http_status, "x", {"Location": "/login"})) as gateway:
        outcome = perform(gateway.url, "health")
        assert (outcome.status, outcome.error_http_status) == (status, http_status), outcome
        assert "/health" in outcome.message


def test_web_page_is_not_a_healthy_gateway() -> None:
    """Any web server may respond with HTTP 200."""
    page = "<html><title>Welcome</title></html>"
    with ScriptedGateway(lambda handler, request: handler.respond(200, page)) as gateway:
        outcome = perform(gateway.url, "health")
        assert outcome.status == "BAD_RESPONSE" and "Welcome" in outcome.message, outcome


# Missing routes


@pytest.mark.parametrize("command", ["send", "stream", "get-route"])
@each_dialect
def test_missing_route_error_names_existing_routes(dialect: Dialect, command: str) -> None:
    with serving(dialect, ["e5", "completions", "chat"]) as gateway:
        commands = ("get-route",) if command == "get-route" else ("message user=hi", command)
        outcome = perform(gateway.url, *commands, route="compltions")
    assert outcome.status == "NOT_FOUND", outcome
    assert outcome.error_http_status == (200 if dialect is TRACKING and command == "get-route" else 404), (
        "this server lists its routes instead"
    )
    message = outcome.message.lower()
    assert 'no route "compltions"; did you mean "completions"?' in message, message
    assert "it has: chat, completions, e5" in message, "the names are sorted"


@each_dialect
def test_missing_route_error_names_at_most_20_routes(dialect: Dialect) -> None:
    names = [f"route-{number:02}" for number in range(25)]
    with serving(dialect, names) as gateway:
        outcome = perform(gateway.url, "message user=hi", "send", route="zzz")
    assert outcome.message.endswith("route-18, route-19 and 5 more"), outcome.message
    assert "did you mean" not in outcome.message


def test_missing_route_is_not_found_if_there_are_none() -> None:
    with serving(DEPLOYMENTS, []) as gateway:
        outcome = perform(gateway.url, "message user=hi", "send", route="chat")
    assert outcome.status == "NOT_FOUND" and 'no route "chat"' in outcome.message, outcome


@pytest.mark.parametrize("fault", ["rejected", "a web page", "silent", "lost"])
@three_attempts
def test_missing_route_error_keeps_the_message_if_the_list_fails(fault: str) -> None:
    """The error of the request is reported even if the list fails."""
    faults: dict[str, Callable[[Handler], None]] = {
        "rejected": lambda handler: handler.respond(500, "no list"),
        "a web page": lambda handler: handler.respond(200, "<html>welcome</html>"),
        "silent": lambda handler: handler.stall(),
        "lost": lambda handler: handler.reset(),
    }

    def script(handler: Handler, request: Request) -> None:
        if request.path == DEPLOYMENTS.list_path:
            faults[fault](handler)
        else:
            handler.respond(404, missing(DEPLOYMENTS, "chat"))

    with ScriptedGateway(script) as gateway:
        start = time.monotonic()
        outcome = perform(gateway.url, "handle-option timeout_ms=2000", "message user=hi", "send", route="chat")
        assert time.monotonic() - start < 4
    assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome
    assert "not present or active" in outcome.message


def test_odd_route_names_keep_the_message_short_and_on_one_line() -> None:
    """The message stays one line, and long names are cut."""
    names = ["a\nb", "x" * 5000, "\x1b[31mred", "é"]

    def script(handler: Handler, request: Request) -> None:
        if request.path == DEPLOYMENTS.list_path:
            handler.respond(200, {"endpoints": [new_entry(name) for name in names]})
        else:
            handler.respond(404, missing(DEPLOYMENTS, "chat"))

    with ScriptedGateway(script) as gateway:
        outcome = perform(gateway.url, "message user=hi", "send", route="chat")
    assert outcome.status == "NOT_FOUND", outcome
    assert outcome.message.isprintable() and len(outcome.message) < 3000, outcome.message


def test_missing_path_is_not_reported_as_missing_route() -> None:
    """The gateway may be below another path and have the route."""
    with ScriptedGateway(lambda handler, request: handler.respond(404, NOT_FOUND)) as gateway:
        outcome = perform(gateway.url, "message user=hi", "send", route="chat")
    assert outcome.status == "NOT_FOUND" and "did you mean" not in outcome.message, outcome


# Limits and changes of routes


@pytest.mark.parametrize("http_status", [501, 405, 404])
@pytest.mark.parametrize(
    "command", ["get-limits", 'set-limits r=[{"calls": 1}]', 'create-route {"name": "x"}', "delete-route r"]
)
@pytest.mark.parametrize("dialect", (DEPLOYMENTS, GATEWAY, TRACKING), ids=lambda dialect: dialect.name)
def test_functions_that_a_server_lacks_are_unsupported(dialect: Dialect, command: str, http_status: int) -> None:
    phrase = {501: "The get_limits API is not available yet", 405: "Method Not Allowed", 404: "Not Found"}

    def reject(handler: Handler, request: Request) -> None:
        handler.respond(http_status, {"detail": phrase[http_status]})

    with serving(dialect, ["r"], reject) as gateway:
        outcome = perform(gateway.url, command)
        assert outcome.status == "UNSUPPORTED", outcome
        if outcome.error_http_status:
            assert outcome.error_http_status == http_status and phrase[http_status] in outcome.message


@pytest.mark.parametrize(
    ("dialect", "path"), [(GATEWAY, "/api/2.0/gateway/limits/"), (DEPLOYMENTS, "/api/2.0/endpoints/limits/")],
    ids=["gateway", "deployments"],
)  # fmt: skip
def test_limits_are_read_and_set(dialect: Dialect, path: str) -> None:
    found = {"limits": [{"calls": 10, "key": "user", "renewal_period": "minute"}]}

    def limits(handler: Handler, request: Request) -> None:
        handler.respond(200 if request.path.startswith(path) else 404, found)

    with serving(dialect, ["r"], limits) as gateway:
        own, named, done = perform_all(
            gateway.url, f"handle-option dialect={dialect.name}", "get-limits", "get-limits é/x",
            f"set-limits r={json.dumps(found['limits'])}",
        )  # fmt: skip
    assert [json.loads(outcome.result) for outcome in (own, named, done)] == [found] * 3
    assert gateway.paths() == [f"GET {path}r", f"GET {path}%C3%A9%2Fx", f"POST {path}"]
    assert gateway.requests[2].json() == {"route": "r", **found}


def test_rejected_limit_is_bad_request() -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(422, {"detail": [{"loc": ["body", "limits", 0], "msg": "calls is missing"}]})

    with serving(DEPLOYMENTS, ["r"], reject) as gateway:
        outcome = perform(gateway.url, "set-limits r=[{}]")
    assert outcome.status == "BAD_REQUEST" and "calls is missing" in outcome.message, outcome


def test_lost_change_is_not_sent_again() -> None:
    """A second attempt could fail with 404 and hide that the first one made the change."""

    def lose(handler: Handler, request: Request) -> None:
        handler.reset()

    with serving(DATABRICKS, ["r"], lose) as gateway:
        for command in ("set-limits r=[]", 'create-route {"name": "x"}', "delete-route r"):
            before = len(gateway.requests)
            outcome = perform(gateway.url, "handle-option dialect=databricks", command)
            assert outcome.status == "CONNECTION_LOST", outcome
            sent = [path for path in gateway.paths()[before:] if not path.startswith("GET")]
            assert len(sent) == 1, sent


# Real servers


def test_real_gateways_list_their_routes(real_gateway: RealGateway) -> None:
    outcome = perform(real_gateway.url, "list")
    found = {route.name: (route.type, route.provider) for route in outcome.routes}
    assert found["completions"] == ("llm/v1/completions", "openai") and found["chat"] == (CHAT, "openai")
    assert found["e5"] == ("llm/v1/embeddings", "openai")
    one, health = perform_all(real_gateway.url, "get-route chat", "health")
    assert one.routes[0] == next(route for route in outcome.routes if route.name == "chat")
    assert one.routes[0].url.startswith(real_gateway.url) and health.status == "OK"


@three_attempts
def test_real_gateways_missing_route_error_names_existing_routes(real_gateway: RealGateway) -> None:
    outcome = perform(real_gateway.url, "prompt hi", "send", route="compltions")
    assert outcome.status == "NOT_FOUND" and 'did you mean "completions"?' in outcome.message, outcome


def test_changes_of_real_gateways_are_unsupported(real_gateway: RealGateway) -> None:
    for command in ("get-limits", "set-limits chat=[]", 'create-route {"name": "x"}', "delete-route chat"):
        outcome = perform(real_gateway.url, command, route="chat")
        assert outcome.status == "UNSUPPORTED", (command, outcome)
