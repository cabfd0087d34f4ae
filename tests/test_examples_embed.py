"""The example embed: a table of similarities of sentences."""

import math
import subprocess
from collections.abc import Sequence

import pytest
from gateways import scripted_responses
from support.builds import ALL, SHARED, Build, clean_environment
from support.real_gateways import RealGateway
from support.scripted_gateway import Handler, Request, ScriptedGateway, one_route, refused_port

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}


def embed(*arguments: str, build: Build = SHARED) -> tuple[int, str, str]:
    done = build.run("embed.c", *arguments)
    return done.returncode, done.stdout, done.stderr


def respond_with_embeddings(handler: Handler, request: Request) -> None:
    body = request.json()
    handler.respond(200, scripted_responses.embeddings(scripted_responses.embeddings_inputs(body), body))


def similarity(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)


def table(sentences: Sequence[str]) -> str:
    """Returns the expected output for sentences with the scripted embeddings."""
    embeddings = [scripted_responses.embedding(sentence) for sentence in sentences]
    lines = ["    " + "".join(f"{column:7}" for column in range(1, len(sentences) + 1))]
    for row, (sentence, embedding) in enumerate(zip(sentences, embeddings), 1):
        cells = "".join(f"{similarity(embedding, other):7.3f}" for other in embeddings)
        lines.append(f"{row:4}{cells}  {sentence}")
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_embed_prints_all_pairwise_similarities(build: Build) -> None:
    with ScriptedGateway(one_route(respond_with_embeddings, EMBEDDINGS_ROUTE)) as gateway:
        few = ["a cat", "é", "a cat"]
        assert embed("-u", gateway.url, *few, build=build) == (0, table(few), "")
        many = [f"sentence {number}" for number in range(25)]  # more than one request can carry
        assert embed("-u", gateway.url, "-r", "r", "--", *many, build=build) == (0, table(many), "")


def test_embed_reports_errors_with_its_exit_status() -> None:
    with refused_port() as port, ScriptedGateway(
        one_route(lambda handler, request: handler.respond(403, {"detail": "no"}), EMBEDDINGS_ROUTE)
    ) as gateway:
        rows = [
            (["a"], 2, "at least two sentences"),
            (["-z"], 2, "usage: embed"),
            (["a", "b"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://127.0.0.1:{port}", "a", "b"], 3, "cannot connect"),
            (["-u", gateway.url, "a", "b"], 4, "HTTP status 403"),
        ]
        for arguments, code, phrase in rows:
            status, output, errors = embed(*arguments)
            assert (status, output) == (code, ""), (arguments, errors)
            assert phrase in errors, (arguments, errors)
    for option in ("-h", "--help"):
        status, output, errors = embed(option)
        assert (status, errors) == (0, "") and "exit status:" in output


def test_embed_fails_if_its_output_cannot_be_written() -> None:
    with (
        ScriptedGateway(one_route(respond_with_embeddings, EMBEDDINGS_ROUTE)) as gateway,
        open("/dev/full", "w") as full,
    ):
        program = SHARED.compile("embed.c")
        command = [str(program), "-u", gateway.url, "a", "b"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=clean_environment())
        assert done.returncode == 1 and "No space left" in done.stderr


def test_embed_works_with_real_gateways(real_gateway: RealGateway) -> None:
    assert embed("-u", real_gateway.url, "a", "b", "a") == (0, table(["a", "b", "a"]), "")
    sentences = ["A cat sleeps.", "A kitten is asleep.", "The stock market fell."]
    code, output, errors = embed("-u", real_gateway.url, "-r", "e5", *sentences)
    assert (code, errors) == (0, "")
    first_row = output.splitlines()[1].split()
    assert float(first_row[2]) > float(first_row[3]) + 0.1, output
