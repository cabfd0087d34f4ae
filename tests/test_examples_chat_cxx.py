"""The C++ example: a conversation line by line, which survives a response that fails."""

import signal
import subprocess

import pytest
from support.builds import PLAIN, ROOT, SHARED, Build, clean_environment
from support.program_output import read_until
from support.real_gateways import RealGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    ScriptedGateway,
    one_route,
    refused_port,
)
from support.scripted_model import messages, model, post_requests


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_conversation_continues_after_a_failure(build: Build) -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        done = build.run("chat_cxx.cpp", "r", gateway.url, input="one\nbroken\nlast")
        assert (done.returncode, done.stdout) == (0, "echo: one\necho: brokenecho: last\n")
        assert "stream" in done.stderr
        assert messages(post_requests(gateway)[-1]) == [("user", "one"), ("assistant", "echo: one"), ("user", "last")]


def test_ctrl_c_cancels_a_response_only() -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        with SHARED.start("chat_cxx.cpp", "r", gateway.url, stdin=subprocess.PIPE) as program:
            program.stdin.write(b"slow\n")
            program.stdin.flush()
            read_until(b"slow", program, program.stdout.fileno())
            program.send_signal(signal.SIGINT)
            rest, errors = program.communicate(b"next\n")
        assert program.returncode == 0 and rest.endswith(b"echo: next\n") and b"cancel" in errors


def test_errors_and_usage() -> None:
    usage = SHARED.run("chat_cxx.cpp")
    assert usage.returncode == 2 and "usage: chat_cxx ROUTE" in usage.stderr
    no_uri = SHARED.run("chat_cxx.cpp", "r")
    assert no_uri.returncode == 1 and "MLFLOW_GATEWAY_URI" in no_uri.stderr
    with refused_port() as port:
        refused = SHARED.run("chat_cxx.cpp", "r", f"http://127.0.0.1:{port}", input="hi\n")
    assert refused.returncode == 0 and "cannot connect" in refused.stderr


def test_makefile_builds_it() -> None:
    make = ["make", "-C", str(ROOT / "examples-c"), "--always-make", "chat_cxx"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        command = [str(ROOT / "examples-c/chat_cxx"), "r", gateway.url]
        environment = clean_environment()
        done = subprocess.run(command, input="hi\n", stdout=subprocess.PIPE, text=True, check=True, env=environment)
        assert done.stdout == "echo: hi\n"


def test_with_a_real_gateway(real_gateways: dict[str, RealGateway]) -> None:
    done = SHARED.run("chat_cxx.cpp", "chat", real_gateways["3.17.2"].url, input="one\ntwo\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "echo: one\necho: two\n", "")
