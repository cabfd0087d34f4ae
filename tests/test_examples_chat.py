"""The example chat: a conversation, with a script or with a person at a terminal."""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest
from builds import ALL, PLAIN, SHARED, Build, clean_environment
from conftest import RealGateway
from scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, answering, refused_port
from scripted_model import messages, model, questions

CTRL_C = b"\x03"
CTRL_D = b"\x04"


def chat(*arguments: str, input: str, build: Build = SHARED) -> tuple[int, str, str]:
    done = build.run("chat.c", *arguments, input=input)
    return done.returncode, done.stdout, done.stderr


def read_until(words: bytes, program: subprocess.Popen[bytes], output: int) -> bytes:
    """What a running program prints until it has printed these words."""
    said = b""
    while words not in said:
        more = os.read(output, 1000)
        assert more, (said, program.wait())
        said += more
    return said


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_it_keeps_what_was_said(build: Build) -> None:
    long = "x" * 100_000
    arguments = ["-y", "Be brief.", "-t", "0.5", "-m", "7"]
    with ScriptedGateway(answering(model, CHAT_ROUTE)) as gateway:
        said = chat("-u", gateway.url, *arguments, input=f"one\n\n{long}\nlast", build=build)
        assert said == (0, f"echo: one\necho: {long}\necho: last\n", "")
        last = questions(gateway)[-1]
        assert messages(last) == [
            ("system", "Be brief."),
            ("user", "one"),
            ("assistant", "echo: one"),
            ("user", long),
            ("assistant", f"echo: {long}"),
            ("user", "last"),
        ]
        settings = {name: value for name, value in last.json().items() if name not in ("messages", "stream_options")}
        assert settings == {"stream": True, "temperature": 0.5, "max_tokens": 7}


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_it_goes_on_without_a_line_that_failed(build: Build) -> None:
    def refuse(handler: Handler, request: Request) -> None:
        if messages(request)[-1][1] == "refused":
            handler.answer(503, {"detail": "not now"})
        else:
            model(handler, request)

    with ScriptedGateway(answering(refuse, CHAT_ROUTE)) as gateway:
        code, answers, said = chat("-u", gateway.url, input="one\nrefused\nbroken\nlast\n", build=build)
        assert (code, answers) == (5, "echo: one\necho: broken\necho: last\n"), said
        refused, broken = said.splitlines()
        assert "not now" in refused and "stream" in broken
        assert messages(questions(gateway)[-1]) == [("user", "one"), ("assistant", "echo: one"), ("user", "last")]


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_it_attaches_a_picture_to_the_first_message(build: Build, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\xff\0")
    with ScriptedGateway(answering(model, CHAT_ROUTE)) as gateway:
        arguments = ("-u", gateway.url, "--attach", str(picture))
        assert chat(*arguments, input="broken\none\ntwo\n", build=build)[:2] == (5, "echo: broken\necho: one\necho: two\n")
        sent = [request.json()["messages"] for request in questions(gateway)]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR/8A"}}
    first = {"role": "user", "content": [{"type": "text", "text": "one"}, image]}
    assert sent[1] == [first], "and it is kept until a message is answered"
    assert sent[2] == [first, {"role": "assistant", "content": "echo: one"}, {"role": "user", "content": "two"}]


def test_it_says_what_cannot_be_attached(tmp_path: Path) -> None:
    for name, words in (("a.txt", "FILE is not a .png"), ("none.png", f"cannot read {tmp_path}/none.png: No such file")):
        code, answers, said = chat("-u", "http://127.0.0.1:1", "--attach", str(tmp_path / name), input="one\n")
        assert (code, answers) == (2, "") and words in said


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_ctrl_c_stops_an_answer_only(build: Build) -> None:
    with ScriptedGateway(answering(model, CHAT_ROUTE)) as gateway:
        with build.start("chat.c", "-u", gateway.url, stdin=subprocess.PIPE) as program:
            program.stdin.write(b"slow\n")
            program.stdin.flush()
            begun = read_until(b"slow", program, program.stdout.fileno())
            program.send_signal(signal.SIGINT)
            begun += read_until(b"\n", program, program.stdout.fileno())
            rest, said = program.communicate(b"next\n")
        assert (program.returncode, said) == (0, b""), said
        stopped, answer = (begun + rest).decode().splitlines()
        assert stopped.startswith("echo: slow") and answer == "echo: next"
        assert messages(questions(gateway)[-1]) == [("user", "slow"), ("assistant", stopped), ("user", "next")]


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
def test_ctrl_c_ends_the_waiting_where_no_answer_comes(build: Build) -> None:
    def hang(handler: Handler, request: Request) -> None:
        if messages(request)[-1][1] == "hang":
            handler.stall()
        else:
            model(handler, request)

    with ScriptedGateway(answering(hang, CHAT_ROUTE)) as gateway:
        with build.start("chat.c", "-u", gateway.url, stdin=subprocess.PIPE) as program:
            program.stdin.write(b"hang\n")
            program.stdin.flush()
            while not questions(gateway):
                assert program.poll() is None
                time.sleep(0.01)
            program.send_signal(signal.SIGINT)
            answer, said = program.communicate(b"next\n")
        assert (program.returncode, answer.decode(), said) == (0, "echo: next\n", b"")
        assert messages(questions(gateway)[-1]) == [("user", "next")]


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["ctrl-c", "ctrl-d"])
def test_it_prompts_on_a_terminal_and_ends_there(build: Build, key: bytes) -> None:
    """On a terminal of its own, so that the keys do what they do for a person."""
    keyboard, terminal = pty.openpty()
    try:
        with ScriptedGateway(answering(model, CHAT_ROUTE)) as gateway, build.start(
            "chat.c",
            "-u",
            gateway.url,
            stdin=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        ) as program:
            os.write(keyboard, b"one\n")
            assert read_until(b"> > ", program, program.stderr.fileno()) == b"> > "
            while not select.select([program.stderr], [], [], 0.2)[0]:  # it may not yet have begun to read the line
                os.write(keyboard, key)
            answers, said = program.communicate()
        assert (program.returncode, answers, said) == (0, b"echo: one\n", b"\n")
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_it_tells_the_tokens() -> None:
    def count(handler: Handler, request: Request) -> None:
        body = {**request.json(), "stream_options": {"include_usage": messages(request)[-1][1] != "uncounted"}}
        model(handler, request._replace(body=json.dumps(body).encode()))

    with ScriptedGateway(answering(count, CHAT_ROUTE)) as gateway:
        code, _, said = chat("-u", gateway.url, "-v", input="a b c\nuncounted\n")
        assert (code, said.splitlines()) == (
            0,
            ["tokens: input 3, output 4", "tokens: input not reported, output not reported"],
        )


def test_it_notices_that_its_answer_was_not_printed() -> None:
    with ScriptedGateway(answering(model, CHAT_ROUTE)) as gateway, open("/dev/full", "w") as full:
        program = SHARED.compile("chat.c")
        done = subprocess.run(
            [str(program), "-u", gateway.url], input="a\nb\n", stdout=full, stderr=subprocess.PIPE, text=True,
            env=clean_environment(),
        )  # fmt: skip
        assert done.returncode == 1 and "No space left" in done.stderr
        assert len(questions(gateway)) == 1


def test_it_says_what_is_wrong() -> None:
    with refused_port() as port, ScriptedGateway(
        answering(lambda handler, request: handler.answer(403, {"detail": "no"}), CHAT_ROUTE)
    ) as gateway:
        rows = [
            (["a"], 2, "from standard input"),
            (["-z"], 2, "usage: chat"),
            (["-t", "warm"], 2, "TEMPERATURE is not a number"),
            (["-m", "1.5"], 2, "MAX_TOKENS is not an integer"),
            ([], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://127.0.0.1:{port}"], 3, "cannot connect"),
            (["-u", gateway.url], 4, "HTTP status 403"),
        ]
        for arguments, code, words in rows:
            status, answer, said = chat(*arguments, input="hi\n")
            assert (status, answer) == (code, ""), (arguments, said)
            assert words in said, (arguments, said)
    for option in ("-h", "--help"):
        status, answer, said = chat(option, input="")
        assert (status, said) == (0, "") and "exit status:" in answer


def test_with_real_gateways(real_gateway: RealGateway) -> None:
    code, answers, said = chat("-u", real_gateway.url, "-v", input="one\n!break 3\ntwo\n")
    if real_gateway.version == "2.8.1":
        assert (code, answers) == (4, "") and said.count("cannot stream") == 3, said
        return
    assert (code, answers) == (5, "echo: one\necho: !break\necho: two\n"), said
    first, broken, last = said.splitlines()
    counted = real_gateway.version != "2.22.5"  # it does not pass the tokens of a stream on
    assert first == ("tokens: input 1, output 2" if counted else "tokens: input not reported, output not reported")
    assert "stream" in broken
    assert [message["content"] for message in real_gateway.upstream.requests()[-1]["body"]["messages"]] == [
        "one",
        "echo: one",
        "two",
    ]


@pytest.mark.parametrize("version", ["2.22.5", "3.17.2"])
def test_ctrl_c_with_real_gateways(real_gateways: dict[str, RealGateway], version: str) -> None:
    real_gateway = real_gateways[version]
    with SHARED.start("chat.c", "-u", real_gateway.url, stdin=subprocess.PIPE) as program:
        program.stdin.write(b"!slow 50 " + b"word " * 1000 + b"\n")
        program.stdin.flush()
        begun = read_until(b"word", program, program.stdout.fileno())
        program.send_signal(signal.SIGINT)
        rest, said = program.communicate(b"next\n")
    assert (program.returncode, said) == (0, b""), said
    stopped, answer = (begun + rest).decode().splitlines()
    assert stopped.count("word") < 1000 and answer == "echo: next"
    assert real_gateway.upstream.requests()[-1]["body"]["messages"][1]["content"] == stopped
