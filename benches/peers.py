"""The measured programs: how each is built and run."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from common import FOLDER, ROOT, output
from gateways.install import install

SOURCES = ROOT / "benches"
LIBRARY = FOLDER / "libmlflow_ai_gateway.so.0.2"
MLFLOW_ENVIRONMENT = "mlflow-3.17.2"

BARE = "bare socket"
OURS = "this library"
LIBCURL = "libcurl + cJSON"
GO = "Go net/http"
GO_BINDING = "this library from Go"
RUBY = "Ruby net/http"
OURS_IN_RUBY = "this library from Ruby"
MLFLOW = "MLflow's Python client"

CC = ["cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
CURL_AND_CJSON = ["-lcurl", "-lcjson"]
OUR_LIBRARY = [str(LIBRARY), f"-Wl,-rpath,{FOLDER}"]
ADVICE = "see the output above"


class Peer(NamedTuple):
    """A client, and its command line without URL and CALLS."""

    name: str
    command: tuple[str, ...]


def build_bare() -> Peer:
    """A bare socket: the lower limit."""
    return Peer(BARE, (compile_c("bench_bare", ["bench.c"]),))


def build_libcurl() -> Peer:
    """libcurl with cJSON."""
    return Peer(LIBCURL, (compile_c("bench_libcurl", ["bench.c", "http_client.c"], CURL_AND_CJSON),))


def build_ours() -> Peer:
    """This library, through its C ABI."""
    return Peer(OURS, (compile_c("bench_ours", ["bench.c", "ours.c"], OUR_LIBRARY),))


def build_go() -> Peer:
    """Go's net/http."""
    return Peer(GO, (_go_program("bench_go", SOURCES, ["bench_go.go"]),))


def build_go_binding() -> Peer:
    """This library, through bindings/go."""
    flags = {"CGO_LDFLAGS": " ".join(OUR_LIBRARY)}
    program = _go_program("bench_go_binding", SOURCES / "go_binding", ["-tags", "mlflow_env", "."], flags)
    return Peer(GO_BINDING, (program,))


def _go_program(name: str, folder: Path, arguments: list[str], environment: Optional[dict[str, str]] = None) -> str:
    """Builds a program with the newest Go, which is installed first if it is missing."""
    go, program = install("go") / "bin" / "go", FOLDER / name
    settings = {"GOCACHE": str(FOLDER / "go-cache"), "GOPATH": str(FOLDER / "go"), "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    command = [str(go), "build", "-o", str(program), *arguments]
    output(f"building {name}", command, "see the output of go", folder, {**settings, **(environment or {})})
    return str(program)


def build_ruby() -> Peer:
    """Ruby's net/http."""
    return Peer(RUBY, ("ruby", str(SOURCES / "bench_ruby.rb")))


def build_ours_in_ruby() -> Peer:
    """This library, through its Ruby binding."""
    library = f"MLFLOW_AI_GATEWAY_LIB={LIBRARY}"
    program = str(SOURCES / "bench_ruby_ours.rb")
    return Peer(OURS_IN_RUBY, ("env", library, "ruby", f"-I{ROOT / 'bindings/ruby/lib'}", program))


def build_mlflow() -> Peer:
    """MLflow's Python client."""
    return Peer(MLFLOW, (str(mlflow_python()), str(SOURCES / "bench_mlflow.py")))


def mlflow_python() -> Path:
    """The Python with MLflow. Installs MLflow first if it is missing."""
    return install(MLFLOW_ENVIRONMENT) / "bin" / "python"


def build_start() -> str:
    """The program that measures the first call."""
    return compile_c("bench_start", [], ["-ldl"])


def build_soak() -> str:
    """The program that makes a million calls."""
    return compile_c("bench_soak", ["bench_ours.c", "ours.c"], OUR_LIBRARY)


def copy_library() -> None:
    """Copies the library, so that a rebuild during a run does not change what is measured."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "target" / "release" / "libmlflow_ai_gateway.so", LIBRARY)


def run(command: Sequence[str]) -> dict[str, Any]:
    """Runs a program and returns the JSON that it prints."""
    return json.loads(output("running a peer", command, ADVICE))


def seconds_per_call(peer: Peer, url: str, calls: int, threads: int = 1, ca_file: Optional[Path] = None) -> float:
    """Runs a peer and returns the seconds per call of all threads together."""
    arguments = [url, str(calls)]
    if threads > 1 or ca_file:
        arguments.append(str(threads))
    if ca_file:
        arguments.append(str(ca_file))
    result = run([*peer.command, *arguments])
    return result["seconds"] / result["calls"]


def compile_c(name: str, more_sources: Sequence[str], libraries: Sequence[str] = ()) -> str:
    """Compiles NAME.c, process.c and `more_sources`, and returns the path of the program."""
    return _compile(name, [SOURCES / source for source in (f"{name}.c", "process.c", *more_sources)], libraries)


def compile_test(name: str) -> str:
    """Compiles NAME.c of the tests, and returns the path of the program."""
    return _compile(name, [ROOT / "tests" / "c" / f"{name}.c"], OUR_LIBRARY)


def _compile(name: str, sources: Sequence[Path], libraries: Sequence[str]) -> str:
    program = FOLDER / name
    command = [*CC, f"-I{ROOT / 'include'}", *map(str, sources), "-o", str(program), "-pthread", *libraries]
    output(f"building {name}", command, "see the output of the compiler")
    return str(program)
