"""The example batch after a kill, a signal, a full disk: each id is in the output once."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.builds import ALL, CHECKED, SHARED, Build
from support.program_output import read_until
from support.scripted_gateway import Handler, Request, ScriptedGateway, echo, one_route
from support.scripted_model import post_requests

KILLS = 20
LINES = 1000
MEMORY_LINES = 200_000
MOST_MEMORY = 30_000_000
LONG = "x" * 100


def prompts(count: int) -> str:
    return "".join(f'{{"id": "p{number}", "prompt": "{number}"}}\n' for number in range(count))


def ids(output: Path) -> list[str]:
    """Returns the ids of the whole lines, all of which must be valid."""
    return [json.loads(line)["id"] for line in output.read_text().split("\n")[:-1]]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The input and the output."""
    return tmp_path / "in", tmp_path / "out"


def resume(gateway: ScriptedGateway, files: tuple[Path, Path], build: Build = SHARED) -> tuple[int, str]:
    done = build.run("batch.c", "-u", gateway.url, "-o", str(files[1]), "--resume", "--timeout", "20", str(files[0]))
    return done.returncode, done.stderr


@contextlib.contextmanager
def started(
    gateway: ScriptedGateway, files: tuple[Path, Path], *arguments: str, build: Build = SHARED
) -> Iterator[subprocess.Popen[bytes]]:
    command = ["-u", gateway.url, "-o", str(files[1]), *arguments, str(files[0])]
    with build.start("batch.c", *command) as program:
        yield program


def wait_for_lines(program: subprocess.Popen[bytes], output: Path, count: int) -> None:
    while program.poll() is None and (not output.exists() or output.read_bytes().count(b"\n") < count):
        time.sleep(0.001)


@pytest.mark.parametrize("seed", range(2))
def test_each_id_is_in_the_output_once_after_twenty_kills(files: tuple[Path, Path], seed: int) -> None:
    moments = random.Random(seed)

    def sometimes_fail(handler: Handler, request: Request) -> None:
        time.sleep(0.002)
        if moments.random() < 0.1:
            handler.respond(400, {"detail": "not now"})
        else:
            echo(handler, request)

    files[0].write_text(prompts(LINES))
    killed = 0
    with ScriptedGateway(one_route(sometimes_fail)) as gateway:
        for kill in range(KILLS):
            before = files[1].read_bytes().count(b"\n") if files[1].exists() else 0
            with started(gateway, files, "--resume") as program:
                if kill % 4 == 0:
                    time.sleep(moments.random() * 0.03)  # perhaps while it reads the output
                else:
                    wait_for_lines(program, files[1], before + moments.randrange(LINES // KILLS))
                    time.sleep(moments.random() * 0.005)
                program.kill()
                killed += program.wait() == -signal.SIGKILL
            if files[1].exists():
                found = ids(files[1])
                assert len(found) == len(set(found))
                if kill % 5 == 4:  # as if the disk had been full, or the machine had failed
                    os.truncate(files[1], files[1].stat().st_size - moments.randrange(50))
        for _ in range(KILLS):
            code, _ = resume(gateway, files)
            assert len(ids(files[1])) == LINES
            if code == 0:
                break
    assert killed >= KILLS // 2
    assert sorted(ids(files[1])) == sorted(f"p{number}" for number in range(LINES))
    assert all(json.loads(line)["text"] == f"echo: {json.loads(line)['id'][1:]}" for line in files[1].open())
    assert not files[1].with_name("out.new").exists()


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_resume_sends_what_is_missing_or_failed(files: tuple[Path, Path], build: Build) -> None:
    kept = '{"id": "batch_req_1", "custom_id": "a", "response": {"body": {"id": 3}}, "error": null}\n'
    more = '{"id": 2, "text": "two", "finish_reason": null, "error": null}\n'
    files[0].write_text(
        '{"custom_id": "a", "method": "POST", "url": "/a", "body": {}}\n'
        + "".join(f'{{"id": {number}, "prompt": "{number}"}}\n' for number in (1, 2, 3, 4))
        + '{"id": 2, "prompt": "again"}\n'
    )
    files[1].write_text(
        '{"id": 1, "text": null, "error": {"code": "TIMEOUT", "message": "late"}}\n'
        + kept + more + more
        + '{"id": 9, "text": null, "error": {"code": "TIMEOUT", "message": "not in the input any more"}}\n'
        + '{"id": 3, "text": "torn", "finish_reason": null, "error": null}'
    )  # fmt: skip
    files[1].chmod(0o640)
    with ScriptedGateway(one_route(echo)) as gateway:
        code, errors = resume(gateway, files, build)
        assert code == 7 and "batch: line 6: the id 2 is that of line 3, too\n" in errors
        assert "requests    3: 3 OK\nearlier     2, not sent again\n" in errors
        assert sorted(request.json()["prompt"] for request in post_requests(gateway)) == ["1", "3", "4"]
        text = files[1].read_text()
        assert text.startswith(kept + more)
        assert sorted(map(str, ids(files[1]))) == ["1", "2", "3", "4", "batch_req_1"]
        assert files[1].stat().st_mode & 0o777 == 0o640
        before = files[1].stat().st_ino
        assert resume(gateway, files, build)[0] == 7
        assert files[1].read_text() == text and files[1].stat().st_ino == before, "nothing had to be removed"


def test_file_that_is_no_output_stays_as_it_is(files: tuple[Path, Path]) -> None:
    files[0].write_text(prompts(1))
    with ScriptedGateway(one_route(echo)) as gateway:
        for text in ("a,b\n", '{"id": 1, "prompt": "p"}\n', '{"text": "x", "error": null}\n', "\0\0\n"):
            files[1].write_text('{"id": 1, "text": "x", "error": null}\n' + text)
            message = f"batch: {files[1]}, line 2: not a result of batch; choose another output\n"
            assert resume(gateway, files) == (2, message)
            assert files[1].read_text().endswith(text)
        done = SHARED.run("batch.c", "-u", gateway.url, "-o", str(files[1]), str(files[0]))
        assert (done.returncode, done.stderr) == (
            2,
            f"batch: {files[1]} exists; continue it with --resume, or choose another output\n",
        )
        assert gateway.requests == []


def test_two_runs_do_not_write_to_the_same_file(files: tuple[Path, Path]) -> None:
    files[0].write_text(prompts(2))
    files[1].write_text('{"id": "torn')
    with ScriptedGateway(one_route(lambda handler, request: handler.stall())) as gateway:
        with started(gateway, files, "--resume"):
            while len(post_requests(gateway)) < 2:
                time.sleep(0.01)
            assert resume(gateway, files) == (1, f"batch: another run writes to {files[1]}\n")


class Held:
    """Responds to each request when it is released."""

    def __init__(self) -> None:
        self.is_released = False

    def __call__(self, handler: Handler, request: Request) -> None:
        while not self.is_released:
            time.sleep(0.005)
        echo(handler, request)


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_finishes_the_requests_in_flight(files: tuple[Path, Path], number: int, build: Build) -> None:
    files[0].write_text(prompts(100))
    held = Held()
    with ScriptedGateway(one_route(held)) as gateway:
        with started(gateway, files, "--in-flight", "3", build=build) as program:
            while len(post_requests(gateway)) < 3:
                time.sleep(0.005)
            program.send_signal(number)
            message = b"batch: waiting for 3 requests in flight; interrupt again to end at once\n"
            read_until(message, program, program.stderr.fileno())
            held.is_released = True
            _, errors = program.communicate()
        assert program.returncode == 128 + number, errors
        assert re.search(rb": 3 OK, \d+ CANCELLED\n", errors), errors
        assert sorted(ids(files[1])) == ["p0", "p1", "p2"]
        assert len(post_requests(gateway)) == 3
        assert resume(gateway, files)[0] == 0
        assert sorted(ids(files[1])) == sorted(f"p{number}" for number in range(100))


def test_second_signal_ends_the_run_at_once(files: tuple[Path, Path]) -> None:
    files[0].write_text(prompts(100))
    with ScriptedGateway(one_route(lambda handler, request: handler.stall())) as gateway:
        with started(gateway, files) as program:
            while not post_requests(gateway):
                time.sleep(0.005)
            program.send_signal(signal.SIGINT)
            read_until(b"interrupt again to end at once\n", program, program.stderr.fileno())
            program.send_signal(signal.SIGINT)
            assert program.wait(10) == 130
        assert files[1].read_text() == ""


def test_signal_stops_reading_a_pipe(tmp_path: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        with SHARED.start("batch.c", "-u", gateway.url, stdin=subprocess.PIPE) as program:
            program.stdin.write(b'{"prompt": "a"}\n')
            program.stdin.flush()
            program.stdout.readline()
            program.send_signal(signal.SIGINT)
            program.stdout.read()
            assert program.wait(10) == 130


def test_memory_is_modest_for_many_lines(files: tuple[Path, Path]) -> None:
    """The ids of the whole output and of the whole input are remembered, and nothing else."""
    with files[1].open("w") as results:
        for number in range(MEMORY_LINES):
            results.write(f'{{"id": "request-{number}", "text": "{LONG}", "finish_reason": null, "error": null}}\n')
    arguments = ["-u", "http://127.0.0.1:1", "-o", str(files[1]), "--resume"]
    with SHARED.start("batch.c", *arguments, stdin=subprocess.PIPE) as program:
        for number in range(MEMORY_LINES):
            program.stdin.write(f'{{"id": "request-{number}", "prompt": "{LONG}"}}\n'.encode())
        program.stdin.flush()
        status = Path(f"/proc/{program.pid}/status").read_text()
        _, errors = program.communicate()
    assert program.returncode == 0 and f"earlier     {MEMORY_LINES}, not sent again" in errors.decode()
    most = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
    assert most < MOST_MEMORY, most
