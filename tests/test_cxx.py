"""The C++ header: complete, free of warnings with two compilers and three language versions, and each function tested.

The tests themselves are the programs of tests/cxx, which call the servers started here.
"""

import contextlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.builds import (
    ADDRESS,
    INCLUDE,
    PROGRAMS,
    ROOT,
    SHARED,
    VALGRIND,
    Build,
    clean_environment,
    compile_once,
    need,
)
from support.databricks_workspace import Workspace
from support.scripted_gateway import (
    CHAT_ROUTE,
    NOT_FOUND,
    Handler,
    Request,
    ScriptedGateway,
)
from support.scripted_model import model

HEADER = INCLUDE / "mlflow_ai_gateway.hpp"
C_HEADER = INCLUDE / "mlflow_ai_gateway.h"
SOURCES = ROOT / "tests/cxx"
CASES = [SOURCES / f"{name}.cpp" for name in ("main", "errors", "requests", "calls", "streams", "queues")]

WARNINGS = [
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow", "-Wold-style-cast"),
    *("-Wnon-virtual-dtor", "-Werror"),
]
COMPILERS = ("g++", "clang++")
STANDARDS = ("c++17", "c++20", "c++2b")
RUN = [
    (SHARED, "g++", "c++17"),
    (SHARED, "g++", "c++2b"),
    (SHARED, "clang++", "c++20"),
    (VALGRIND, "g++", "c++17"),
    (ADDRESS, "g++", "c++20"),
]

MODELS = {"r": {"name": "gpt", "provider": "openai"}, "e": None}
ROUTES = [
    {**CHAT_ROUTE, "model": MODELS["r"], "endpoint_url": "/endpoints/r/invocations"},
    {"name": "e", "endpoint_type": "llm/v1/embeddings", "endpoint_url": "/endpoints/e/invocations"},
]


class Gateway(ScriptedGateway):
    """A chat route `r` and an embeddings route `e`. The prompt of a chat selects the response:

    - a JSON object: its `status`, `headers` and `body`
    - a JSON array of such objects: the next one each time
    - `show`: the body and the headers of the request, as JSON
    - `stall`: none
    - anything else: that of the scripted model
    """

    def __init__(self) -> None:
        super().__init__(self._script)
        self._sent: Counter[str] = Counter()

    def __enter__(self) -> "Gateway":
        super().__enter__()
        return self

    def _script(self, handler: Handler, request: Request) -> None:
        path = request.path.split("?")[0]
        routes = {f"/api/2.0/endpoints/{route['name']}": route for route in ROUTES}
        if path == "/health":
            handler.respond(200, {"status": "OK"})
        elif path == "/api/2.0/endpoints/":
            handler.respond(200, {"endpoints": ROUTES})
        elif path in routes:
            handler.respond(200, routes[path])
        elif path == "/raw":
            handler.respond(200, f"{request.method} {request.path} ".encode() + request.body)
        elif path == "/reply":
            self._reply(handler, request.body.decode())
        elif path == "/endpoints/r/invocations":
            self._chat(handler, request)
        elif path == "/endpoints/e/invocations":
            data = [{"index": at, "embedding": [len(text), 0.5]} for at, text in enumerate(request.json()["input"])]
            handler.respond(200, {"data": data, "model": "m", "usage": {"prompt_tokens": len(data)}})
        else:
            handler.respond(404, NOT_FOUND)

    def _chat(self, handler: Handler, request: Request) -> None:
        prompt = request.json()["messages"][-1]["content"]
        if prompt == "show":
            headers = {name.lower(): value for name, value in request.headers.items()}
            shown = json.dumps({"body": request.json(), "headers": headers})
            handler.respond(200, {"choices": [{"message": {"content": shown}}]})
        elif prompt == "stall":
            handler.stall()
        elif prompt[:1] in ("{", "["):
            self._reply(handler, prompt)
        else:
            model(handler, request)

    def _reply(self, handler: Handler, text: str) -> None:
        reply = json.loads(text, strict=False)
        if isinstance(reply, list):
            reply = reply[self._sent[text] % len(reply)]
            self._sent[text] += 1
        handler.respond(reply.get("status", 200), reply["body"], reply.get("headers"))


@contextlib.contextmanager
def servers() -> Iterator[tuple[str, str]]:
    with Gateway() as gateway, Workspace() as workspace:
        yield gateway.url, workspace.url


def command(compiler: str, standard: str, *more: str) -> list[str]:
    need(compiler)
    return [compiler, f"-std={standard}", "-g", *WARNINGS, f"-I{INCLUDE}", *more]


def compiled(build: Build, compiler: str, standard: str, sources: Sequence[Path], *flags: str) -> Path:
    """Compiles a program of tests/cxx once for all tests."""
    folder = PROGRAMS / (SHARED if build is VALGRIND else build).name
    words = [*command(compiler, standard, *build.flags, *flags), *map(str, sources), *build.link, "-lpthread"]
    return compile_once(
        folder / f"{sources[-1].stem}-{compiler}-{standard}", words, [*sources, SOURCES / "check.hpp"]
    )


def run(build: Build, program: Path, *arguments: str) -> str:
    """Runs a program, which must succeed, and returns what it printed."""
    done = subprocess.run(
        [*build.runner, str(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        env=clean_environment(build.environment),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("build,compiler,standard", RUN, ids=lambda value: getattr(value, "name", value))
def test_every_case_passes(build: Build, compiler: str, standard: str) -> None:
    program = compiled(build, compiler, standard, CASES)
    with servers() as urls:
        passed = run(build, program, *urls).splitlines()
    written = [name for source in CASES for name in re.findall(r"^TEST\((\w+)\)", source.read_text(), re.M)]
    if standard == "c++17":
        written = [name for name in written if not name.startswith("stop_token")]
    assert sorted(passed) == sorted(written)


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_header_and_cases_compile_without_warnings(compiler: str, standard: str, tmp_path: Path) -> None:
    """The header also with -Weffc++, and without exceptions and run-time type information."""
    alone = tmp_path / "alone.cpp"
    alone.write_text("#include <mlflow_ai_gateway.hpp>\n#include <mlflow_ai_gateway.hpp>\n")
    flags = ("-Weffc++", "-fno-exceptions", "-fno-rtti", "-fsyntax-only")
    subprocess.run(command(compiler, standard, *flags, str(alone)), check=True)
    if (compiler, standard) not in [row[1:] for row in RUN]:
        subprocess.run(command(compiler, standard, "-fsyntax-only", *map(str, CASES)), check=True)


def test_objects_of_several_language_versions_link_and_run(tmp_path: Path) -> None:
    objects = []
    for standard, part in zip(STANDARDS, (17, 20, 23)):
        objects.append(str(tmp_path / f"{part}.o"))
        source = str(SOURCES / "mixed.cpp")
        subprocess.run(command("g++", standard, f"-DPART={part}", "-c", source, "-o", objects[-1]), check=True)
    program = tmp_path / "mixed"
    subprocess.run(["g++", *objects, *SHARED.link, "-o", str(program)], check=True)
    with servers() as (gateway, _):
        run(SHARED, program, gateway)


def test_program_without_exceptions_compiles_and_runs() -> None:
    program = compiled(SHARED, "g++", "c++17", [SOURCES / "no_exceptions.cpp"], "-fno-exceptions", "-fno-rtti")
    with servers() as (gateway, _):
        run(SHARED, program, gateway)


def without_comments(header: Path) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", header.read_text(), flags=re.S)


def c_functions() -> set[str]:
    found = set(re.findall(r"\b(mlflow_gateway_\w+)\(", without_comments(C_HEADER)))
    assert len(found) > 100
    return found


def test_header_uses_every_function_and_number_of_the_c_header() -> None:
    code, c_code = without_comments(HEADER), without_comments(C_HEADER)
    types = set(re.findall(r"\btypedef [^;]*?\b(mlflow_gateway\w*)(?:;|\)\()", c_code))
    assert set(re.findall(r"\bmlflow_gateway_\w+", code)) - types == c_functions()
    numbers = set(re.findall(r"^#define (MLFLOW_GATEWAY_\w+) \d+$", c_code, re.M))
    versions = {name for name in numbers if name.startswith("MLFLOW_GATEWAY_VERSION")}
    assert len(numbers) > 60 and numbers - versions == set(re.findall(r"= (MLFLOW_GATEWAY_\w+)", code))


def test_cases_call_every_c_function() -> None:
    """If no case calls a wrapper, it is not compiled, and the program does not need its C function."""
    program = compiled(SHARED, "g++", "c++17", CASES)
    needed = {line.split()[-1] for line in symbols(program, "-D", "--undefined-only")}
    assert {name for name in needed if name.startswith("mlflow_gateway_")} == c_functions()


def test_cases_call_every_function_of_the_header(tmp_path: Path) -> None:
    """The compiler lists the functions of the header. Those of a program are those that it calls."""
    alone = tmp_path / "alone.cpp"
    alone.write_text("#include <mlflow_ai_gateway.hpp>\n")
    keep = command("g++", "c++17", "-fkeep-inline-functions", "-c", str(alone), "-o", str(tmp_path / "alone.o"))
    subprocess.run(keep, check=True)
    in_header = functions(tmp_path / "alone.o")
    program = compiled(SHARED, "g++", "c++17", CASES)
    assert len(in_header) > 200
    assert in_header - functions(program) == set()

    compiled_templates = "\n".join(symbols(program, "-C", "--defined-only"))
    for name in ("handle::{}set_param<", "request::{}set_param<", "handle::{}stream_call<", "handle::{}set_log<"):
        for form in ("", "try_"):
            assert f"::{name.format(form)}" in compiled_templates


def test_function_that_can_fail_has_both_forms() -> None:
    """A constructor is the plain form of try_create()."""
    code = without_comments(HEADER)
    tried = Counter(re.findall(r"^\s*\[\[nodiscard\]\].*? (try_\w+)\(", code, re.M))
    assert sum(tried.values()) > 40
    assert tried == Counter(re.findall(r"\bdetail::unwrap\((try_\w+)\(", code))


def test_header_leaves_no_macro_behind() -> None:
    defined = re.findall(r"^#define (\w+)", HEADER.read_text(), re.M)
    assert defined == ["MLFLOW_AI_GATEWAY_HPP"]


def test_no_line_is_too_long() -> None:
    assert max(len(line) for line in HEADER.read_text().splitlines()) <= 120


def symbols(file: Path, *options: str) -> list[str]:
    need("nm")
    nm = ["nm", *options, str(file)]
    return subprocess.run(nm, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def functions(file: Path) -> set[str]:
    """The inline functions of the namespace that a file has, except helpers."""
    found = {line.split(maxsplit=2)[2] for line in symbols(file, "-C", "--defined-only") if " W " in line}
    return {name for name in found if re.match(r"mlflow::gateway::cxx17::(?!detail::)", name)}
