"""The examples ask and minimal: their output, error messages and exit codes."""

import subprocess

import pytest
from support.builds import ALL, ROOT, SHARED, Build, clean_environment
from support.real_gateways import RealGateway
from support.scripted_gateway import ScriptedGateway, echo, one_route, refused_port


def run_ask(*arguments: str, input: str = "", build: Build = SHARED, **environment: str) -> tuple[int, str, str]:
    done = build.run("ask.c", *arguments, input=input, environment=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_ask_prints_the_completion(build: Build) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert run_ask("-u", gateway.url, "hello", build=build) == (0, "echo: hello\n", "")
        assert run_ask("hello", build=build, MLFLOW_GATEWAY_URI=gateway.url) == (0, "echo: hello\n", "")
        long = "x" * 100_000
        assert run_ask("-u", gateway.url, "-", input=long, build=build) == (0, f"echo: {long}\n", "")
        assert run_ask("-u", gateway.url, "-", input="", build=build) == (0, "echo: \n", "")
        arguments = ["-r", "r", "-t", "0.5", "-m", "7", "-s", "END", "-s", '"', "--", "-x"]
        assert run_ask("-u", gateway.url, *arguments, build=build) == (0, "echo: -x\n", "")
        sent = {"prompt": "-x", "temperature": 0.5, "max_tokens": 7, "stop": ["END", '"']}
        assert gateway.requests[-1].json() == sent


def test_ask_reports_errors_with_its_exit_status() -> None:
    with refused_port() as port, ScriptedGateway(
        one_route(lambda handler, request: handler.respond(int(request.json()["prompt"]), "<html>"))
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
        for arguments, code, phrase in rows:
            status, output, errors = run_ask(*arguments)
            assert (status, output) == (code, ""), (arguments, errors)
            assert phrase in errors, (arguments, errors)
    for option in ("-h", "--help"):
        status, output, errors = run_ask(option)
        assert (status, errors) == (0, "") and "exit status:" in output


def test_ask_fails_if_its_output_cannot_be_written() -> None:
    with ScriptedGateway(one_route(echo)) as gateway, open("/dev/full", "w") as full:
        program = SHARED.compile("ask.c")
        done = subprocess.run(
            [str(program), "-u", gateway.url, "x"], stdout=full, stderr=subprocess.PIPE, text=True,
            env=clean_environment(),
        )  # fmt: skip
        assert done.returncode == 1 and "No space left" in done.stderr


def test_makefile_of_the_examples_builds_them() -> None:
    subprocess.run(["make", "-C", str(ROOT / "examples-c"), "--always-make"], check=True, stdout=subprocess.DEVNULL)
    with ScriptedGateway(one_route(echo)) as gateway:
        done = subprocess.run(
            [str(ROOT / "examples-c/ask"), "-u", gateway.url, "x"], stdout=subprocess.PIPE, text=True, check=True,
            env=clean_environment(),
        )  # fmt: skip
        assert done.stdout == "echo: x\n"


def test_readme_shows_the_tested_program() -> None:
    program = (ROOT / "examples-c/minimal.c").read_text().split("*/\n", 1)[1]
    assert program in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_minimal_prints_the_completion_or_the_error(build: Build) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = build.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": gateway.url})
        assert (done.returncode, done.stdout, done.stderr) == (0, "echo: The capital of France is\n", "")
    done = build.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": "http://127.0.0.1:1"})
    assert done.returncode == 1 and "cannot connect" in done.stderr


def test_ask_and_minimal_work_with_real_gateways(real_gateway: RealGateway) -> None:
    for route in ("completions", "chat"):
        output = run_ask("-u", real_gateway.url, "-r", route, "-t", "0", "-m", "8", "The capital of France is")
        assert output == (0, "echo: The capital of France is\n", "")
    done = SHARED.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": real_gateway.url})
    assert (done.returncode, done.stdout) == (0, "echo: The capital of France is\n")
