"""The same C programs against real MLflow servers of each family."""

import pytest
from support.builds import ALL, CHECKED, SHARED, Build
from support.calls import call, call_all
from support.real_gateways import RealGateway
from support.timing import three_attempts

# The upstream is scripted, so that each response can be matched to its request.


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_prompt_works_on_completions_and_chat_routes(real_gateway: RealGateway, build: Build) -> None:
    calls = [
        (real_gateway.url, route, prompt)
        for route in ("completions", "chat")
        for prompt in ("The capital of France is", 'a "quoted" \\ text, é, \U0001f600')
    ]
    for (_, _, prompt), outcome in zip(calls, call_all(calls, build)):
        assert (outcome.status, outcome.text) == ("OK", f"echo: {prompt}"), outcome
        assert outcome.text_len == len(f"echo: {prompt}".encode())


def test_candidate_count_is_sent_under_the_name_of_the_server(real_gateway: RealGateway) -> None:
    """2.8.1 rejects `n`, newer servers ignore `candidate_count`: the library sends the supported name."""
    for route in ("completions", "chat"):
        for name in ("n", "candidate_count"):
            real_gateway.upstream.forget_requests()
            outcome = call(real_gateway.url, "hi", f"param:{name}=2", route=route)
            assert (outcome.status, outcome.text) == ("OK", "echo: hi"), outcome
            assert [request["body"]["n"] for request in real_gateway.upstream.requests()] == [2]


def test_parameters_arrive_unchanged(real_gateway: RealGateway) -> None:
    settings = ("param:temperature=0", "param:max_tokens=7", "stop=END", "stop=\\n")
    assert call(real_gateway.url, "hi", *settings, route="chat").status == "OK"
    (request,) = real_gateway.upstream.requests()
    sent = {name: value for name, value in request["body"].items() if name not in ("model", "messages", "n")}
    assert sent == {"temperature": 0, "max_tokens": 7, "stop": ["END", "\\n"]}


def test_unset_parameter_is_not_sent(real_gateway: RealGateway) -> None:
    assert call(real_gateway.url, "hi", route="chat").status == "OK"
    (request,) = real_gateway.upstream.requests()
    # The others are defaults of the server; none is null, and none is from the library.
    assert set(request["body"]) <= {"model", "messages", "n", "temperature"}


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_errors_contain_the_message_of_the_gateway(real_gateway: RealGateway, build: Build) -> None:
    url = real_gateway.url
    rows = [
        ((url, "completions", "!status 503"), "SERVER_ERROR", 503, "scripted 503"),
        ((url, "completions", "!status 429"), "RATE_LIMITED", 429, "scripted 429"),
        ((url, "chat", "!status 401"), "UNAUTHORIZED", 401, "scripted 401"),
        ((url, "chat", "!status 400"), "BAD_REQUEST", 400, "scripted 400"),
        ((url, "chat", "hi", "param:temperature=3"), "BAD_REQUEST", 422, "temperature"),
        ((url, "chat", "hi", 'param:model="x"'), "BAD_REQUEST", 422, "'model' is not permitted"),
        ((url, "nope", "hi"), "NOT_FOUND", 404, "'nope' is not present or active on the server"),
        ((f"{url}/prefix", "chat", "hi"), "NOT_FOUND", 404, "Not Found"),
    ]
    for (fields, status, http_status, phrase), outcome in zip(rows, call_all([row[0] for row in rows], build)):
        assert (outcome.status, outcome.http_status) == (status, http_status), (fields, outcome)
        assert phrase in outcome.text
        assert outcome.body_len > 0


def test_dialect_option_selects_the_dialect(real_gateway: RealGateway) -> None:
    right = "gateway" if real_gateway.version == "2.8.1" else "deployments"
    for route in ("completions", "chat"):
        outcome = call(real_gateway.url, "hi", f"option:dialect={right}", route=route)
        assert (outcome.status, outcome.text) == ("OK", "echo: hi")
    if right == "gateway":
        wrong = call(real_gateway.url, "hi", "option:dialect=deployments", route="chat")
        assert (wrong.status, wrong.http_status) == ("NOT_FOUND", 404), wrong
    else:
        # Newer servers support the older path, too, and respond in the newer shape, which is accepted.
        older = call(real_gateway.url, "hi", "option:dialect=gateway", route="chat")
        assert (older.status, older.text) == ("OK", "echo: hi"), older


@three_attempts
def test_slow_response_is_awaited_up_to_timeout_ms(real_gateway: RealGateway) -> None:
    assert call(real_gateway.url, "!delay 700", "option:timeout_ms=20000", route="chat").status == "OK"
    outcome = call(real_gateway.url, "!delay 3000", "option:timeout_ms=1000", route="chat")
    assert outcome.status == "TIMEOUT", outcome
