"""Embeddings: complete and in the order of the inputs, in batches, and in every encoding."""

import base64
import json
import math
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from gateways.install import install
from gateways.scripted_responses import embedding
from support.builds import ALL, CHECKED, ROOT, SHARED, THREADED, Build, clean_environment
from support.operations import float32, perform, perform_all
from support.real_gateways import RealGateway
from support.scripted_gateway import Handler, Request, ScriptedGateway, one_route
from support.timing import three_attempts

ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
OLD_ROUTE = {"name": "r", "route_type": "llm/v1/embeddings"}


def serving(on_post) -> ScriptedGateway:
    return ScriptedGateway(one_route(on_post, ROUTE))


def embedding_of(text: str) -> list[float]:
    """The embedding of the scripted gateway: a number that identifies the text, and a fraction."""
    return [float(text.split()[-1]), 0.1]


def response_to(inputs: list[str], **more: object) -> dict:
    data = [{"object": "embedding", "index": at, "embedding": embedding_of(text)} for at, text in enumerate(inputs)]
    usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
    return {"object": "list", "data": data, "model": "m", "usage": usage, **more}


def embed(handler: Handler, request: Request) -> None:
    handler.respond(200, response_to(request.json()["input"]))


def base64_of(*numbers: float) -> str:
    """Encodes numbers as servers do for `encoding_format` base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def expected_embeddings(count: int) -> list[list[float]]:
    return [[float(number), float32(0.1)] for number in range(count)]


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
@pytest.mark.parametrize("count", [1, 20, 21, 1000])
def test_inputs_are_sent_in_batches(build: Build, count: int) -> None:
    with serving(embed) as gateway:
        outcomes = perform_all(
            gateway.url, f"inputs {count}", "param dimensions=2", "embed", "option embed_batch_size=7", "embed",
            "option embed_batch_size=100000", "embed", build=build,
        )  # fmt: skip
    for outcome in outcomes:
        assert outcome.status == "OK", outcome
        found = outcome.embeddings
        assert (found.count, found.dimension, found.input_tokens, found.model) == (count, 2, count, "m")
        assert found.values == expected_embeddings(count)
    bodies = [request.json() for request in gateway.requests if request.method == "POST"]
    sizes = [len(body["input"]) for body in bodies]
    expected = [[min(size, count - at) for at in range(0, count, size)] for size in (20, 7, 100000)]
    assert sizes == sum(expected, [])
    assert {body["dimensions"] for body in bodies} == {2}


@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
@three_attempts
def test_batches_are_sent_concurrently_up_to_embed_concurrency(build: Build) -> None:
    lock, at_once, maximum = threading.Lock(), [0], [0]

    def slow(handler: Handler, request: Request) -> None:
        with lock:
            at_once[0] += 1
            maximum[0] = max(maximum[0], at_once[0])
        inputs = request.json()["input"]
        time.sleep(0.1 if "number 0" in inputs[0] else 0.02)  # the first batch ends last
        with lock:
            at_once[0] -= 1
        handler.respond(200, response_to(inputs))

    with serving(slow) as gateway:
        outcome = perform(
            gateway.url, "inputs 97", "option embed_batch_size=10", "option embed_concurrency=4", "embed", build=build
        )
    assert (outcome.status, outcome.embeddings.count, outcome.embeddings.input_tokens) == ("OK", 97, 97)
    assert outcome.embeddings.values == expected_embeddings(97)
    assert maximum[0] == 4


@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
@pytest.mark.parametrize("concurrency", [1, 3])
def test_failed_batch_fails_the_call_and_starts_no_other(build: Build, concurrency: int) -> None:
    refused = threading.Event()

    def failing(handler: Handler, request: Request) -> None:
        """Delays the other batches until one was refused: the refused thread may not run at once."""
        inputs = request.json()["input"]
        if "input number 20" in inputs:
            handler.respond(503, {"detail": "the third batch"})
            handler.wfile.flush()
            refused.set()
        else:
            if concurrency > 1:
                refused.wait(10)
                time.sleep(0.05)
            handler.respond(200, response_to(inputs))

    with serving(failing) as gateway:
        outcome = perform(
            gateway.url, "inputs 1000", "option embed_batch_size=10", f"option embed_concurrency={concurrency}", "embed",
            build=build,
        )  # fmt: skip
    assert (outcome.status, outcome.error_http_status, outcome.embeddings) == ("SERVER_ERROR", 503, None)
    assert "the third batch" in outcome.message
    assert len(gateway.requests) < 20, "no batch is started after the failure"


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_embeddings_are_ordered_by_index(build: Build) -> None:
    def shuffled(handler: Handler, request: Request) -> None:
        whole = response_to(request.json()["input"])
        handler.respond(200, {**whole, "data": whole["data"][::-1]})

    with serving(shuffled) as gateway:
        outcome = perform(gateway.url, "inputs 45", "embed", build=build)
    assert outcome.embeddings.values == expected_embeddings(45)


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_base64_embeddings_equal_number_lists(build: Build) -> None:
    numbers = [[index + number / 7 for number in range(1536)] for index in range(3)]

    def as_base64(handler: Handler, request: Request) -> None:
        assert request.json()["encoding_format"] == "base64"
        rows = [base64.b64encode(struct.pack("<1536f", *row)).decode() for row in numbers]
        data = [{"embedding": row, "index": index} for index, row in enumerate(rows)]
        handler.respond(200, {"data": data})

    with serving(as_base64) as gateway:
        outcome = perform(gateway.url, "inputs 3", 'param encoding_format="base64"', "embed", build=build)
    assert outcome.embeddings.values == [[float32(number) for number in row] for row in numbers]
    assert (outcome.embeddings.input_tokens, outcome.embeddings.model) == (-1, None)


def test_response_shape_of_older_gateways_is_read() -> None:
    def old(handler: Handler, request: Request) -> None:
        if request.method == "POST" and request.path == "/gateway/r/invocations":
            texts = request.json()["text"]
            rows = embedding_of(texts[0]) if len(texts) == 1 else [embedding_of(text) for text in texts]
            handler.respond(200, {"embeddings": rows, "metadata": {"input_tokens": 3, "model": "m"}})
        elif request.path == "/api/2.0/gateway/routes/r":
            handler.respond(200, OLD_ROUTE)
        else:
            handler.respond(404, {"detail": "Not Found"})

    with ScriptedGateway(old) as gateway:
        many, one = perform_all(gateway.url, "inputs 3", "embed", "again", "inputs 1", "embed")
    assert (many.embeddings.values, one.embeddings.values) == (expected_embeddings(3), expected_embeddings(1))
    assert (many.embeddings.input_tokens, many.embeddings.model) == (3, "m")


def test_input_type_is_sent_as_parameter() -> None:
    with serving(embed) as gateway:
        perform_all(
            gateway.url, "handle-param input_type=\"search_document\"", "inputs 1", "embed", "again", "inputs 1",
            "string input_type=search_query", "embed",
        )  # fmt: skip
    bodies = [request.json() for request in gateway.requests if request.method == "POST"]
    assert [body["input_type"] for body in bodies] == ["search_document", "search_query"]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_invalid_embeddings_response_is_bad_response(build: Build) -> None:
    whole = response_to(["x 0", "x 1"])
    row = whole["data"][0]
    rows = [
        ({**whole, "data": whole["data"][:1]}, "the number of embeddings is 1, that of the inputs 2"),
        ({**whole, "data": whole["data"] + [{**row, "index": 2}]}, "the number of embeddings is 3"),
        ({**whole, "data": []}, "no embeddings"),
        ({**whole, "data": [row, {**row, "index": 2}]}, "duplicate or too large index"),
        ({**whole, "data": [row, {"index": 1, "embedding": [1.0]}]}, "different dimensions"),
        ({**whole, "data": [row, {"index": 1, "embedding": [1.0, None]}]}, "an embedding may contain only numbers"),
        ({**whole, "data": [row, {"index": 1, "embedding": [1.0, None]}]}, "data[1].embedding: an embedding may contain only"),
        ({**whole, "data": [row, {"index": 1, "embedding": "x"}]}, "data[1].embedding: base64"),
        ({**whole, "data": [row, {"embedding": base64_of(1.0, math.nan)}]}, "data[1].embedding[1] is not a finite 32-bit float"),
        ({**whole, "data": [row, {"embedding": base64_of(-math.inf, 1.0)}]}, "data[1].embedding[0] is not a finite 32-bit float"),
        ({**whole, "data": [{"embedding": [1.0, 1e39]}, row]}, "data[0].embedding[1] is not a finite 32-bit float"),
        ('{"data":[{"embedding":[1,NaN]}]}', "not JSON (expected value at line 1 column 26)"),
        ('{"data":[{"embedding":[1,-Infinity]}]}', "not JSON (invalid number at line 1 column 27)"),
        ('{"data":5}#', "not JSON (trailing characters"),
        ({"choices": []}, "missing field `data`"),
        ("<html>", "HTML"),
        ('{"data": [{"embedding": [1, 2', "not JSON"),
    ]
    for body, phrase in rows:
        with serving(lambda handler, request: handler.respond(200, body)) as gateway:
            outcome = perform(gateway.url, "inputs 2", "embed", build=build)
        assert (outcome.status, outcome.error_http_status) == ("BAD_RESPONSE", 200), outcome
        assert phrase in outcome.message, outcome


@pytest.mark.parametrize("beside", [{}, {"data": None}, {"data": [{"embedding": [1.0]}]}], ids=str)
def test_error_under_http_200_has_the_status_of_the_provider(beside: dict) -> None:
    rows = [({"message": "m", "code": 429}, "RATE_LIMITED", "429"), ("plain", "SERVER_ERROR", None)]
    for error, status, code in rows:
        with serving(lambda handler, request: handler.respond(200, {**beside, "error": error})) as gateway:
            outcome = perform(gateway.url, "input x", "embed")
        assert (outcome.status, outcome.code, outcome.error_http_status) == (status, code, 200), outcome


def test_duplicate_fields_and_empty_errors_are_accepted() -> None:
    body = (
        '{"model":"a","data":[{"index":7,"embedding":[1],"index":0}],"error":{},"model":"b",'
        '"usage":{"prompt_tokens":1,"prompt_tokens":2},"error":""}'
    )
    with serving(lambda handler, request: handler.respond(200, body)) as gateway:
        outcome = perform(gateway.url, "input x", "embed")
    assert outcome.status == "OK", outcome
    assert (outcome.embeddings.values, outcome.embeddings.model, outcome.embeddings.input_tokens) == ([[1.0]], "b", 2)


def test_batches_of_different_dimensions_are_bad_response() -> None:
    def growing(handler: Handler, request: Request) -> None:
        inputs = request.json()["input"]
        rows = [{"embedding": [1.0] * (2 if text == "input number 0" else 3)} for text in inputs]
        handler.respond(200, {"data": rows})

    with serving(growing) as gateway:
        for concurrency in (1, 2):
            outcome = perform(
                gateway.url, "inputs 2", "option embed_batch_size=1", f"option embed_concurrency={concurrency}", "embed"
            )
            assert outcome.status == "BAD_RESPONSE" and outcome.embeddings is None, outcome


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_raw_body_returns_embeddings(build: Build) -> None:
    with serving(embed) as gateway:
        outcome = perform(gateway.url, 'body {"input": ["x 0", "x 1"], "dimensions": 2}', "embed", build=build)
    assert outcome.embeddings.values == expected_embeddings(2)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_real_gateways_return_embeddings(real_gateway: RealGateway, build: Build) -> None:
    outcome = perform(
        real_gateway.url, "inputs 41", "string input_type=search_query", "embed", route="embeddings", build=build
    )
    assert outcome.status == "OK", outcome
    assert outcome.embeddings.values == [embedding(f"input number {number}") for number in range(41)]
    bodies = [request["body"] for request in real_gateway.upstream.requests()]
    assert [len(body["input"]) for body in bodies] == [20, 20, 1]
    assert {body["input_type"] for body in bodies} == {"search_query"}
    if real_gateway.version != "2.8.1":
        again = perform(
            real_gateway.url, "inputs 41", 'param encoding_format="base64"', "embed", route="embeddings", build=build
        )
        assert again.embeddings.values == outcome.embeddings.values


@pytest.mark.parametrize("count", [1, 20, 21, 201])
def test_embeddings_equal_those_of_the_mlflow_client(
    real_gateways: dict[str, RealGateway], count: int, tmp_path: Path
) -> None:
    """From a real model behind a real gateway, 20 inputs per request, as LangChain sends them."""
    gateway = real_gateways["3.17.2"]
    outcome = perform(gateway.url, f"inputs {count}", "option embed_concurrency=2", "embed", route="e5")
    assert outcome.status == "OK", outcome
    assert (outcome.embeddings.count, outcome.embeddings.dimension) == (count, 384)
    python = install("mlflow-3.17.2") / "bin" / "python"
    request = {"url": gateway.url, "endpoint": "e5", "inputs": [f"input number {number}" for number in range(count)]}
    done = subprocess.run(
        [str(python), str(ROOT / "tests/gateways/mlflow_embeddings.py")], input=json.dumps(request),
        stdout=subprocess.PIPE, text=True, check=True, env=clean_environment({"HOME": str(tmp_path)}),
    )  # fmt: skip
    expected = json.loads(done.stdout)
    assert outcome.embeddings.values == [[float32(number) for number in row] for row in expected]
