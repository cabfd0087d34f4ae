"""The example batch: the formats of its lines, its options, its messages, and its summary."""

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import scripted_responses
from gateways.install import install
from gateways.processes import Server
from support.builds import ADDRESS, ALL, ROOT, SHARED, UNDEFINED, Build, clean_environment
from support.operations import perform
from support.program_output import read_until
from support.real_gateways import RealGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    NOT_FOUND,
    Handler,
    Request,
    ScriptedGateway,
    echo,
    one_route,
    refused_port,
)
from support.scripted_model import post_requests
from support.timing import three_attempts

OPENAI_BATCH = """\
{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "meta-llama/Meta-Llama-3-8B-Instruct", "messages": [{"role": "system", "content": "You are a helpful assistant."},{"role": "user", "content": "Hello world!"}],"max_completion_tokens": 1000}}
{"custom_id": "request-2", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "meta-llama/Meta-Llama-3-8B-Instruct", "messages": [{"role": "system", "content": "You are an unhelpful assistant."},{"role": "user", "content": "Hello world!"}],"max_completion_tokens": 1000}}
"""  # noqa: E501
"""The example of the documentation of vLLM's run-batch."""
EMBEDDINGS_LINE = (
    '{"custom_id": "request-3", "method": "POST", "url": "/v1/embeddings",'
    ' "body": {"model": "embeddings", "input": "You are a helpful assistant."}}\n'
)

FEW = pytest.mark.parametrize("build", (SHARED, UNDEFINED, ADDRESS), ids=lambda build: build.name)
"""The builds that check the program. Some tests use all builds, which also check its use of the queue."""


def batch(*arguments: str, input: str = "", build: Build = SHARED) -> tuple[int, list[dict], str]:
    """Returns the exit status, the output by line, and the messages with the summary."""
    done = build.run("batch.c", *arguments, input=input)
    return done.returncode, [json.loads(line) for line in done.stdout.split("\n")[:-1]], done.stderr


def by_id(results: list[dict]) -> dict[object, dict]:
    """Returns the results by their ids, each of which must be there once."""
    found = {result.get("custom_id", result["id"]): result for result in results}
    assert len(found) == len(results)
    return found


def prompts(count: int, text: str = "p") -> str:
    return "".join(f'{{"id": {number}, "prompt": "{text} {number}"}}\n' for number in range(count))


def line(custom_id: str, url: str = "/v1/chat/completions", **body: object) -> str:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body}) + "\n"


def chat_line(custom_id: str, content: str, **fields: object) -> str:
    return line(custom_id, messages=[{"role": "user", "content": content}], **fields)


def respond_x(handler: Handler, request: Request) -> None:
    handler.respond(200, {"choices": [{"text": "x"}]})


def openai_server(handler: Handler, request: Request) -> None:
    """Responds as an OpenAI-compatible server to chat completions below /v1."""
    if request.method != "POST" or request.path != "/v1/chat/completions":
        handler.respond(404, NOT_FOUND)
        return
    response = scripted_responses.response(scripted_responses.chat_request(request.json()))
    handler.respond(200, json.dumps(response, indent=2), {"X-Request-Id": "req-7"})


def read_with_openai(results: list[dict]) -> list[object]:
    """Returns what OpenAI's Python library reads from the bodies."""
    python = install("openai") / "bin" / "python"
    done = subprocess.run(
        [str(python), str(ROOT / "tests/gateways/openai_types.py")],
        input="".join(json.dumps(result) + "\n" for result in results), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return [json.loads(value) for value in done.stdout.splitlines()]


@FEW
@pytest.mark.parametrize("base", ["", "/v1", "/v1/"])
def test_bodies_of_an_openai_batch_file_are_sent_byte_for_byte(base: str, build: Build) -> None:
    with ScriptedGateway(openai_server) as gateway:
        code, results, errors = batch("-u", gateway.url + base, input=OPENAI_BATCH, build=build)
        assert code == 0 and "requests    2: 2 OK\n" in errors
        sent = {request.body.decode() for request in gateway.requests}
        assert sent == {text[text.index('"body": ') + 8 : -1] for text in OPENAI_BATCH.splitlines()}
        assert gateway.paths() == ["POST /v1/chat/completions"] * 2
    for custom_id, result in by_id(results).items():
        assert list(result) == ["id", "custom_id", "response", "error"]
        assert re.fullmatch(r"batch_req_[0-9a-f]{8}_\d", result["id"]) and result["error"] is None
        response = result["response"]
        assert list(response) == ["status_code", "request_id", "body"]
        assert (response["status_code"], response["request_id"]) == (200, "req-7")
        assert response["body"]["choices"][0]["message"]["content"] == "echo: Hello world!"
        assert custom_id in ("request-1", "request-2")
    assert len({result["id"] for result in results}) == 2


@FEW
def test_prompts_and_their_ids(build: Build) -> None:
    lines = [
        {"id": "a", "prompt": "one"},
        {"id": 7, "prompt": "tw\0o\u2028 é\n"},
        {"prompt": "three"},
        {"id": "7", "prompt": ""},
        {"id": 1.5, "prompt": "five", "unknown": []},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines[:3]) + "\n \t\r\n" + json.dumps(lines[3]) + "\r\n"
    with ScriptedGateway(one_route(echo)) as gateway:
        code, results, errors = batch("-u", gateway.url, "-r", "r", "-", input=text + json.dumps(lines[4]), build=build)
        assert (code, "5: 5 OK" in errors) == (0, True), errors
    found = by_id(results)
    assert {key: result["text"] for key, result in found.items()} == {
        "a": "echo: one",
        7: "echo: tw\0o\u2028 é\n",
        3: "echo: three",
        "7": "echo: ",
        1.5: "echo: five",
    }
    assert found["a"] == {"id": "a", "text": "echo: one", "finish_reason": None, "error": None}


def test_parameters_apply_to_prompts_and_not_to_bodies() -> None:
    with ScriptedGateway(one_route(respond_x)) as gateway:
        params = ["--param", "temperature=0.5", "--param", "stop=[\"a=b\"]", "--param", "user=me", "--param", "empty="]
        lines = '{"prompt": "p"}\n' + line("a", "/v1/any", x=1)
        assert batch("-u", gateway.url, *params, input=lines)[0] == 0
        bodies = [request.json() for request in post_requests(gateway)]
    assert {"prompt": "p", "temperature": 0.5, "stop": ["a=b"], "user": "me", "empty": ""} in bodies
    assert {"x": 1} in bodies


@FEW
def test_route_receives_the_bodies_without_their_model(build: Build) -> None:
    bodies = [
        ('{"model": "m", "prompt": "a"}', '{"prompt": "a"}'),
        ('{ "x" : {"model": [1, {"model": 2}]} ,\t"model" : {"a": "}\\"],"} , "prompt":"b\\\\"}',
         '{"x" : {"model": [1, {"model": 2}]} ,"prompt":"b\\\\"}'),
        ('{"prompt": "c", "models": 1, "model":null}', '{"prompt": "c","models": 1}'),
        ('{"model": "only"}', "{}"),
    ]  # fmt: skip
    text = "".join(
        f'{{"custom_id": "{number}", "method": "POST", "url": "/v1/completions", "body": {body}}}\n'
        for number, (body, _) in enumerate(bodies)
    )
    with ScriptedGateway(one_route(respond_x)) as gateway:
        code, results, errors = batch("-u", gateway.url, "--route", "r", input=text, build=build)
        assert code == 0 and len(results) == 4, errors
        requests = post_requests(gateway)
        assert {request.path for request in requests} == {"/endpoints/r/invocations"}
        arrived = {json.dumps(request.json()) for request in requests}
        assert arrived == {json.dumps(json.loads(sent)) for _, sent in bodies}


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_failed_requests_are_lines_and_do_not_end_the_run(build: Build) -> None:
    def respond(handler: Handler, request: Request) -> None:
        text = json.dumps(request.json())
        if "lost" in text:
            handler.reset()
        elif "html" in text:
            handler.respond(503, "<html>\n\"busy\"</html>")
        elif "bytes" in text:
            handler.respond(200, b"\xff\n")
        elif "refused" in text:
            handler.respond(400, {"detail": "no"})
        elif "tools" in text:
            handler.respond(200, {"choices": [{"message": {"content": None}, "finish_reason": "length"}]})
        else:
            handler.respond(200, {"choices": [{"message": {"content": "fine"}}]})

    names = ("lost", "html", "bytes", "refused", "fine")
    text = "".join(line(name, "/any", x=name) for name in names)
    text += "".join(f'{{"id": "p-{name}", "prompt": "{name}"}}\n' for name in ("lost", "refused", "tools", "fine"))
    with ScriptedGateway(one_route(respond, CHAT_ROUTE)) as gateway:
        code, results, errors = batch("-u", gateway.url, "--retries", "0", input=text, build=build)
    assert code == 7
    found = by_id(results)
    assert set(found) == {*names, "p-lost", "p-refused", "p-tools", "p-fine"}
    assert found["lost"]["response"] is None and found["lost"]["error"]["code"] == "CONNECTION_LOST"
    assert found["html"]["response"] == {
        "status_code": 503, "request_id": found["html"]["id"], "body": '<html>\n"busy"</html>'
    }  # fmt: skip
    assert found["html"]["error"]["code"] == "SERVER_ERROR"
    assert (found["bytes"]["response"]["body"], found["bytes"]["error"]) == (None, None), "it is not UTF-8"
    assert found["refused"]["response"]["body"] == {"detail": "no"}
    assert found["refused"]["error"]["code"] == "BAD_REQUEST"
    assert "HTTP status 400: no" in found["refused"]["error"]["message"]
    assert found["fine"]["error"] is None
    assert found["p-lost"]["text"] is None and found["p-lost"]["error"]["code"] == "CONNECTION_LOST"
    assert found["p-refused"]["error"]["code"] == "BAD_REQUEST"
    assert (found["p-tools"]["error"]["code"], found["p-tools"]["finish_reason"]) == ("NO_TEXT", "length")
    assert found["p-fine"]["text"] == "fine"
    assert "requests    9: 3 OK, 2 CONNECTION_LOST, 2 BAD_REQUEST, 1 SERVER_ERROR, 1 NO_TEXT\n" in errors


@FEW
def test_invalid_lines_are_reported_with_their_numbers(build: Build) -> None:
    rows = [
        ("nonsense", "it is not JSON: "),
        ('{"prompt": "a"', "it is not JSON: "),
        ("[]", 'it has neither "custom_id" nor "prompt"'),
        ('{"id": 1}', 'it has neither "custom_id" nor "prompt"'),
        ('{"prompt": 1}', '"prompt" must be a string'),
        ('{"id": null, "prompt": "a"}', '"id" must be a string or a number'),
        ('{"custom_id": 1, "method": "POST", "url": "/a", "body": {}}', '"custom_id" must be a string'),
        ('{"method": "POST", "url": "/a", "body": {}}', '"custom_id" must be a string'),
        ('{"custom_id": "a", "url": "/a", "body": {}}', '"method" and "url" must be strings, and "body" an object'),
        ('{"custom_id": "a", "method": "POST", "url": "/a", "body": []}', '"body" an object'),
        ('{"custom_id": "a", "method": "POST", "url": "a", "body": {}}', "does not begin with"),
        ('{"custom_id": "a", "method": "PO ST", "url": "/a", "body": {}}', "a method is made of"),
        ('{"custom_id": "a", "method": "POST", "url": "/a", "body": {"stream": true}}', 'remove "stream"'),
        ('{"id": 5, "prompt": "fine"}', None),
        ('{"id": 5, "prompt": "again"}', "the id 5 is that of line 14, too"),
        ('{"custom_id": "\\u0061", "method": "POST", "url": "/v1/x", "body": {"x": 1}}', None),
        ('{"id": "a", "prompt": "again"}', 'the id "a" is that of line 16, too'),
    ]
    with ScriptedGateway(one_route(respond_x)) as gateway:
        text = "".join(line + "\n" for line, _ in rows)
        code, results, errors = batch("-u", gateway.url, input=text, build=build)
    assert code == 7 and set(by_id(results)) == {5, "a"}
    reported = dict(re.findall(r"^batch: line (\d+): (.*)$", errors, re.M))
    for number, (_, phrase) in enumerate(rows, 1):
        assert phrase is None or phrase in reported.pop(str(number)), (number, errors)
    assert reported == {} and "\ninvalid     15 lines, not sent\n" in errors


def test_line_of_invalid_utf_8_is_reported(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b'{"prompt": "\xff"}\n{"prompt": "fine"}\n')
    with ScriptedGateway(one_route(echo)) as gateway:
        code, results, errors = batch("-u", gateway.url, str(tmp_path / "in"))
    assert (code, [result["text"] for result in results]) == (7, ["echo: fine"]) and "line 1: it " in errors


def test_shards_have_every_line_once(tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text(prompts(10) + "\n" + '{"prompt": "p"}\n')
    with ScriptedGateway(one_route(echo)) as gateway:
        shards = []
        for shard in range(3):
            code, results, _ = batch("-u", gateway.url, "--shard", f"{shard}/3", str(file))
            assert code == 0
            shards.append(sorted(by_id(results)))
        assert shards == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8, 12]], "an id by default is that of the whole file"
        assert len(batch("-u", gateway.url, "--shard", "0/1", str(file))[1]) == 11
        assert batch("-u", gateway.url, "--shard", "99/100", str(file))[:2] == (0, [])
    for wrong in ("3/3", "1", "-1/3", "1/0", "1/3x", "/3", "1/", "a/b"):
        code, results, errors = batch("-u", "http://127.0.0.1:1", "--shard", wrong)
        assert (code, results) == (2, []) and "with I from 0 to N-1" in errors, wrong


def test_lines_are_sent_when_they_arrive_on_standard_input() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        with SHARED.start("batch.c", "-u", gateway.url, stdin=subprocess.PIPE) as program:
            for number in range(3):
                program.stdin.write(f'{{"prompt": "{number}"}}\n{{"prom'.encode())
                program.stdin.flush()
                answer = json.loads(read_until(b"\n", program, program.stdout.fileno()))
                assert answer["text"] == f"echo: {number}"
                program.stdin.write(f'pt": "half {number}"}}\n'.encode())
                program.stdin.flush()
                assert json.loads(read_until(b"\n", program, program.stdout.fileno()))["text"] == f"echo: half {number}"
            output, errors = program.communicate()
        assert (program.returncode, output) == (0, b"") and b"6: 6 OK" in errors


class Counting:
    """Responds slowly, and counts how many requests there are at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = self.most = 0

    def __call__(self, handler: Handler, request: Request) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05)
        with self._lock:
            self._now -= 1
        echo(handler, request)


def test_in_flight_limits_the_requests_at_once() -> None:
    for in_flight, most in (("3", 3), ("auto", 4096)):
        counting = Counting()
        with ScriptedGateway(one_route(counting)) as gateway:
            code, results, _ = batch("-u", gateway.url, "--in-flight", in_flight, input=prompts(30))
        assert (code, len(results)) == (0, 30)
        assert 2 <= counting.most <= most


def test_rate_limits_the_requests_per_second() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        started = time.monotonic()
        code, results, errors = batch("-u", gateway.url, "--rate", "20", input=prompts(41))
        assert (code, len(results)) == (0, 41)
        assert time.monotonic() - started > 0.9


def test_more_lines_than_the_queue_holds_are_read_as_they_are_sent() -> None:
    """The program must wait for room in the queue, and not read the whole input."""
    with ScriptedGateway(one_route(lambda handler, request: handler.stall())) as gateway:
        with SHARED.start("batch.c", "-u", gateway.url, "--in-flight", "2", stdin=subprocess.PIPE) as program:
            os.set_blocking(program.stdin.fileno(), False)
            text = json.dumps({"prompt": "x" * 4000}).encode() + b"\n"
            written = idle = 0
            while idle < 10:
                try:
                    written += os.write(program.stdin.fileno(), text)
                    idle = 0
                except BlockingIOError:
                    idle += 1
                    time.sleep(0.05)
                assert written < 5_000_000
            assert written > 250 * 4000
    assert len(post_requests(gateway)) <= 2


def test_timeout_and_retries_apply_to_each_request() -> None:
    with ScriptedGateway(one_route(lambda handler, request: handler.stall())) as gateway:
        code, results, errors = batch("-u", gateway.url, "--timeout", "0.2", input=prompts(2))
        assert code == 7 and [result["error"]["code"] for result in results] == ["TIMEOUT", "TIMEOUT"]
        assert "200 ms" in results[0]["error"]["message"]
    flaky = iter([503, 503, 200])
    with ScriptedGateway(
        one_route(lambda handler, request: handler.respond(next(flaky), {"choices": [{"text": "x"}]}))
    ) as gateway:
        code, results, errors = batch("-u", gateway.url, "--retries", "2", input=prompts(1))
        assert (code, results[0]["text"]) == (0, "x") and "\nretries     2\n" in errors


def test_summary_has_percentiles_and_tokens() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}

    def respond(handler: Handler, request: Request) -> None:
        if request.json()["prompt"] == "p 0":
            time.sleep(0.4)
        handler.respond(200, {"choices": [{"text": "x"}], "usage": usage})

    with ScriptedGateway(one_route(respond)) as gateway:
        code, _, errors = batch("-u", gateway.url, input=prompts(20))
    assert code == 0
    assert re.search(r"^latency     p50 [\d.]+ ms, p95 [\d.]+ ms, p99 [4-9]\d\d ms, max [4-9]\d\d ms$", errors, re.M)
    assert "\ntokens      60 input, 100 output\n" in errors
    assert re.search(r"^rate        [\d.]+ requests/s, [\d.]+ output tokens/s, in [\d.]+ s$", errors, re.M)
    assert "first token" not in errors and "retries" not in errors and "invalid" not in errors


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_streams_give_the_same_results_and_the_time_to_the_first_token(build: Build) -> None:
    def stream(handler: Handler, request: Request) -> None:
        body = request.json()
        if not body.get("stream"):
            openai_server(handler, request._replace(path="/v1/chat/completions"))
            return
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for word in [*body["prompt"].split(), None]:
            choice = {"text": word or "", "finish_reason": None if word else "stop"}
            handler.raw(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())

    with ScriptedGateway(one_route(stream)) as gateway:
        text = '{"id": 1, "prompt": "a b c"}\n' + chat_line("body", "whole")
        code, results, errors = batch("-u", gateway.url, "--stream", input=text, build=build)
    assert code == 0, errors
    found = by_id(results)
    assert found[1] == {"id": 1, "text": "abc", "finish_reason": "stop", "error": None}
    assert found["body"]["response"]["body"]["choices"][0]["message"]["content"] == "echo: whole"
    assert re.search(r"^first token p50 .*, p95 .*, p99 .*, max [\d.]+ m?s$", errors, re.M), errors


def test_histogram_is_an_svg_image_of_all_latencies(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    with ScriptedGateway(one_route(echo)) as gateway:
        for count in (150, 1, 0):
            code, _, errors = batch("-u", gateway.url, "--plot", str(plot), input=prompts(count))
            assert code == 0, errors
            image = ElementTree.parse(plot).getroot()
            name = "{http://www.w3.org/2000/svg}"
            assert image.tag == f"{name}svg" and image.findtext(f"{name}title") == f"Latencies of {count} requests"
            bars = [bar.findtext(f"{name}title") for bar in image.iter(f"{name}rect") if bar.get("class") != "page"]
            assert sum(int(bar.rsplit(" ", 1)[1]) for bar in bars) == count
            texts = [element.text for element in image.iter(f"{name}text")]
            assert {"latency (ms)", "requests"} <= set(texts)
            assert {text.split()[0] for text in texts if text.startswith("p")} == {"p50", "p95", "p99"}
            style = image.findtext(f"{name}style")
            assert "prefers-color-scheme: dark" in style
        assert "href" not in plot.read_text()
        code, _, errors = batch("-u", gateway.url, "--plot", "/dev/full", input=prompts(1))
        assert code == 1 and "cannot write to /dev/full: No space left on device" in errors


@pytest.mark.parametrize("arguments", [[], ["-o", "/dev/full"]], ids=["standard output", "file"])
def test_full_disk_ends_the_run(arguments: list[str]) -> None:
    with ScriptedGateway(one_route(echo)) as gateway, open("/dev/full", "w") as full:
        program = SHARED.compile("batch.c")
        done = subprocess.run(
            [str(program), "-u", gateway.url, *arguments], input=prompts(2000), stdout=full, stderr=subprocess.PIPE,
            text=True, env=clean_environment(),
        )  # fmt: skip
        assert done.returncode == 1 and "No space left on device" in done.stderr
        assert len(post_requests(gateway)) < 1000


@contextlib.contextmanager
def terminal(width: int) -> Iterator[tuple[int, int]]:
    """Yields both ends of a terminal."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    try:
        yield near, far
    finally:
        os.close(near)


@pytest.mark.parametrize("width", [30, 80, 250])
def test_progress_bar_fits_the_terminal(width: int, tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text(prompts(60) + "nonsense\n")

    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.05)
        echo(handler, request)

    with ScriptedGateway(one_route(slow)) as gateway, terminal(width) as (near, far):
        command = [str(SHARED.compile("batch.c")), "-u", gateway.url, "--in-flight", "2", str(file)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=far, env=clean_environment()) as program:
            os.close(far)
            seen = b""
            with contextlib.suppress(OSError):  # the end of a terminal
                while more := os.read(near, 4096):
                    seen += more
        assert program.returncode == 7
    bars = [text for text in seen.decode().split("\r") if text.endswith("\033[K") and "%" in text]
    shown = [text.removesuffix("\033[K") for text in bars]
    assert 3 <= len(shown) <= 25, "about 1.5 seconds, and at most 10 times a second"
    assert all(len(text) < width for text in shown)
    numbers = [int(re.search(r"(\d+)/61", text)[1]) for text in shown]
    assert numbers == sorted(numbers) and 0 < numbers[0] < numbers[-1]
    if width >= 80:
        assert re.fullmatch(r"\[#+-*\] +\d+% \d+/61, 0:0\d left, [\d.]+/s, 0 tokens/s", shown[-1]), shown[-1]
    rest = seen.decode().rsplit("\033[K", 1)[1]
    assert rest.startswith("requests    60: 60 OK"), "the bar is removed before the summary"
    assert "\r\033[Kbatch: line 61: " in seen.decode() or seen.startswith(b"batch: line 61: ")


def test_progress_is_a_line_now_and_then_elsewhere() -> None:
    """The number of lines of a pipe is not known."""
    with ScriptedGateway(one_route(echo)) as gateway:
        with SHARED.start("batch.c", "-u", gateway.url, stdin=subprocess.PIPE) as program:
            program.stdin.write(prompts(3).encode())
            program.stdin.flush()
            errors = read_until(b"\n", program, program.stderr.fileno())
            assert re.fullmatch(rb"batch: 3 done, [\d.]+/s, 0 tokens/s\n", errors), errors


def test_errors_of_usage_send_nothing() -> None:
    with refused_port() as port:
        refused = f"http://127.0.0.1:{port}"
        rows = [
            (["-z"], 2, "usage: batch"),
            (["a", "b"], 2, "more than one input file"),
            (["-u", refused, "/none"], 2, "cannot open /none: No such file or directory"),
            ([], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", "127.0.0.1"], 2, "no scheme"),
            (["-u", refused, "--resume"], 2, "--resume needs --output"),
            (["-u", refused, "--in-flight", "0"], 2, "max_in_flight"),
            (["-u", refused, "--in-flight", "many"], 2, "max_in_flight"),
            (["-u", refused, "--rate", "fast"], 2, "requests_per_second"),
            (["-u", refused, "--tokens-per-minute", "-1"], 2, "tokens_per_minute"),
            (["-u", refused, "--retries", "99"], 2, "max_retries"),
            (["-u", refused, "--timeout", "0"], 2, "SECONDS is not a positive number"),
            (["-u", refused, "--param", "temperature"], 2, "--param needs NAME=VALUE"),
            (["-u", refused, "--param", "prompt=x"], 2, "prompt"),
            (["-u", refused, "-o", "/none/out"], 1, "cannot open /none/out"),
            (["-u", refused, "--plot", "/none/plot"], 1, "cannot open /none/plot"),
            (["-u", refused, "/"], 6, "cannot read the input: Is a directory"),
        ]
        for arguments, code, phrase in rows:
            status, results, errors = batch(*arguments, input=prompts(1))
            assert (status, results) == (code, []), (arguments, errors)
            assert phrase in errors, (arguments, errors)
    done = SHARED.run("batch.c", "--help")
    assert (done.returncode, done.stderr) == (0, "") and "exit status:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_token_is_never_printed() -> None:
    def leak(handler: Handler, request: Request) -> None:
        handler.respond(401, {"detail": f"bad {request.headers}"})

    with ScriptedGateway(one_route(leak)) as gateway:
        done = SHARED.run(
            "batch.c", "-u", gateway.url, input=prompts(1) + chat_line("a", "b"),
            environment={"MLFLOW_TRACKING_TOKEN": "very-secret-token"},
        )  # fmt: skip
    assert done.stdout.count("'authorization': '***'") == 3 and "very-secret" not in done.stdout + done.stderr


def test_openai_batch_file_and_a_real_gateway(real_gateways: dict[str, RealGateway]) -> None:
    gateway = real_gateways["3.17.2"]
    code, results, errors = batch("-u", gateway.url, "-r", "chat", input=OPENAI_BATCH)
    assert (code, set(by_id(results))) == (0, {"request-1", "request-2"}), errors
    lines = OPENAI_BATCH.replace("meta-llama/Meta-Llama-3-8B-Instruct", "chat") + EMBEDDINGS_LINE
    for url in (gateway.url, gateway.url + "/v1"):
        code, more, errors = batch("-u", url, input=lines)
        assert (code, len(more)) == (0, 3), errors
        results += more
    read = read_with_openai(sorted(results, key=lambda result: result["custom_id"]))
    assert read == ["echo: Hello world!"] * 6 + [len(scripted_responses.embedding("x"))] * 2


def test_openai_batch_file_and_a_real_tracking_server(tracking_server: RealGateway) -> None:
    lines = OPENAI_BATCH.replace("meta-llama/Meta-Llama-3-8B-Instruct", "chat")
    rows = [(path, [], lines) for path in ("/gateway/mlflow", "/gateway/mlflow/v1", "/gateway/openai")]
    results = []
    for path, arguments, text in [*rows, ("", ["-r", "chat"], OPENAI_BATCH)]:
        code, more, errors = batch("-u", tracking_server.url + path, *arguments, input=text)
        assert (code, len(more)) == (0, 2), errors
        results += more
    assert read_with_openai(results) == ["echo: Hello world!"] * 8


def test_results_of_a_real_model_are_those_of_single_requests(smollm2: Server) -> None:
    """One in flight: llama.cpp may compute slightly other numbers for several at once."""
    topics = ("cat", "river")
    fields = {"model": "chat", "temperature": 0, "max_tokens": 8}
    text = "".join(chat_line(topic, f"What is a {topic}?", **fields) for topic in topics)
    code, results, errors = batch("-u", smollm2.url, "--in-flight", "1", input=text)
    assert code == 0, errors
    texts = dict(zip((result["custom_id"] for result in results), read_with_openai(results)))
    for topic in topics:
        commands = [f"message user=What is a {topic}?", "param temperature=0", "param max_tokens=8"]
        assert perform(smollm2.url, *commands, "send", route="chat").response.texts == [texts[topic]]


@three_attempts
def test_prompts_and_a_real_model_that_streams(smollm2: Server) -> None:
    arguments = ["-u", smollm2.url, "-r", "chat", "--stream", "--param", "max_tokens=8", "--param", "temperature=0"]
    code, results, errors = batch(*arguments, input=prompts(4, "What is the number"))
    assert code == 0 and all(result["text"] for result in results), errors
    names = ("first token", "latency")
    first, all_tokens = (re.search(rf"^{name} +p50 ([\d.]+) (ms|s),", errors, re.M) for name in names)
    seconds = [float(found[1]) / (1000 if found[2] == "ms" else 1) for found in (first, all_tokens)]
    assert 0 < seconds[0] < seconds[1]
    assert re.search(r"^tokens      [1-9]\d* input, [1-9]\d* output$", errors, re.M)
