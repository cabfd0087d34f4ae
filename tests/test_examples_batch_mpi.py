"""The example batch_mpi: the lines of a file on many ranks, hosts, and lost ranks."""

import collections
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from gateways.install import GATEWAYS
from support.builds import MAX_SECONDS, ROOT
from support.mpi import Mpi, environment, namespaces, pid_of_rank
from support.scripted_gateway import Handler, Request, ScriptedGateway, echo, one_route, refused_port
from support.scripted_model import post_requests

DEBIAN = Mpi("mpi")
CHECKED = Mpi("mpi-sanitizers", flags=["-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
ULFM = Mpi("mpi-ulfm", f"{GATEWAYS}/openmpi/bin/", ["--with-ft", "ulfm"])

RANKS = 4
COUNT = 300


def prompts(count: int = COUNT) -> str:
    return "".join(json.dumps({"id": number, "prompt": f"prompt {number}"}) + "\n" for number in range(count))


def expected(count: int = COUNT) -> list[tuple[int, str]]:
    return [(number, f"echo: prompt {number}") for number in range(count)]


def results(output: Path) -> list[tuple[int, str]]:
    return [(result["id"], result["text"]) for result in map(json.loads, output.read_text().splitlines())]


def sent(gateway: ScriptedGateway) -> collections.Counter[str]:
    return collections.Counter(request.json()["prompt"] for request in post_requests(gateway))


class Interrupted:
    """A script that stops in the middle of the work, until a rank was killed."""

    def __init__(self) -> None:
        self.count = itertools.count()
        self.is_in_the_middle = threading.Event()
        self.was_killed = threading.Event()

    def __call__(self, handler: Handler, request: Request) -> None:
        if next(self.count) >= COUNT // 2:
            self.is_in_the_middle.set()
            self.was_killed.wait(MAX_SECONDS)
        echo(handler, request)

    def kill(self, process: subprocess.Popen[str], rank: int) -> None:
        assert self.is_in_the_middle.wait(MAX_SECONDS)
        os.kill(pid_of_rank(process.pid, rank), signal.SIGKILL)
        self.was_killed.set()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The input, with COUNT prompts, and the path of the output."""
    source = tmp_path / "in.jsonl"
    source.write_text(prompts())
    return source, tmp_path / "out.jsonl"


@pytest.mark.parametrize("mpi", [DEBIAN, CHECKED], ids=lambda mpi: mpi.name)
def test_ranks_send_every_line_once_and_merge_the_results_in_the_order_of_the_input(
    mpi: Mpi, files: tuple[Path, Path]
) -> None:
    """Nothing is answered before each of the 3 workers has 2 requests in flight."""
    source, output = files
    barrier = threading.Barrier(6)
    count = itertools.count()

    def respond(handler: Handler, request: Request) -> None:
        if next(count) < 6:
            barrier.wait(MAX_SECONDS)
        if request.json()["prompt"] == "prompt 7":
            handler.respond(400, {"detail": "not this"})
        else:
            echo(handler, request)

    body = {"prompt": "in a batch file"}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": body}
    with source.open("a") as file:
        file.write(f'{json.dumps(line)}\n{{"id": 5, "prompt": "again"}}\n\nnot JSON')
    with ScriptedGateway(one_route(respond)) as gateway:
        arguments = ("-u", gateway.url, "-r", "r", "--in-flight", "2", "--output", output, source)
        done = mpi.run(RANKS, *arguments)
        assert done.returncode == 7, done.stderr
        assert f"requests    {COUNT + 1}: {COUNT} OK, 1 BAD_REQUEST\ninvalid     2 lines, not sent\n" in done.stderr
        assert f"line {COUNT + 2}: the id 5 is that of line 6, too\n" in done.stderr
        assert sent(gateway) == {body["prompt"]: 1, **{f"prompt {number}": 1 for number in range(COUNT)}}
    *lines, last = map(json.loads, output.read_text().splitlines())
    assert [line["id"] for line in lines] == list(range(COUNT))
    assert [line["id"] for line in lines if line["error"]] == [7]
    assert last["custom_id"] == "a" and last["response"]["body"]["choices"][0]["text"] == "echo: in a batch file"
    assert sorted(os.listdir(output.parent)) == ["in.jsonl", "out.jsonl"]


@pytest.mark.real
def test_lines_of_a_lost_rank_are_done_by_the_others(files: tuple[Path, Path]) -> None:
    source, output = files
    interrupted = Interrupted()
    with ScriptedGateway(one_route(interrupted)) as gateway:
        with ULFM.start(RANKS, "-u", gateway.url, "-o", output, source) as process:
            interrupted.kill(process, 2)
            _, errors = process.communicate(timeout=MAX_SECONDS)
        assert process.returncode == 0 and "rank 2 is lost; the others do its " in errors, errors
        assert set(sent(gateway)) == {f"prompt {number}" for number in range(COUNT)}
    assert results(output) == expected()


@pytest.mark.parametrize("rank", [0, 2])
def test_resume_continues_after_a_rank_was_killed(files: tuple[Path, Path], rank: int) -> None:
    """Also with another number of ranks."""
    source, output = files
    interrupted = Interrupted()
    with ScriptedGateway(one_route(interrupted)) as gateway:
        arguments = ("-u", gateway.url, "-o", output, source)
        with DEBIAN.start(RANKS, *arguments) as process:
            interrupted.kill(process, rank)
            _, errors = process.communicate(timeout=MAX_SECONDS)
        assert process.returncode != 0, errors
        refused = DEBIAN.run(RANKS, *arguments)
        assert refused.returncode == 2 and "continue it with --resume" in refused.stderr
        done = DEBIAN.run(3, *arguments, "--resume")
        assert done.returncode == 0 and "not sent again" in done.stderr, done.stderr
        assert results(output) == expected()
        assert len(os.listdir(output.parent)) == 2
        assert max(sent(gateway).values()) <= 2

        count = len(gateway.requests)
        again = DEBIAN.run(2, *arguments, "--resume")
        assert again.returncode == 0 and len(gateway.requests) == count and results(output) == expected()


@pytest.mark.parametrize("options", [(), ("-r", "r")], ids=["default", "route"])
def test_lines_of_standard_input_and_failed_ones_are_sent_when_resumed(tmp_path: Path, options: tuple[str, ...]) -> None:
    fails = [True]

    def respond(handler: Handler, request: Request) -> None:
        if fails[0] and request.json()["prompt"] in ("prompt 3", "prompt 4"):
            handler.respond(400, {"detail": "not now"})
        else:
            echo(handler, request)

    output = tmp_path / "out.jsonl"
    with ScriptedGateway(one_route(respond)) as gateway:
        arguments = ("-u", gateway.url, *options, "-o", output)
        done = DEBIAN.run(2, *arguments, input=prompts(10))
        assert done.returncode == 7 and "8 OK, 2 BAD_REQUEST" in done.stderr, done.stderr
        fails[0] = False
        done = DEBIAN.run(2, *arguments, "--resume", "-", input=prompts(12))
        assert done.returncode == 0 and "requests    4: 4 OK\nearlier     8" in done.stderr, done.stderr
    assert results(output) == expected(12)


def test_two_hosts_send_the_lines(files: tuple[Path, Path]) -> None:
    source, output = files
    mpirun = ["--mca", "plm_rsh_agent", "{agent}", "--host", "{hosts}", "--map-by", "node"]
    command = DEBIAN.command(RANKS, "-u", "{uri}", "-o", output, source, options=mpirun)
    hosts = [*namespaces(), sys.executable, str(ROOT / "tests/support/two_hosts.py")]
    done = subprocess.run(
        [*hosts, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=MAX_SECONDS,
        env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    by_host = json.loads(done.stdout)
    assert len(by_host) == 2 and sum(by_host.values()) == COUNT, by_host
    assert results(output) == expected()


def test_rates_are_those_of_all_ranks_together(tmp_path: Path) -> None:
    """Each of 2 workers sends 2 requests a second, and begins with one second's worth at most."""
    output = tmp_path / "out.jsonl"
    with ScriptedGateway(one_route(echo)) as gateway:
        arguments = ("-u", gateway.url, "-o", output, "--rate", "4", "--tokens-per-minute", "1000000")
        started = time.monotonic()
        done = DEBIAN.run(3, *arguments, input=prompts(10))
        assert done.returncode == 0 and results(output) == expected(10), done.stderr
        assert time.monotonic() - started > 1


def test_batch_mpi_reports_errors_once_and_with_its_exit_status(tmp_path: Path) -> None:
    with refused_port() as port:
        output = ("-u", f"http://127.0.0.1:{port}", "-o", tmp_path / "out.jsonl")
        rows = [
            (1, ["-z"], 2, "invalid option -- 'z'"),
            (1, [], 2, "no output given"),
            (1, [*output, "a", "b"], 2, "more than one input file"),
            (1, [*output, "--timeout", "x"], 2, "SECONDS is not a positive number"),
            (1, output, 2, "needs at least 2 ranks"),
            (3, ["-o", tmp_path / "out.jsonl"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (3, [*output, tmp_path / "none"], 2, "No such file"),
            (3, [*output[:2], "-o", tmp_path / "no/out"], 1, "No such file"),
            (3, [*output, tmp_path], 6, "cannot read the input: Is a directory"),
        ]
        for ranks, arguments, code, phrase in rows:
            done = DEBIAN.run(ranks, *arguments)
            assert (done.returncode, done.stdout, done.stderr.count(phrase)) == (code, "", 1), (arguments, done.stderr)
        failed = DEBIAN.run(2, *output, input=prompts(2))
        assert failed.returncode == 7 and "2 CONNECT_FAILED" in failed.stderr
    done = DEBIAN.run(1, "--help")
    assert done.returncode == 0 and done.stdout.count("usage: mpirun") == 1
