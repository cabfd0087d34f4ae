"""The examples of bindings/go."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support.builds import NO_RETRIES, ROOT, clean_environment
from support.go_toolchains import BINDING, LIBRARY, OLDEST, build_example
from support.program_output import read_until
from support.real_gateways import RealGateway
from support.scripted_gateway import CHAT_ROUTE, ScriptedGateway, echo, one_route, refused_port
from support.scripted_model import messages, model, post_requests
from test_examples_embed import EMBEDDINGS_ROUTE, respond_with_embeddings, table
from test_examples_tools import OSLO, PARIS, WRONG, calling_tools

pytestmark = [pytest.mark.tool, pytest.mark.xdist_group("Go examples")]


def run(name: str, *arguments: str, input: str = "", **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(build_example(name)), *arguments], input=input, capture_output=True, text=True, timeout=60,
        env=clean_environment({**NO_RETRIES, **environment}),
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


AROUND_README = """package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

var (
	client         *mlflowgateway.Client
	messages       []mlflowgateway.Message
	schema         any
	prompt         string
	run            func(name, arguments string) string
	_, _, _, _, _  = context.Background, errors.Is, fmt.Print, os.ReadFile, time.Sleep
)

func main() {}
"""


def test_code_of_the_readme_is_compiled(tmp_path: Path) -> None:
    """Each fragment becomes a function. The first block is examples/minimal."""
    (short,) = re.findall(r"```go\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    _, *fragments = re.findall(r"```go\n(.*?)```", (BINDING / "README.md").read_text(), re.S)
    assert len(fragments) >= 5
    program = tmp_path / "main.go"
    functions = [AROUND_README]
    for number, fragment in enumerate([short, *fragments]):
        results = re.findall(r"^(request|response|text)\b.* :?= ", fragment, re.M)
        uses = "".join(f"\t_ = {name}\n" for name in results)
        functions.append(f"func f{number}(ctx context.Context, err error) error {{\n{fragment}{uses}\treturn err\n}}\n")
    program.write_text("\n".join(functions))
    OLDEST.run("build", "-o", str(tmp_path / "program"), str(program), **LIBRARY)


def test_minimal_prints_the_completion() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert run("minimal", MLFLOW_GATEWAY_URI=gateway.url) == (0, "echo: The capital of France is\n", "")
        assert gateway.requests[-1].json() == {"prompt": "The capital of France is", "max_tokens": 8}
    code, output, errors = run("minimal")
    assert (code, output) == (1, "") and "MLFLOW_GATEWAY_URI" in errors


def test_ask_prints_the_completion() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert run("ask", "hello", MLFLOW_GATEWAY_URI=gateway.url) == (0, "echo: hello\n", "")
        long = "x" * 100_000
        assert run("ask", "-u", gateway.url, "-", input=long) == (0, f"echo: {long}\n", "")
        arguments = ["-r", "r", "-t", "0.5", "-m", "7", "-s", "END", "-s", '"', "--", "-x"]
        assert run("ask", "-u", gateway.url, *arguments) == (0, "echo: -x\n", "")
        sent = {"prompt": "-x", "temperature": 0.5, "max_tokens": 7, "stop": ["END", '"']}
        assert gateway.requests[-1].json() == sent


def test_ask_reports_errors_with_its_exit_status() -> None:
    with refused_port() as port, ScriptedGateway(
        one_route(lambda handler, request: handler.respond(int(request.json()["prompt"]), "<html>"))
    ) as gateway:
        refused = f"http://127.0.0.1:{port}"
        rows = [
            ([], 2, "usage: ask"),
            (["-t", "warm", "a"], 2, "usage: ask"),
            (["a"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", refused, "a"], 3, "cannot connect"),
            (["-u", gateway.url, "403"], 4, "HTTP status 403"),
            (["-u", gateway.url, "200"], 5, "an HTML page"),
        ]
        for arguments, code, phrase in rows:
            status, output, errors = run("ask", *arguments)
            assert (status, output) == (code, "") and phrase in errors, (arguments, errors)


def test_chat_sends_the_whole_conversation(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"PNG")
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        output = "echo: one\necho: broken\necho: last\n"
        code, printed, errors = run("chat", "-u", gateway.url, "-y", "Be brief.", "-v", input="one\n\nbroken\nlast")
        assert (code, printed) == (0, output) and "before the response was complete" in errors and "tokens: input" in errors
        assert messages(post_requests(gateway)[-1]) == [
            ("system", "Be brief."), ("user", "one"), ("assistant", "echo: one"), ("user", "last"),
        ]  # fmt: skip
        run("chat", "-u", gateway.url, "--attach", str(tmp_path / "a.png"), input="look")
        (message,) = post_requests(gateway)[-1].json()["messages"]
        assert [part["type"] for part in message["content"]] == ["text", "image_url"]


def enter(program: subprocess.Popen[bytes], line: bytes) -> None:
    program.stdin.write(line)
    program.stdin.flush()


def interrupt_until_it_ends(program: subprocess.Popen[bytes]) -> int:
    """Returns the exit status. Soon after a response, the first Ctrl-C may still cancel that."""
    for _ in range(100):
        program.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return program.wait(0.1)
    raise AssertionError("Ctrl-C does not end the program")


def test_ctrl_c_cancels_a_response_of_chat_and_then_ends_it() -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        master, terminal = pty.openpty()
        command = [str(build_example("chat")), "-u", gateway.url]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=terminal, stderr=terminal, env=clean_environment(NO_RETRIES)
        ) as program:
            try:
                os.close(terminal)
                enter(program, b"slow\n")
                read_until(b"echo: slow", program, master)
                program.send_signal(signal.SIGINT)
                read_until(b"context canceled", program, master)
                enter(program, b"next\n")
                read_until(b"echo: next", program, master)
                assert interrupt_until_it_ends(program) == -signal.SIGINT
            finally:
                program.kill()
        os.close(master)
        roles = [role for role, _ in messages(post_requests(gateway)[-1])]
        assert roles == ["user", "assistant", "user"]


def test_tools_runs_rounds_of_tool_calls() -> None:
    with ScriptedGateway(calling_tools(3)) as gateway:
        code, output, errors = run("tools", "-u", gateway.url, "-v", "a")
        assert (code, output) == (0, f"echo: {OSLO}\n") and errors.count(PARIS) == 3
        last = post_requests(gateway)[-1].json()["messages"]
        assert [message["role"] for message in last] == ["user", *["assistant", "tool", "tool"] * 3]
    with ScriptedGateway(calling_tools(1000)) as gateway:
        code, output, errors = run("tools", "-u", gateway.url, "a")
        assert (code, output) == (1, "") and "still calls tools" in errors
        assert len(post_requests(gateway)) == 9


def test_invalid_tool_calls_get_an_error_as_result() -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}
        for name, arguments in (("get_temperature", "{"), ("get_temperature", "{}"), ("other", "{}"))
    ]

    def script(handler, request) -> None:
        if len(request.json()["messages"]) == 1:
            handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": calls}}]})
        else:
            model(handler, request)

    with ScriptedGateway(one_route(script, CHAT_ROUTE)) as gateway:
        assert run("tools", "-u", gateway.url, "a") == (0, "echo: There is no such tool.\n", "")
        results = [message["content"] for message in post_requests(gateway)[-1].json()["messages"][2:]]
        assert results == [WRONG, WRONG, "There is no such tool."]


def test_embed_prints_all_pairwise_similarities() -> None:
    with ScriptedGateway(one_route(respond_with_embeddings, EMBEDDINGS_ROUTE)) as gateway:
        sentences = ["a cat", "é", "a cat"]
        assert run("embed", "-u", gateway.url, *sentences) == (0, table(sentences), "")


def test_batch_prints_the_responses_in_the_order_of_the_prompts() -> None:
    def script(handler, request) -> None:
        if request.json()["prompt"] == "prompt 7":
            handler.respond(400, {"detail": "not this one"})
        else:
            echo(handler, request)

    prompts = [f"prompt {number}" for number in range(1, 51)]
    with ScriptedGateway(one_route(script)) as gateway:
        code, output, errors = run("batch", "-u", gateway.url, "-p", "4", input="\n".join(prompts))
    expected = [f"{number}: echo: {prompt}\n" for number, prompt in enumerate(prompts, 1) if number != 7]
    assert (code, output) == (1, "".join(expected))
    assert "prompt 7: POST" in errors and "1 of 50 prompts failed" in errors


def test_examples_work_with_real_gateways(real_gateway: RealGateway) -> None:
    assert run("minimal", MLFLOW_GATEWAY_URI=real_gateway.url) == (0, "echo: The capital of France is\n", "")
    assert run("batch", "-u", real_gateway.url, input="a\nb") == (0, "1: echo: a\n2: echo: b\n", "")
    assert run("embed", "-u", real_gateway.url, "a", "b", "a") == (0, table(["a", "b", "a"]), "")
    if real_gateway.version != "2.8.1":
        assert run("tools", "-u", real_gateway.url, "!tools") == (0, f"echo: {OSLO}\n", "")
