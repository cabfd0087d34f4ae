"""The Ruby binding: its own tests with scripted gateways, the fault matrix, real gateways, its style and its types.

bindings/ruby/test has the tests in Ruby. `make test-ruby` runs them with more repetitions than `make test`.
"""

import contextlib
import json
import os
import platform
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from faults.heads import LONG_REQUESTS
from faults.responses import EMBEDDING, ROUTE, path_of
from faults.sites import Site, sites
from gateways.processes import Server
from support import commanded_gateway, load_gateway
from support.builds import C99, PROGRAMS, RELEASE, ROOT, SHARED, clean_environment, compile_once, need
from support.databricks_workspace import Workspace
from support.fast_gateway import FastGateway
from support.program_output import read_until
from support.real_gateways import RealGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    ScriptedGateway,
    echo,
    echo_request,
    one_route,
    refused_port,
    unreachable_port,
)
from support.scripted_model import messages, model, post_requests
from support.timing import three_attempts

from test_faults import LIMITS, TABLE, Cell, Row

RUBY = ROOT / "bindings/ruby"
LIBRARY = {"MLFLOW_AI_GATEWAY_LIB": str(RELEASE / "libmlflow_ai_gateway.so")}
SECONDS = 600

IS_LONG = "RUBY_LONG" in os.environ
REPETITIONS = (
    {"INTERRUPTIONS": "10000", "EXITS": "200", "GC_STRESS": "all", "INTERRUPTION_SECONDS": "0.02"}
    if IS_LONG
    else {"INTERRUPTIONS": "400", "EXITS": "5", "GC_STRESS": "new objects", "INTERRUPTION_SECONDS": "0.25"}
)

SUITES = sorted(path.stem.removesuffix("_test") for path in (RUBY / "test").glob("*_test.rb"))


def run(*command: str, environment: Optional[dict[str, str]] = None, input: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a program in the folder of the binding."""
    return subprocess.run(
        [need(command[0]), *command[1:]],
        input=input,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=RUBY,
        env=clean_environment({**LIBRARY, "LANG": "C.UTF-8", **(environment or {})}),
        timeout=SECONDS,
    )


def slow_resolver() -> Path:
    """A library that makes host names that end in ".slow" take long."""
    source, library = ROOT / "tests/c/slow_resolver.c", PROGRAMS / "slow_resolver.so"
    return compile_once(library, [*C99, "-shared", "-fPIC", str(source), "-ldl"], [source])


@contextlib.contextmanager
def scripted_gateways() -> Iterator[dict[str, str]]:
    """Yields the variables of bindings/ruby/test/helper.rb."""
    with (
        commanded_gateway.gateway() as commanded,
        ScriptedGateway(one_route(echo_request, CHAT_ROUTE)) as echo,
        ScriptedGateway(one_route(model, CHAT_ROUTE)) as scripted_model,
        FastGateway().running() as fast,
        load_gateway.running(latency_us=300_000, slots=64) as slow,
        load_gateway.running(barrier=1000, events=10, interval_us=100_000) as streams,
        unreachable_port() as unreachable,
        refused_port() as refused,
    ):
        yield {
            "COMMANDED_URL": commanded.url,
            "ECHO_URL": echo.url,
            "MODEL_URL": scripted_model.url,
            "FAST_URL": fast,
            "SLOW_URL": slow.url,
            "STREAMS_URL": streams.url,
            "UNREACHABLE_URL": f"http://{HOST}:{unreachable}",
            "REFUSED_URL": f"http://{HOST}:{refused}",
            "UNRESOLVED_URL": "http://gateway.slow",
            "LD_PRELOAD": str(slow_resolver()),
        }


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite: str) -> None:
    with scripted_gateways() as gateways:
        done = run("ruby", "-w", "-Ilib", f"test/{suite}_test.rb", environment={**gateways, **REPETITIONS})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d* runs, \d+ assertions, 0 failures, 0 errors, 0 skips$", done.stdout, re.M), done.stdout
    assert done.stderr == ""


def test_style_is_that_of_rubocop() -> None:
    done = run("rubocop", "--cache", "false")
    assert done.returncode == 0, done.stdout + done.stderr


class Fault(NamedTuple):
    """One fault for one operation."""

    row: Row
    operation: str

    def command(self, site: Site, patience: int) -> dict:
        """Returns what Ruby has to do; its time-outs are this many times as long as those of the fault matrix."""
        is_long = self.row.fault in LONG_REQUESTS
        milliseconds = patience * Cell(self.row, self.operation).milliseconds(SHARED)
        settings = [*(setting.removeprefix("handle-option ") for setting in site.settings), *self.row.settings]
        limits = {name: milliseconds for name in ("timeout_ms", "stream_timeout_ms")} | {name: 1 << 20 for name in LIMITS}
        return {
            "uri": site.uri(self.operation),
            "route": ROUTE,
            "options": limits | dict(setting.split("=", 1) for setting in settings),
            "operation": self.operation,
            "prompt": "long" if is_long else "short",
            "path": path_of("raw"),
        }

    def failure(self, result: dict) -> Optional[str]:
        """Returns how the result differs from the expected one."""
        status, _, phrase = self.row.expected(self.operation).partition(": ")
        name = "OK" if status == "OK" else f"MlflowGateway::{class_name(status)}"
        if (result["status"], phrase in result["message"]) != (name, True):
            return f"{self.row.name}, {self.operation}: expected {self.row.expected(self.operation)}, got {result}"
        if status == "OK" and result["value"] not in (self.row.text, [EMBEDDING], [ROUTE], [], None):
            return f"{self.row.name}, {self.operation}: wrong response {result['value']!r}"
        return None


def class_name(status: str) -> str:
    """The class of a status, for example TLSFailedError."""
    words = (word if word in ("HTTP", "TLS", "URI") else word.capitalize() for word in status.split("_"))
    return "".join(words).removesuffix("Error") + "Error"


def test_every_fault_arrives_as_the_error_of_its_status(tmp_path: Path) -> None:
    """Faults that a busy machine met too late are repeated, with longer time-outs."""
    faults = [Fault(row, operation) for row in TABLE for operation in ("call", "stream", "embed", "list", "raw")]
    failures: list[str] = []
    with sites(tmp_path) as found:
        for patience in (1, 4, 16):
            commands = [fault.command(found[fault.row.fault], patience) for fault in faults]
            lines = "".join(json.dumps(command) + "\n" for command in commands)
            done = run("ruby", "-w", "-Ilib", "test/faults.rb", input=lines)
            assert (done.returncode, done.stderr) == (0, "")
            results = [json.loads(line) for line in done.stdout.splitlines()]
            failed = [(fault, failure) for fault, result in zip(faults, results) if (failure := fault.failure(result))]
            faults, failures = [fault for fault, _ in failed], [failure for _, failure in failed]
            if not faults:
                break
    assert failures == []


def run_with(gateway: str, program: str, features: str = "") -> None:
    """Runs a test in Ruby with a real gateway."""
    done = run("ruby", "-w", "-Ilib", program, environment={"GATEWAY_URL": gateway, "FEATURES": features})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("version", ["2.8.1", "3.17.2"])
def test_real_gateways(real_gateways: dict[str, RealGateway], version: str) -> None:
    run_with(real_gateways[version].url, "test/real.rb", "completions,streams,tools" if version != "2.8.1" else "completions")


def test_real_tracking_server(tracking_server: RealGateway) -> None:
    run_with(tracking_server.url, "test/real.rb", "streams,tools")


@three_attempts
def test_real_language_model(smollm2: Server) -> None:
    run_with(smollm2.url, "test/model.rb")


def test_databricks_limits_and_routes(workspace: Workspace) -> None:
    program = """
        client = MlflowGateway::Client.new(route: "chat", uri: "databricks")
        client.create_route({ name: "new", config: {} })
        limits = [{ calls: 3, key: "user", renewal_period: "minute" }]
        client.set_limits(limits, "new")
        client.limits("new").inspect.include?("3") or raise client.limits("new").inspect
        client.delete_route("new")
        client.route("new")
    """
    done = run("ruby", "-w", "-Ilib", "-rmlflow_gateway", "-e", program, environment=workspace.environment())
    assert done.returncode == 1 and "NotFoundError" in done.stderr, done.stderr


def example(name: str, *arguments: str, input: str = "", **environment: str) -> tuple[int, str, str]:
    """Runs an example, and returns its status, output and messages."""
    done = run("ruby", "-w", "-Ilib", f"examples/{name}.rb", *arguments, input=input, environment=environment)
    return done.returncode, done.stdout, done.stderr


def test_example_of_the_readme() -> None:
    code = (RUBY / "examples/minimal.rb").read_text().partition("\n\n")[2]
    assert code in (RUBY / "README.md").read_text()
    with ScriptedGateway(one_route(echo)) as gateway:
        expected = (0, "echo: The capital of France is\n", "")
        assert example("minimal", MLFLOW_GATEWAY_URI=gateway.url) == expected
        assert gateway.requests[-1].json() == {"prompt": "The capital of France is", "max_tokens": 8}


def ruby_code(path: Path) -> list[str]:
    """The blocks of Ruby in a document."""
    return re.findall(r"^```ruby\n(.*?)^```$", path.read_text(), re.M | re.S)


def test_code_of_the_readmes() -> None:
    (streaming,) = ruby_code(ROOT / "README.md")
    minimal, new_client, use, tools, queue, errors = ruby_code(RUBY / "README.md")
    for code in (streaming, minimal, new_client, use, tools, queue, errors):
        done = run("ruby", "-c", input=code)
        assert done.stdout == "Syntax OK\n", done.stderr
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        uri = {"MLFLOW_GATEWAY_URI": gateway.url}
        done = run("ruby", "-w", "-Ilib", "-", input=streaming, environment=uri)
        assert (done.stdout, done.stderr) == ("echo: Tell me a story.", "")
        program = 'require "mlflow_gateway"; require "logger"\n' + new_client.replace("http://127.0.0.1:5000", gateway.url)
        done = run("ruby", "-w", "-Ilib", "-", input=program + errors)
        assert done.stdout == "echo: Tell me a story." and "POST" in done.stderr
        assert (gateway.requests[-1].headers["x-team"], gateway.requests[-1].json()["temperature"]) == ("owls", 0)
        client = 'require "mlflow_gateway"; client = MlflowGateway::Client.new(route: "chat");'
        done = run("ruby", "-Ilib", "-", input=f"{client} prompts = %w[a b]\n{queue}", environment=uri)
        assert sorted(done.stdout.splitlines()) == ["a: echo: a", "b: echo: b"], done.stderr
        given = 'messages = ["!tools"]; TOOLS = [{ type: "function", function: { name: "t" } }]; def run(_, _) = "cold"'
        done = run("ruby", "-Ilib", "-", input=f"{client} {given}\nputs((\n{tools}\n).text)", environment=uri)
        assert done.stdout == "echo: cold\n", done.stderr
        before = use[: use.index("client.embed")]
        done = run("ruby", "-Ilib", "-", input=f"{client}\n{before}", environment=uri)
        assert (done.returncode, done.stdout) == (0, "echo: Tell me a story."), done.stderr
    with commanded_gateway.gateway() as gateway:
        after = "".join(line for line in use[use.index("client.embed") :].splitlines(True) if "embed" in line)
        client = client.replace('"chat"', '"embeddings"')
        done = run("ruby", "-Ilib", "-", input=f"{client}p({after.strip()})", environment={"MLFLOW_GATEWAY_URI": gateway.url})
        assert done.stdout == "[[1.0, 2.0], [1.0, 2.0]]\n", done.stderr


def test_example_ask() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        uri = ("-u", gateway.url)
        assert example("ask", *uri, "-t", "0.5", "-m", "7", "-s", "a", "-s", "b", "hi") == (0, "echo: hi\n", "")
        assert gateway.requests[-1].json() == {"prompt": "hi", "temperature": 0.5, "max_tokens": 7, "stop": ["a", "b"]}
        assert example("ask", *uri, "-", input="from a pipe") == (0, "echo: from a pipe\n", "")


def test_example_chat() -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        code, output, errors = example("chat", "-u", gateway.url, "-y", "Be brief.", input="one\n\nbroken\ntwo\n")
        assert (code, output) == (5, "echo: one\necho: broken\necho: two\n") and "chat: POST" in errors
        last = messages(post_requests(gateway)[-1])
        assert last == [("system", "Be brief."), ("user", "one"), ("assistant", "echo: one"), ("user", "two")]


def test_example_chat_attaches_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\xff\0")
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        arguments = ("-u", gateway.url, "--attach", str(picture), "-v")
        assert example("chat", *arguments, input="what?\nand?\n")[:2] == (0, "echo: what?\necho: and?\n")
        sent = [request.json()["messages"] for request in post_requests(gateway)]
    assert [part["type"] for part in sent[0][0]["content"]] == ["text", "image_url"]
    assert sent[1][0] == sent[0][0] and sent[1][2] == {"role": "user", "content": "and?"}


def test_ctrl_c_cancels_a_response_of_the_example_chat() -> None:
    command = ["ruby", "-Ilib", "examples/chat.rb", "-u"]
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway, subprocess.Popen(
        [*command, gateway.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=RUBY, env=clean_environment(LIBRARY)
    ) as program:
        program.stdin.write(b"slow\n")
        program.stdin.flush()
        read_until(b"echo:", program, program.stdout.fileno())
        program.send_signal(signal.SIGINT)
        assert read_until(b"\n", program, program.stdout.fileno())
        assert program.communicate(b"two\n")[0].endswith(b"echo: two\n")
        assert messages(post_requests(gateway)[-1]) == [("user", "two")]
    assert program.returncode == 0


def test_example_tools() -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        code, output, errors = example("tools", "-u", gateway.url, "-v", "!tools")
        assert (code, output) == (0, "echo: In Oslo it is 9.0 degrees Celsius.\n")
        assert errors.splitlines()[0] == 'get_temperature({"city":"Paris"}): In Paris it is 18.5 degrees Celsius.'


def test_example_embed() -> None:
    with commanded_gateway.gateway() as gateway:
        code, output, errors = example("embed", "-u", gateway.url, "a", "b")
    assert (code, errors) == (0, "")
    assert output == "          1      2\n   1  1.000  1.000  a\n   2  1.000  1.000  b\n"


def test_example_batch() -> None:
    prompts = "".join(f"p {number}\n" for number in range(50))
    with commanded_gateway.gateway() as gateway:
        code, output, errors = example("batch", "-u", gateway.url, "-r", "r", "-n", "4", input=prompts + "cut\n")
    results = {result["line"]: result for result in map(json.loads, output.splitlines())}
    assert code == 3 and errors == "" and "connection broke" in results.pop(51)["error"]
    assert results == {number + 1: {"line": number + 1, "text": f"p {number}"} for number in range(50)}


def test_examples_report_errors_with_their_exit_status() -> None:
    with refused_port() as port, ScriptedGateway(
        one_route(lambda handler, request: handler.respond(403, {"detail": "no"}))
    ) as gateway:
        rows = [
            (["-z", "x"], 2, "invalid option"),
            ([], 2, "no prompt given"),
            (["x"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://{HOST}:{port}", "x"], 3, "cannot connect"),
            (["-u", gateway.url, "x"], 4, "HTTP status 403"),
        ]
        for arguments, code, phrase in rows:
            status, output, errors = example("ask", *arguments)
            assert (status, output) == (code, "") and phrase in errors, (arguments, errors)
    for name in ("ask", "chat", "tools", "embed", "batch"):
        status, output, errors = example(name, "--help")
        assert (status, errors) == (0, "") and "exit status:" in output


def test_every_public_name_is_documented() -> None:
    done = run("yard", "stats", "--list-undoc", "--no-save", "--no-cache", "--fail-on-warning")
    assert done.returncode == 0 and "[warn]" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "100.00% documented" in done.stdout, done.stdout


def test_signatures_are_valid_and_name_every_public_method() -> None:
    rbs = run("ruby", "-e", 'print Gem.bin_path("rbs", "rbs")').stdout
    done = run("ruby", rbs, "-I", "sig", "validate", "--silent")
    assert done.returncode == 0, done.stdout + done.stderr
    query = "object.type == :method && [object, object.namespace].none? { |one| one.has_tag?(:api) }"
    listed = run("yard", "list", "--no-save", "--no-cache", "--query", query)
    names = re.findall(r"MlflowGateway::(?!Request::|Library)\S+[#.](\S+)(?<!=)$", listed.stdout, re.M)
    signatures = (RUBY / "sig/mlflow_gateway.rbs").read_text()
    words = set(re.findall(r"def (?:self\.)?([\w?!\[\]]+):|attr_reader (\w+):", signatures))
    known = {one or other for one, other in words} | {"initialize"}
    assert len(names) > 80
    assert set(names) - known == set()


@pytest.mark.parametrize("suite", ["calls", "errors", "queue"])
def test_calls_have_the_types_of_their_signatures(suite: str) -> None:
    """RBS iterates over enumerators that a method returns, so their tests must not fail. It has no type for keywords that
    are strings."""
    without = "/test_values_of_wrong_types|test_cut_stream|test_names_may/"
    check = {"RBS_TEST_RAISE": "true", "RBS_TEST_LOGLEVEL": "error", "RBS_TEST_TARGET": "MlflowGateway::*"}
    with scripted_gateways() as gateways:
        done = run(
            "ruby", "-Ilib", "-rrbs/test/setup", f"test/{suite}_test.rb", "--exclude", without,
            environment={**gateways, **check, "RBS_TEST_OPT": "-I sig"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_table_of_the_readme_has_each_c_function_once() -> None:
    header = (ROOT / "include/mlflow_ai_gateway.h").read_text()
    functions = re.findall(r"^(?:MLFLOW_GATEWAY_API\n)[^;(]*?\bmlflow_gateway_(\w+)\(", header, re.M)
    readme = (RUBY / "README.md").read_text()
    table = readme[readme.index("## How the C functions map") :]
    listed = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(functions)


@pytest.mark.parametrize("has_library", [True, False], ids=["with the library", "without the library"])
def test_gem_runs_where_nothing_else_is_installed(has_library: bool, tmp_path: Path) -> None:
    library = [f"{platform.machine()}-linux", LIBRARY["MLFLOW_AI_GATEWAY_LIB"]] if has_library else []
    built = run("sh", str(ROOT / "packaging/gem"), str(tmp_path), *library)
    assert built.returncode == 0, built.stdout + built.stderr
    home = {"GEM_HOME": str(tmp_path / "home"), "MLFLOW_AI_GATEWAY_LIB": ""}
    installed = run("gem", "install", "--local", "--no-document", built.stdout.split()[-1], environment=home)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    program = 'require "mlflow_gateway"; puts MlflowGateway::Client.new(route: "r", uri: ARGV[0]).complete("hi")'
    if not has_library:
        home |= LIBRARY
    with ScriptedGateway(one_route(echo)) as gateway:
        done = run("ruby", "-w", "-e", program, gateway.url, environment=home)
        assert (done.returncode, done.stdout) == (0, "echo: hi\n"), done.stderr
    (folder,) = (tmp_path / "home/gems").glob("mlflow_gateway-*")
    for name in ("LICENSE-MIT", "LICENSE-APACHE", "README.md", "sig/mlflow_gateway.rbs", "examples/ask.rb"):
        assert (folder / name).is_file(), name
    links = re.findall(r"\]\((?!https:)([^)#]+)", (folder / "README.md").read_text())
    assert "docs/options.md" in links and [link for link in links if not (folder / link).exists()] == []


def test_library_of_another_version_and_a_missing_one_are_clear_errors() -> None:
    done = run("ruby", "-Ilib", "-e", 'require "mlflow_gateway"', environment={"MLFLOW_AI_GATEWAY_LIB": "/none.so"})
    assert done.returncode == 1 and "/none.so" in done.stderr and "set MLFLOW_AI_GATEWAY_LIB" in done.stderr
    program = 'require "mlflow_gateway"; MlflowGateway::Library.check("0.3.0")'
    done = run("ruby", "-Ilib", "-e", program)
    assert done.returncode == 1 and "needs version 0.2 of libmlflow_ai_gateway" in done.stderr
