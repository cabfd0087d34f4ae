"""The examples are programs for people: they do what they say, and their exit codes are for scripts."""

import subprocess

import pytest
from builds import ALL, ROOT, SHARED, Build, clean_environment
from conftest import RealGateway
from scripted_gateway import ScriptedGateway, answering, echo, refused_port


def ask(*arguments: str, input: str = "", build: Build = SHARED, **environment: str) -> tuple[int, str, str]:
    done = build.run("ask.c", *arguments, input=input, environment=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_ask_answers(build: Build) -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        assert ask("-u", gateway.url, "hello", build=build) == (0, "echo: hello\n", "")
        assert ask("hello", build=build, MLFLOW_GATEWAY_URI=gateway.url) == (0, "echo: hello\n", "")
        long = "x" * 100_000
        assert ask("-u", gateway.url, "-", input=long, build=build) == (0, f"echo: {long}\n", "")
        assert ask("-u", gateway.url, "-", input="", build=build) == (0, "echo: \n", "")
        arguments = ["-r", "r", "-t", "0.5", "-m", "7", "-s", "END", "-s", '"', "--", "-x"]
        assert ask("-u", gateway.url, *arguments, build=build) == (0, "echo: -x\n", "")
        sent = {"prompt": "-x", "temperature": 0.5, "max_tokens": 7, "stop": ["END", '"']}
        assert gateway.requests[-1].json() == sent


def test_ask_says_what_is_wrong() -> None:
    with refused_port() as port, ScriptedGateway(
        answering(lambda handler, request: handler.answer(int(request.json()["prompt"]), "<html>"))
    ) as gateway:
        refused = f"http://127.0.0.1:{port}"
        rows = [
            ([], 2, "no prompt given"),
            (["-u", refused, "a", "b"], 2, "put it in quotes"),
            (["-z"], 2, "usage: ask"),
            (["-t", "warm", "a"], 2, "TEMPERATURE is not a number"),
            (["-m", "1.5", "a"], 2, "MAX_TOKENS is not an integer"),
            (["a"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", "127.0.0.1", "a"], 2, "no scheme"),
            (["-u", refused, "-r", "", "a"], 2, "the route is empty"),
            (["-u", refused, "a"], 3, "cannot connect"),
            (["-u", gateway.url, "403"], 4, "HTTP status 403"),
            (["-u", gateway.url, "200"], 5, "an HTML page"),
        ]
        for arguments, code, words in rows:
            status, answer, said = ask(*arguments)
            assert (status, answer) == (code, ""), (arguments, said)
            assert words in said, (arguments, said)
    for option in ("-h", "--help"):
        status, answer, said = ask(option)
        assert (status, said) == (0, "") and "exit status:" in answer


def test_ask_notices_that_its_answer_was_not_printed() -> None:
    with ScriptedGateway(answering(echo)) as gateway, open("/dev/full", "w") as full:
        program = SHARED.compile("ask.c")
        done = subprocess.run(
            [str(program), "-u", gateway.url, "x"], stdout=full, stderr=subprocess.PIPE, text=True,
            env=clean_environment(),
        )  # fmt: skip
        assert done.returncode == 1 and "No space left" in done.stderr


def test_the_examples_makefile_builds_them() -> None:
    subprocess.run(["make", "-C", str(ROOT / "examples-c"), "--always-make"], check=True, stdout=subprocess.DEVNULL)
    with ScriptedGateway(answering(echo)) as gateway:
        done = subprocess.run(
            [str(ROOT / "examples-c/ask"), "-u", gateway.url, "x"], stdout=subprocess.PIPE, text=True, check=True,
            env=clean_environment(),
        )  # fmt: skip
        assert done.stdout == "echo: x\n"


def test_the_readme_shows_the_program_that_is_tested() -> None:
    program = (ROOT / "examples-c/minimal.c").read_text().split("*/\n", 1)[1]
    assert program in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_minimal_answers(build: Build) -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        done = build.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": gateway.url})
        assert (done.returncode, done.stdout, done.stderr) == (0, "echo: The capital of France is\n", "")
    done = build.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": "http://127.0.0.1:1"})
    assert done.returncode == 1 and "cannot connect" in done.stderr


def test_ask_and_minimal_with_real_gateways(real_gateway: RealGateway) -> None:
    for route in ("completions", "chat"):
        answer = ask("-u", real_gateway.url, "-r", route, "-t", "0", "-m", "8", "The capital of France is")
        assert answer == (0, "echo: The capital of France is\n", "")
    done = SHARED.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": real_gateway.url})
    assert (done.returncode, done.stdout) == (0, "echo: The capital of France is\n")
