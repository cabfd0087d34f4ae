"""The example event_loop: many streams beside standard input and a timer, on one thread."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from support.builds import ADDRESS, ALL, EMULATED, SHARED, THREAD, Build, clean_environment
from support.program_output import read_until
from support.queue_program import wait_until
from support.real_gateways import RealGateway
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, Script, ScriptedGateway, one_route, refused_port
from support.scripted_model import messages, model, post_requests


def event_loop(*arguments: str, input: str, build: Build = SHARED) -> tuple[int, list[str], str]:
    done = build.run("event_loop.c", *arguments, input=input)
    return done.returncode, sorted(done.stdout.splitlines()), done.stderr


def all_at_once(count: int) -> Script:
    """Begins each stream at once, and ends none until so many have begun."""
    barrier = threading.Barrier(count)

    def script(handler: Handler, request: Request) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: begun\n\n")
        handler.wfile.flush()
        barrier.wait()
        text = f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{messages(request)[0][1]}!"}}}}]}}\n\n'
        handler.raw(text.encode() + b"data: [DONE]\n\n")

    return script


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_all_streams_run_at_once_beside_the_timer_and_the_input(build: Build) -> None:
    """No stream ends before the last one has begun. The last line is typed after a status line has shown the others."""
    count = 200 if build is SHARED and build not in EMULATED else 20
    with ScriptedGateway(one_route(all_at_once(count), CHAT_ROUTE)) as gateway, build.start(
        "event_loop.c", "-u", gateway.url, stdin=subprocess.PIPE
    ) as program:
        program.stdin.write("".join(f"line {number}\n" for number in range(1, count)).encode())
        program.stdin.flush()
        read_until(f" s: {count - 1} streams, 0 waiting, 0 events".encode(), program, program.stderr.fileno())
        output, errors = program.communicate(f"line {count}\n".encode())
    assert program.returncode == 0, errors
    assert sorted(output.decode().splitlines()) == sorted(f"{number}: line {number}!" for number in range(1, count + 1))


def prompts(gateway: ScriptedGateway) -> set[str]:
    """Returns the prompts that the gateway has received."""
    return {messages(request)[0][1] for request in post_requests(gateway)}


@pytest.mark.parametrize("build", [SHARED, ADDRESS, THREAD], ids=lambda build: build.name)
def test_q_ends_the_loop_while_streams_run(build: Build) -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway, build.start(
        "event_loop.c", "-u", gateway.url, stdin=subprocess.PIPE
    ) as program:
        program.stdin.write(b"quick\n\nslow\n")
        program.stdin.flush()
        assert read_until(b"\n", program, program.stdout.fileno()) == b"1: echo: quick\n"
        wait_until(lambda: prompts(gateway) == {"quick", "slow"})
        output, errors = program.communicate(b"q\nnot sent\n")
    assert (program.returncode, output) == (0, b""), errors
    assert prompts(gateway) == {"quick", "slow"}


@pytest.mark.parametrize("build", [SHARED, ADDRESS], ids=lambda build: build.name)
def test_failed_prompts_are_reported_and_the_others_complete(build: Build) -> None:
    def refuse(handler: Handler, request: Request) -> None:
        if messages(request)[0][1] == "refused":
            handler.respond(400, {"detail": "not this"})
        else:
            model(handler, request)

    with ScriptedGateway(one_route(refuse, CHAT_ROUTE)) as gateway:
        with build.start("event_loop.c", "-u", gateway.url, stdin=subprocess.PIPE) as program:
            output, errors = program.communicate(b"one\nrefused\nbroken\nnot UTF-8: \xff\nlast without newline")
    assert (program.returncode, sorted(output.splitlines())) == (1, [b"1: echo: one", b"5: echo: last without newline"])
    failed = [line for line in errors.decode().splitlines() if line.startswith("event_loop: ")]
    assert [line.split(": ")[1] for line in sorted(failed)] == ["line 2", "line 3", "line 4"]
    assert "not this" in errors.decode() and "UTF-8" in errors.decode()


def test_input_waits_while_the_queue_is_full() -> None:
    """More lines than max_queued and max_in_flight together."""
    lines = [f"line {number}" for number in range(1, 1501)]
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        code, output, errors = event_loop("-u", gateway.url, "-n", "4", input="\n".join(lines))
    assert code == 0, errors
    assert output == sorted(f"{number}: echo: {line}" for number, line in enumerate(lines, 1))


def test_event_loop_fails_if_its_output_cannot_be_written() -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway, open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(SHARED.compile("event_loop.c")), "-u", gateway.url], input="a\n", stdout=full, stderr=subprocess.PIPE,
            text=True, env=clean_environment(),
        )  # fmt: skip
    assert done.returncode == 1 and "No space left" in done.stderr


def test_event_loop_reports_errors_with_its_exit_status(tmp_path: Path) -> None:
    with refused_port() as port:
        rows = [
            (["-z"], 2, "usage: event_loop"),
            (["a"], 2, "from standard input"),
            (["-u", "http://127.0.0.1:1", "-n", "many"], 2, "max_in_flight"),
            ([], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://127.0.0.1:{port}"], 1, "line 1: GET http"),
        ]
        for arguments, expected, phrase in rows:
            code, output, errors = event_loop(*arguments, input="hi\n")
            assert (code, output) == (expected, []), (arguments, errors)
            assert phrase in errors, (arguments, errors)
        code, output, errors = event_loop("-u", f"http://127.0.0.1:{port}", input="x" * 70_000)
        assert code == 1 and "more than" in errors
    program = [str(SHARED.compile("event_loop.c")), "-u", "http://127.0.0.1:1"]
    folder = os.open(tmp_path, os.O_RDONLY)
    done = subprocess.run(program, stdin=folder, stderr=subprocess.PIPE, text=True, env=clean_environment())
    os.close(folder)
    assert done.returncode == 1 and "cannot read standard input: Is a directory" in done.stderr
    for option in ("-h", "--help"):
        code, output, errors = event_loop(option, input="")
        assert (code, errors) == (0, "") and any(line.startswith("exit status:") for line in output)


def test_event_loop_works_with_real_gateways(real_gateway: RealGateway) -> None:
    prompts = [f"prompt {number}" for number in range(1, 21)]
    code, output, errors = event_loop("-u", real_gateway.url, input="\n".join(prompts))
    if real_gateway.version == "2.8.1":
        assert (code, output) == (1, []) and errors.count("cannot stream") == 20, errors
        return
    assert code == 0, errors
    assert output == sorted(f"{number}: echo: {prompt}" for number, prompt in enumerate(prompts, 1))
