"""The example embed: how alike sentences are."""

import math
import subprocess
from collections.abc import Sequence

import pytest
from builds import ALL, SHARED, Build, clean_environment
from conftest import RealGateway
from gateways import scripted_answers
from scripted_gateway import Handler, Request, ScriptedGateway, answering, refused_port

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}


def embed(*arguments: str, build: Build = SHARED) -> tuple[int, str, str]:
    done = build.run("embed.c", *arguments)
    return done.returncode, done.stdout, done.stderr


def answer_with_vectors(handler: Handler, request: Request) -> None:
    body = request.json()
    handler.answer(200, scripted_answers.embeddings(scripted_answers.embeddings_inputs(body), body))


def similarity(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)


def table(sentences: Sequence[str]) -> str:
    """What the program is to print about sentences with the scripted vectors."""
    vectors = [scripted_answers.embedding(sentence) for sentence in sentences]
    lines = ["    " + "".join(f"{column:7}" for column in range(1, len(sentences) + 1))]
    for row, (sentence, vector) in enumerate(zip(sentences, vectors), 1):
        cells = "".join(f"{similarity(vector, other):7.3f}" for other in vectors)
        lines.append(f"{row:4}{cells}  {sentence}")
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_it_compares_each_with_each(build: Build) -> None:
    with ScriptedGateway(answering(answer_with_vectors, EMBEDDINGS_ROUTE)) as gateway:
        few = ["a cat", "é", "a cat"]
        assert embed("-u", gateway.url, *few, build=build) == (0, table(few), "")
        many = [f"sentence {number}" for number in range(25)]  # more than one request takes
        assert embed("-u", gateway.url, "-r", "r", "--", *many, build=build) == (0, table(many), "")


def test_it_says_what_is_wrong() -> None:
    with refused_port() as port, ScriptedGateway(
        answering(lambda handler, request: handler.answer(403, {"detail": "no"}), EMBEDDINGS_ROUTE)
    ) as gateway:
        rows = [
            (["a"], 2, "at least two sentences"),
            (["-z"], 2, "usage: embed"),
            (["a", "b"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://127.0.0.1:{port}", "a", "b"], 3, "cannot connect"),
            (["-u", gateway.url, "a", "b"], 4, "HTTP status 403"),
        ]
        for arguments, code, words in rows:
            status, answer, said = embed(*arguments)
            assert (status, answer) == (code, ""), (arguments, said)
            assert words in said, (arguments, said)
    for option in ("-h", "--help"):
        status, answer, said = embed(option)
        assert (status, said) == (0, "") and "exit status:" in answer


def test_it_notices_that_its_table_was_not_printed() -> None:
    with ScriptedGateway(answering(answer_with_vectors, EMBEDDINGS_ROUTE)) as gateway, open("/dev/full", "w") as full:
        program = SHARED.compile("embed.c")
        command = [str(program), "-u", gateway.url, "a", "b"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=clean_environment())
        assert done.returncode == 1 and "No space left" in done.stderr


def test_with_real_gateways(real_gateway: RealGateway) -> None:
    assert embed("-u", real_gateway.url, "a", "b", "a") == (0, table(["a", "b", "a"]), "")
    sentences = ["A cat sleeps.", "A kitten is asleep.", "The stock market fell."]
    code, answer, said = embed("-u", real_gateway.url, "-r", "e5", *sentences)
    assert (code, said) == (0, "")
    first_row = answer.splitlines()[1].split()
    assert float(first_row[2]) > float(first_row[3]) + 0.1, answer
