"""The release archives that `make dist` has built: each is unpacked into an empty folder and used from there."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from support.builds import ROOT, clean_environment, need
from support.consumers import (
    CMAKE_PROJECT,
    MINIMAL,
    CONSUMERS,
    Consumer,
    output_of,
    cmake,
    pkg_config,
)
from support.real_gateways import RealGateway
from support.go_toolchains import OLDEST, build_with_pkg_config, new_module
from support.scripted_gateway import ScriptedGateway, echo, one_route

DIST = ROOT / "target/dist"
OLD_ROOT = ROOT / "target/roots/bullseye"
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
PROCESSORS = ("x86_64", "aarch64")
HERE = platform.machine()
OLDEST_GLIBC = (2, 28)
MOST_BYTES_OF_STATIC_LIBRARY = 8_000_000
PROGRAM = "bin/mlflow-gateway-batch"
COMPLETION = "echo: The capital of France is\n"

FETCHING_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(app C)
include(FetchContent)
FetchContent_Declare(mlflow_ai_gateway URL "{archive}" URL_HASH SHA256={hash})
FetchContent_MakeAvailable(mlflow_ai_gateway)
find_package(mlflow_ai_gateway 0.2 REQUIRED PATHS "${mlflow_ai_gateway_SOURCE_DIR}" NO_DEFAULT_PATH)
add_executable(app {source})
target_link_libraries(app mlflow_ai_gateway::{target})
"""


def archive_of(processor: str, kind: str = "") -> Path:
    return DIST / f"mlflow-ai-gateway-{VERSION}-linux-{processor}{kind}.tar.gz"


def unpack(archive: Path, folder: Path) -> Path:
    """Returns the one folder in the archive, without the suffix of debug symbols, which belong into the same one."""
    with tarfile.open(archive) as content:
        content.extractall(folder)
    return folder / archive.name[: -len(".tar.gz")]


def output(*command: object) -> str:
    done = subprocess.run([need(str(command[0])), *map(str, command[1:])], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def binutils(processor: str) -> str:
    """How the names of the tools for a processor begin."""
    return "" if processor == HERE else f"{processor}-linux-gnu-"


@pytest.fixture(scope="module", params=PROCESSORS)
def processor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def unpacked(processor: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(archive_of(processor), tmp_path_factory.mktemp(processor))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive for this machine's processor."""
    return unpack(archive_of(HERE), tmp_path_factory.mktemp("here"))


def test_checksums() -> None:
    lines = (DIST / "SHA256SUMS").read_text().splitlines()
    names = {line.split()[1] for line in lines}
    assert names == {path.name for path in DIST.iterdir() if path.suffix in (".gz", ".json")} and len(names) == 6
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((DIST / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("kind", ["", "-debug"])
def test_archives_are_reproducible(processor: str, kind: str) -> None:
    with tarfile.open(archive_of(processor, kind)) as content:
        members = content.getmembers()
    assert len({member.mtime for member in members}) == 1
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}
    names = [member.name for member in members]
    assert names == sorted(names, key=lambda name: name.split("/"))


def test_the_shared_library_and_the_program_need_an_old_glibc_only(unpacked: Path) -> None:
    for file in ("lib/libmlflow_ai_gateway.so", PROGRAM):
        symbols = output("readelf", "--dyn-syms", "-W", unpacked / file)
        versions = {tuple(map(int, found.split("."))) for found in re.findall(r"@GLIBC_([0-9.]+)", symbols)}
        assert versions and max(versions) <= OLDEST_GLIBC


def test_libraries_and_the_program_are_for_the_processor(unpacked: Path, processor: str) -> None:
    names = {"x86_64": "X86-64", "aarch64": "AArch64"}
    for file in ("lib/libmlflow_ai_gateway.so", "lib/libmlflow_ai_gateway.a", PROGRAM):
        assert names[processor] in output("readelf", "-h", unpacked / file)


def test_no_file_contains_a_path_of_this_machine(unpacked: Path, processor: str, tmp_path: Path) -> None:
    symbols = next(unpack(archive_of(processor, "-debug"), tmp_path).rglob("*.debug"))
    output(f"{binutils(processor)}objcopy", "--decompress-debug-sections", symbols)
    files = [file for file in unpacked.rglob("*") if file.is_file()]
    cargo_home = str(os.environ.get("CARGO_HOME", Path.home() / ".cargo")).encode()
    assert [file for file in [*files, symbols] if cargo_home in file.read_bytes()] == []
    assert [file for file in files if str(ROOT).encode() in file.read_bytes()] == []


def test_the_static_library_is_small_and_has_no_other_global_symbol(unpacked: Path) -> None:
    library = unpacked / "lib/libmlflow_ai_gateway.a"
    assert library.stat().st_size <= MOST_BYTES_OF_STATIC_LIBRARY
    names = re.findall(r" (\w+)$", output("readelf", "--symbols", "-W", library), re.M)
    of_shared = output("readelf", "--dyn-syms", "-W", unpacked / "lib/libmlflow_ai_gateway.so")
    exported = set(re.findall(r" (mlflow_gateway_\w+)$", of_shared, re.M))
    listed = re.findall(r" (?:GLOBAL|WEAK) +DEFAULT +(?!UND)\S+ (\S+)$", output("readelf", "-sW", library), re.M)
    assert exported and set(listed) == exported <= set(names)


def test_the_sbom_lists_the_packages_of_the_library(processor: str) -> None:
    sbom = json.loads((DIST / f"mlflow-ai-gateway-{VERSION}-linux-{processor}.cdx.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["name"] == "mlflow-ai-gateway"
    listed = {(component["name"], component["version"]) for component in sbom["components"]}
    command = ["cargo", "tree", "--locked", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"]
    tree = output(*command, f"--target={processor}-unknown-linux-gnu")
    linked = set(re.findall(r"^(\S+) v(\S+)", tree, re.M)) - {("mlflow-ai-gateway", VERSION)}
    assert len(linked) > 15 and linked <= listed


def test_debug_symbols_give_the_line_of_an_address(unpacked: Path, processor: str, tmp_path: Path) -> None:
    """As a person would read a crash: the debug symbols are unpacked over the library."""
    debug = unpack(archive_of(processor, "-debug"), tmp_path)
    shared, symbols = unpacked / "lib" / f"libmlflow_ai_gateway.so.{VERSION}", f"libmlflow_ai_gateway.so.{VERSION}.debug"
    build_id = re.search(r"Build ID: ([0-9a-f]{40})", output("readelf", "-n", shared))[1]
    assert build_id in output("readelf", "-n", debug / "lib" / symbols)
    assert symbols.encode() in shared.read_bytes()

    (tmp_path / "lib").mkdir()
    for file in (shared, debug / "lib" / symbols):
        (tmp_path / "lib" / file.name).write_bytes(file.read_bytes())
    dynamic = output("readelf", "--dyn-syms", "-W", shared)
    address = re.search(r"([0-9a-f]{16}) .* mlflow_gateway_create$", dynamic, re.M)[1]
    place = [f"{binutils(processor)}addr2line", "--functions", f"--exe={tmp_path / 'lib' / shared.name}", address]
    function, line = output(*place).splitlines()
    assert function == "mlflow_gateway_create"
    assert re.fullmatch(r"\S*/src/ffi/gateway\.rs:\d+", line)
    (tmp_path / "lib" / symbols).unlink()
    assert output(*place).splitlines()[1].startswith("??:")


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_a_program_is_built_from_the_archive(way: Consumer, prefix: Path, tmp_path: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(way(prefix, tmp_path), gateway.url) == COMPLETION


@pytest.mark.parametrize("flags", [[], ["-tags=mlflow_static"]], ids=["shared", "static"])
def test_a_go_program_is_built_from_the_archive(flags: list[str], prefix: Path, tmp_path: Path) -> None:
    program = build_with_pkg_config(OLDEST, new_module(OLDEST, tmp_path), prefix, *flags)
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(program, gateway.url) == COMPLETION


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_a_program_of_the_archive_and_a_real_gateway(
    way: Consumer, prefix: Path, tmp_path: Path, real_gateway: RealGateway
) -> None:
    assert output_of(way(prefix, tmp_path), real_gateway.url) == COMPLETION


@pytest.mark.parametrize("library", ["libmlflow_ai_gateway.so", "libmlflow_ai_gateway.a"])
def test_a_program_runs_on_an_older_system(library: str, prefix: Path, tmp_path: Path) -> None:
    """In a root with glibc 2.31 and nothing of this project but the archive and a program that is linked with it."""
    shutil.rmtree(OLD_ROOT / "opt", ignore_errors=True)
    shutil.copytree(prefix, OLD_ROOT / "opt/gateway", symlinks=True)
    oldest = ".".join(map(str, OLDEST_GLIBC))
    command = [ROOT / "target/gateways/packaging/bin/python-zig", "cc", "-target", f"{HERE}-linux-gnu.{oldest}"]
    command += [MINIMAL, f"-I{prefix / 'include'}", prefix / "lib" / library, "-lunwind"]
    subprocess.run([*map(str, command), "-Wl,-rpath,/opt/gateway/lib", "-o", str(OLD_ROOT / "opt/app")], check=True)
    with ScriptedGateway(one_route(echo)) as gateway:
        environment = clean_environment({"MLFLOW_GATEWAY_URI": gateway.url})
        run = ["chroot", str(OLD_ROOT), "/opt/app"]
        done = subprocess.run(run, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, COMPLETION, "")


@pytest.mark.parametrize("target", ["mlflow_ai_gateway", "static"])
def test_cmake_fetches_the_archive(target: str, tmp_path: Path) -> None:
    archive = archive_of(HERE)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    project = FETCHING_PROJECT.replace("{archive}", str(archive)).replace("{hash}", digest)
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(cmake(project, target, tmp_path, []), gateway.url) == COMPLETION


@pytest.mark.parametrize("target", ["mlflow_ai_gateway", "static"])
def test_conan_packages_the_archive(target: str, prefix: Path, tmp_path: Path) -> None:
    environment = clean_environment({"CONAN_HOME": str(tmp_path / "conan")})

    def conan(*arguments: object) -> None:
        command = [ROOT / "target/gateways/packaging/bin/conan", *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr

    shared = f"*:shared={target != 'static'}"
    conan("profile", "detect")
    conan("export-pkg", prefix / "share/mlflow-ai-gateway/conan", "--options", shared)
    generators = ["--generator=CMakeDeps", "--generator=CMakeToolchain", f"--output-folder={tmp_path / 'conan-files'}"]
    conan("install", f"--requires=mlflow_ai_gateway/{VERSION}", "--no-remote", "--options", shared, *generators)
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'conan-files/conan_toolchain.cmake'}"
    with ScriptedGateway(one_route(echo)) as gateway:
        program = cmake(CMAKE_PROJECT, target, tmp_path / "app", [toolchain, "-DCMAKE_BUILD_TYPE=Release"])
        assert output_of(program, gateway.url) == COMPLETION


def test_two_static_libraries_written_in_rust_link(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "other.rs").write_text('#[no_mangle]\npub extern "C" fn two() -> i32 { "1 2".split(\' \').count() as i32 }\n')
    other = tmp_path / "libother.a"
    subprocess.run(["rustc", "--crate-type=staticlib", "-o", str(other), str(tmp_path / "other.rs")], check=True)
    caller = "#include <stdio.h>\nint two(void);\n__attribute__((constructor)) static void f(void) { printf(\"%d \", two()); }\n"
    (tmp_path / "caller.c").write_text(caller)
    words = pkg_config(prefix, "--static", "--cflags", "--libs")
    words = ["-l:libmlflow_ai_gateway.a" if word == "-lmlflow_ai_gateway" else word for word in words]
    program = tmp_path / "app"
    sources = [str(MINIMAL), str(tmp_path / "caller.c"), os.fspath(other)]
    subprocess.run(["cc", *sources, *words, "-o", str(program)], check=True)
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(program, gateway.url) == f"2 {COMPLETION}"
