"""Vectors: all of them, in the order of the inputs, however the gateway sends them."""

import base64
import json
import math
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from asks import ask, ask_all, float32
from builds import ALL, CHECKED, ROOT, SHARED, THREADED, Build, clean_environment
from chances import three_chances
from conftest import RealGateway
from gateways.install import install
from gateways.scripted_answers import embedding
from scripted_gateway import Handler, Request, ScriptedGateway, answering

ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
OLD_ROUTE = {"name": "r", "route_type": "llm/v1/embeddings"}


def serving(on_post) -> ScriptedGateway:
    return ScriptedGateway(answering(on_post, ROUTE))


def vector(text: str) -> list[float]:
    """What the scripted gateway gives: a number that tells the text, and one that is not whole."""
    return [float(text.split()[-1]), 0.1]


def answer(inputs: list[str], **more: object) -> dict:
    data = [{"object": "embedding", "index": at, "embedding": vector(text)} for at, text in enumerate(inputs)]
    usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
    return {"object": "list", "data": data, "model": "m", "usage": usage, **more}


def embed(handler: Handler, request: Request) -> None:
    handler.answer(200, answer(request.json()["input"]))


def base64_of(*numbers: float) -> str:
    """As servers write them that were asked for `encoding_format` base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def vectors(count: int) -> list[list[float]]:
    return [[float(number), float32(0.1)] for number in range(count)]


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
@pytest.mark.parametrize("count", [1, 20, 21, 1000])
def test_inputs_are_sent_in_batches(build: Build, count: int) -> None:
    with serving(embed) as gateway:
        outcomes = ask_all(
            gateway.url, f"inputs {count}", "param dimensions=2", "embed", "option embed_batch_size=7", "embed",
            "option embed_batch_size=100000", "embed", build=build,
        )  # fmt: skip
    for outcome in outcomes:
        assert outcome.status == "OK", outcome
        found = outcome.embeddings
        assert (found.count, found.dimension, found.input_tokens, found.model) == (count, 2, count, "m")
        assert found.vectors == vectors(count)
    bodies = [request.json() for request in gateway.requests if request.method == "POST"]
    sizes = [len(body["input"]) for body in bodies]
    expected = [[min(size, count - at) for at in range(0, count, size)] for size in (20, 7, 100000)]
    assert sizes == sum(expected, [])
    assert {body["dimensions"] for body in bodies} == {2}


@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
@three_chances
def test_batches_may_be_under_way_at_once(build: Build) -> None:
    lock, at_once, most = threading.Lock(), [0], [0]

    def slow(handler: Handler, request: Request) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        inputs = request.json()["input"]
        time.sleep(0.1 if "number 0" in inputs[0] else 0.02)  # the first one comes last
        with lock:
            at_once[0] -= 1
        handler.answer(200, answer(inputs))

    with serving(slow) as gateway:
        outcome = ask(
            gateway.url, "inputs 97", "option embed_batch_size=10", "option embed_concurrency=4", "embed", build=build
        )
    assert (outcome.status, outcome.embeddings.count, outcome.embeddings.input_tokens) == ("OK", 97, 97)
    assert outcome.embeddings.vectors == vectors(97)
    assert most[0] == 4


@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
@pytest.mark.parametrize("concurrency", [1, 3])
def test_where_one_batch_fails_all_fails(build: Build, concurrency: int) -> None:
    refused = threading.Event()

    def failing(handler: Handler, request: Request) -> None:
        """Answers other batches beside it only afterwards and slowly: the thread that is refused may not run at once."""
        inputs = request.json()["input"]
        if "input number 20" in inputs:
            handler.answer(503, {"detail": "the third batch"})
            handler.wfile.flush()
            refused.set()
        else:
            if concurrency > 1:
                refused.wait(10)
                time.sleep(0.05)
            handler.answer(200, answer(inputs))

    with serving(failing) as gateway:
        outcome = ask(
            gateway.url, "inputs 1000", "option embed_batch_size=10", f"option embed_concurrency={concurrency}", "embed",
            build=build,
        )  # fmt: skip
    assert (outcome.status, outcome.error_http_status, outcome.embeddings) == ("SERVER_ERROR", 503, None)
    assert "the third batch" in outcome.message
    assert len(gateway.requests) < 20, "no batch is begun after that"


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_the_order_is_that_of_the_indexes(build: Build) -> None:
    def shuffled(handler: Handler, request: Request) -> None:
        whole = answer(request.json()["input"])
        handler.answer(200, {**whole, "data": whole["data"][::-1]})

    with serving(shuffled) as gateway:
        outcome = ask(gateway.url, "inputs 45", "embed", build=build)
    assert outcome.embeddings.vectors == vectors(45)


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_base64_is_read_as_numbers_are(build: Build) -> None:
    numbers = [[index + number / 7 for number in range(1536)] for index in range(3)]

    def as_base64(handler: Handler, request: Request) -> None:
        assert request.json()["encoding_format"] == "base64"
        rows = [base64.b64encode(struct.pack("<1536f", *row)).decode() for row in numbers]
        data = [{"embedding": row, "index": index} for index, row in enumerate(rows)]
        handler.answer(200, {"data": data})

    with serving(as_base64) as gateway:
        outcome = ask(gateway.url, "inputs 3", 'param encoding_format="base64"', "embed", build=build)
    assert outcome.embeddings.vectors == [[float32(number) for number in row] for row in numbers]
    assert (outcome.embeddings.input_tokens, outcome.embeddings.model) == (-1, None)


def test_older_gateways_answer_in_their_own_shape() -> None:
    def old(handler: Handler, request: Request) -> None:
        if request.method == "POST" and request.path == "/gateway/r/invocations":
            texts = request.json()["text"]
            rows = vector(texts[0]) if len(texts) == 1 else [vector(text) for text in texts]
            handler.answer(200, {"embeddings": rows, "metadata": {"input_tokens": 3, "model": "m"}})
        elif request.path == "/api/2.0/gateway/routes/r":
            handler.answer(200, OLD_ROUTE)
        else:
            handler.answer(404, {"detail": "Not Found"})

    with ScriptedGateway(old) as gateway:
        many, one = ask_all(gateway.url, "inputs 3", "embed", "again", "inputs 1", "embed")
    assert (many.embeddings.vectors, one.embeddings.vectors) == (vectors(3), vectors(1))
    assert (many.embeddings.input_tokens, many.embeddings.model) == (3, "m")


def test_what_questions_and_documents_differ_in_is_a_parameter() -> None:
    with serving(embed) as gateway:
        ask_all(
            gateway.url, "handle-param input_type=\"search_document\"", "inputs 1", "embed", "again", "inputs 1",
            "string input_type=search_query", "embed",
        )  # fmt: skip
    bodies = [request.json() for request in gateway.requests if request.method == "POST"]
    assert [body["input_type"] for body in bodies] == ["search_document", "search_query"]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_a_wrong_answer_is_no_answer(build: Build) -> None:
    whole = answer(["x 0", "x 1"])
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
    for body, words in rows:
        with serving(lambda handler, request: handler.answer(200, body)) as gateway:
            outcome = ask(gateway.url, "inputs 2", "embed", build=build)
        assert (outcome.status, outcome.error_http_status) == ("BAD_RESPONSE", 200), outcome
        assert words in outcome.message, outcome


@pytest.mark.parametrize("beside", [{}, {"data": None}, {"data": [{"embedding": [1.0]}]}], ids=str)
def test_error_under_a_success_is_the_providers_error(beside: dict) -> None:
    rows = [({"message": "m", "code": 429}, "RATE_LIMITED", "429"), ("plain", "SERVER_ERROR", None)]
    for error, status, code in rows:
        with serving(lambda handler, request: handler.answer(200, {**beside, "error": error})) as gateway:
            outcome = ask(gateway.url, "input x", "embed")
        assert (outcome.status, outcome.code, outcome.error_http_status) == (status, code, 200), outcome


def test_field_beside_the_vectors_may_come_twice_or_say_nothing() -> None:
    body = (
        '{"model":"a","data":[{"index":7,"embedding":[1],"index":0}],"error":{},"model":"b",'
        '"usage":{"prompt_tokens":1,"prompt_tokens":2},"error":""}'
    )
    with serving(lambda handler, request: handler.answer(200, body)) as gateway:
        outcome = ask(gateway.url, "input x", "embed")
    assert outcome.status == "OK", outcome
    assert (outcome.embeddings.vectors, outcome.embeddings.model, outcome.embeddings.input_tokens) == ([[1.0]], "b", 2)


def test_batches_have_to_have_one_dimension() -> None:
    def growing(handler: Handler, request: Request) -> None:
        inputs = request.json()["input"]
        rows = [{"embedding": [1.0] * (2 if text == "input number 0" else 3)} for text in inputs]
        handler.answer(200, {"data": rows})

    with serving(growing) as gateway:
        for concurrency in (1, 2):
            outcome = ask(
                gateway.url, "inputs 2", "option embed_batch_size=1", f"option embed_concurrency={concurrency}", "embed"
            )
            assert outcome.status == "BAD_RESPONSE" and outcome.embeddings is None, outcome


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_a_whole_body_gets_what_it_asks_for(build: Build) -> None:
    with serving(embed) as gateway:
        outcome = ask(gateway.url, 'body {"input": ["x 0", "x 1"], "dimensions": 2}', "embed", build=build)
    assert outcome.embeddings.vectors == vectors(2)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_real_gateways_give_vectors(real_gateway: RealGateway, build: Build) -> None:
    outcome = ask(real_gateway.url, "inputs 41", "string input_type=search_query", "embed", route="embeddings", build=build)
    assert outcome.status == "OK", outcome
    assert outcome.embeddings.vectors == [embedding(f"input number {number}") for number in range(41)]
    bodies = [request["body"] for request in real_gateway.upstream.requests()]
    assert [len(body["input"]) for body in bodies] == [20, 20, 1]
    assert {body["input_type"] for body in bodies} == {"search_query"}
    if real_gateway.version != "2.8.1":
        again = ask(real_gateway.url, "inputs 41", 'param encoding_format="base64"', "embed", route="embeddings", build=build)
        assert again.embeddings.vectors == outcome.embeddings.vectors


@pytest.mark.parametrize("count", [1, 20, 21, 201])
def test_vectors_are_those_that_mlflows_client_gets(
    real_gateways: dict[str, RealGateway], count: int, tmp_path: Path
) -> None:
    """Of a real model behind a real gateway, twenty at a time, as LangChain sends them."""
    gateway = real_gateways["3.17.2"]
    outcome = ask(gateway.url, f"inputs {count}", "option embed_concurrency=2", "embed", route="e5")
    assert outcome.status == "OK", outcome
    assert (outcome.embeddings.count, outcome.embeddings.dimension) == (count, 384)
    python = install("mlflow-3.17.2") / "bin" / "python"
    question = {"url": gateway.url, "endpoint": "e5", "inputs": [f"input number {number}" for number in range(count)]}
    done = subprocess.run(
        [str(python), str(ROOT / "tests/gateways/mlflow_embeddings.py")], input=json.dumps(question),
        stdout=subprocess.PIPE, text=True, check=True, env=clean_environment({"HOME": str(tmp_path)}),
    )  # fmt: skip
    expected = json.loads(done.stdout)
    assert outcome.embeddings.vectors == [[float32(number) for number in row] for row in expected]
