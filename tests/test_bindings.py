"""The bindings of docs/bindings.md: bindings/python and bindings/zig, with scripted and with real gateways."""

import ast
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from gateways.install import GATEWAYS
from support.builds import C99, INCLUDE, NO_RETRIES, PROGRAMS, RELEASE, ROOT, clean_environment
from support.documented_code import HEADER, read
from support.documented_gateway import documented_gateway
from support.real_gateways import RealGateway
from support.scripted_gateway import Handler, Request, Script, ScriptedGateway, echo_request
from support.scripted_model import model

PYTHON = ROOT / "bindings/python"
ZIG = [GATEWAYS / "zig/bin/python", "-m", "ziglang"]
BINDINGS = [PYTHON / "mlflow_gateway.py", ROOT / "bindings/zig/mlflow_gateway.zig"]
PAGE = (ROOT / "docs/bindings.md").read_text()
SECONDS = 300


def each_route(on_post: Script) -> Script:
    """Returns the script of a server with a route of each type, of that name."""

    def script(handler: Handler, request: Request) -> None:
        name = request.path.rpartition("/")[2]
        if request.method == "POST":
            on_post(handler, request)
        elif name in ("completions", "chat", "embeddings"):
            handler.respond(200, {"name": name, "endpoint_type": f"llm/v1/{name}"})
        else:
            handler.respond(404, {"detail": "Not Found"})

    return script


def refuse(handler: Handler, request: Request) -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    handler.respond(429, {"error": error}, {"Retry-After": "2"})


def stall(handler: Handler, request: Request) -> None:
    handler.stall()


def stream_without_pauses(handler: Handler, request: Request) -> None:
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:  # until the peer closes the connection
        handler.raw(b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n' * 100)


SCRIPTS = {
    "ECHO": echo_request,
    "FAST": stream_without_pauses,
    "MODEL": model,
    "REFUSING": refuse,
    "STALLING": stall,
}


@contextlib.contextmanager
def scripted_gateways() -> Iterator[dict[str, str]]:
    """Yields the variables that the bindings' own tests read."""
    with contextlib.ExitStack() as stack:
        urls = {"GATEWAY_URL": stack.enter_context(documented_gateway()).url}
        for name, script in SCRIPTS.items():
            urls[f"{name}_URL"] = stack.enter_context(ScriptedGateway(each_route(script))).url
        yield urls


def run(*command: object, environment: Optional[dict[str, str]] = None) -> subprocess.CompletedProcess[str]:
    variables = {"LD_LIBRARY_PATH": str(RELEASE), **NO_RETRIES, **(environment or {})}
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        env=clean_environment(variables),
    )


PYTHON_EXAMPLE = [sys.executable, PYTHON / "example.py"]


def compile_zig(verb: str, source: str, folder: Path) -> Path:
    """Compiles a program, or the tests of a file, for any processor of this architecture."""
    program = folder / Path(source).stem
    caches = {f"ZIG_{name}_CACHE_DIR": str(PROGRAMS / "zig") for name in ("GLOBAL", "LOCAL")}
    options = ["-mcpu=baseline", f"-I{INCLUDE}", f"-L{RELEASE}", "-lmlflow_ai_gateway", "-lc", f"-femit-bin={program}"]
    done = run(*ZIG, *verb.split(), *options, ROOT / "bindings/zig" / source, environment=caches)
    assert (done.returncode, done.stderr) == (0, "")
    return program


@pytest.fixture(scope="session")
def zig_example(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [compile_zig("build-exe", "example.zig", tmp_path_factory.mktemp("zig"))]


def test_python_binding() -> None:
    with scripted_gateways() as gateways:
        done = run(sys.executable, "-X", "dev", PYTHON / "test_mlflow_gateway.py", environment=gateways)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Ran [1-9]\d* tests in .*\n\nOK\n$", done.stderr, re.M), done.stderr


@pytest.mark.tool
def test_zig_binding(tmp_path: Path) -> None:
    program = compile_zig("test --test-no-exec", "test.zig", tmp_path)
    with scripted_gateways() as gateways:
        done = run(program, environment=gateways)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^All [1-9]\d* tests passed\.$", done.stderr, re.M), done.stderr


def check_example(example: list[Path], url: str, is_streaming: bool) -> None:
    """Runs each operation of an example."""
    variables = {"MLFLOW_GATEWAY_URI": url}
    for operation in ("complete", "chat", "stream"):
        done = run(*example, operation, "Zoë 😀", environment=variables)
        if operation == "stream" and not is_streaming:
            assert done.returncode == 1 and "cannot stream" in done.stderr
        else:
            assert (done.returncode, done.stderr, done.stdout) == (0, "", "echo: Zoë 😀\n"), operation
    done = run(*example, "embed", "one", "three", environment=variables)
    assert (done.returncode, done.stderr) == (0, "")
    lines = r"one: [1-9]\d* floats, the first is -?\d\.\d\d\nthree: [1-9]\d* floats, the first is -?\d\.\d\d\n"
    assert re.fullmatch(lines, done.stdout), done.stdout


def check_errors(example: list[Path], url: str) -> None:
    done = run(*example, "chat", "Hello", environment={"MLFLOW_GATEWAY_URI": url})
    assert (done.returncode, done.stdout) == (1, "") and "slow down" in done.stderr
    for arguments in ([], ["chat"], ["sing", "Hello"]):
        done = run(*example, *arguments, environment={"MLFLOW_GATEWAY_URI": url})
        assert done.returncode in (1, 2) and "usage: example" in done.stderr, arguments


def test_python_example_works_with_real_gateways(real_gateway: RealGateway) -> None:
    check_example(PYTHON_EXAMPLE, real_gateway.url, real_gateway.version != "2.8.1")


def test_zig_example_works_with_real_gateways(zig_example: list[Path], real_gateway: RealGateway) -> None:
    check_example(zig_example, real_gateway.url, real_gateway.version != "2.8.1")


def test_python_example_reports_errors() -> None:
    with scripted_gateways() as gateways:
        check_errors(PYTHON_EXAMPLE, gateways["REFUSING_URL"])


@pytest.mark.tool
def test_zig_example_reports_errors(zig_example: list[Path]) -> None:
    with scripted_gateways() as gateways:
        check_errors(zig_example, gateways["REFUSING_URL"])


CODES = {"void": "", "size_t": "n", "int64_t": "l", "uint64_t": "u"} | dict.fromkeys(
    ("int", "int32_t", "mlflow_gateway_status"), "i"
)
"""The letters of the types in bindings/python, except those of pointers."""


def test_python_declares_the_types_of_the_header() -> None:
    """Strings that are returned with a length are pointers, because they may contain NUL bytes."""
    functions = {function.name: function for function in read(HEADER).functions}
    for result, declarations in python_table().items():
        for name, arguments in (declaration.split(":") for declaration in declarations.split()):
            function = functions[f"mlflow_gateway_{name}"]
            types = [re.sub(r" ?\w+$", "", parameter) for parameter in function.parameters]
            has_length = types[-1:] == ["size_t *"]
            assert arguments == "".join(code(type) for type in types), name
            assert result == ("p" if has_length else code(function.result)), name


def python_table() -> dict[str, str]:
    assignments = [node for node in ast.parse(BINDINGS[0].read_text()).body if isinstance(node, ast.Assign)]
    (table,) = [node.value for node in assignments if ast.unparse(node.targets[0]) == "_FUNCTIONS"]
    return ast.literal_eval(table)


def code(type: str) -> str:
    if type == "const char *":
        return "s"
    return "p" if "*" in type else CODES[type]


def test_python_reports_another_version_of_the_library(tmp_path: Path) -> None:
    source, library = tmp_path / "later.c", tmp_path / "later.so"
    function = "int mlflow_gateway_version_number(void)"
    source.write_text(f"{function};\n{function} {{ return 3000; }}\n")
    subprocess.run([*C99, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    variables = {"MLFLOW_AI_GATEWAY_LIB": str(library), "PYTHONPATH": str(PYTHON)}
    done = run(sys.executable, "-c", "import mlflow_gateway", environment=variables)
    assert done.returncode == 1 and "ImportError: this file needs version 0.2 of " in done.stderr


@pytest.mark.tool
def test_zig_is_formatted() -> None:
    done = run(*ZIG, "fmt", "--check", ROOT / "bindings/zig")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("path", BINDINGS, ids=lambda path: path.parent.name)
def test_binding_has_at_most_the_documented_lines(path: Path) -> None:
    (limit,) = re.findall(rf"{path.parent.name}/{path.name}\) \| (\d+) \|", PAGE)
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith("//")]
    assert int(limit) - 10 < len(lines) <= int(limit)


def test_excerpts_of_the_page_are_in_the_files() -> None:
    excerpts = re.findall(r"^```(py|zig)\n(.*?)^```$", PAGE, re.M | re.S)
    assert {language for language, _ in excerpts} == {"py", "zig"}
    files = "".join(path.read_text() for path in sorted((ROOT / "bindings").glob("[pz]*/*.[pz]*")))
    for _, excerpt in excerpts:
        assert excerpt in files


def test_functions_of_the_page_exist() -> None:
    section = PAGE[PAGE.index("## Which functions first") : PAGE.index("## Types")]
    names = {name for line in re.findall(r"^\| \d \|(.*?)\|", section, re.M) for name in re.findall(r"`(\w+)`", line)}
    functions = {function.name.removeprefix("mlflow_gateway_") for function in read(HEADER).functions}
    assert len(names) > 50 and names <= functions
