"""`make install`: programs are built from the installed files alone, in the ways that pkg-config and CMake offer."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.builds import ADDRESS_LIBRARY, ROOT, clean_environment, need
from support.consumers import CONSUMERS, Consumer, output_of, pkg_config
from support.real_gateways import RealGateway
from support.scripted_gateway import ScriptedGateway, echo, one_route

MOST_BYTES_OF_STATIC_LIBRARY = 8_000_000

OTHER_RUST_LIBRARY = """\
#[no_mangle]
pub extern "C" fn count_words(text: *const std::ffi::c_char) -> usize {
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    std::panic::catch_unwind(|| text.to_str().unwrap().split_whitespace().count()).unwrap()
}
"""
PROGRAM_WITH_BOTH = """\
#include <mlflow_ai_gateway.h>
#include <stdio.h>
size_t count_words(const char *text);
int main(void)
{
    printf("%s %d\\n", mlflow_gateway_version(), (int)count_words("two words"));
    return 0;
}
"""


def make(target: str, **variables: object) -> None:
    """Runs make as after `make`, and as root may have to: without cargo."""
    command = ["make", "--silent", target, "CARGO=false", *(f"{name}={value}" for name, value in variables.items())]
    subprocess.run(command, cwd=ROOT, check=True, env=clean_environment())


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("install") / "prefix"
    make("install", PREFIX=folder)
    return folder


def test_destdir_and_prefix_contain_the_same_files(prefix: Path, tmp_path: Path) -> None:
    make("install", DESTDIR=tmp_path)
    assert files_in(tmp_path / "usr/local") == files_in(prefix)
    assert files_in(tmp_path) == {f"usr/local/{file}" for file in files_in(prefix)}
    assert {f"include/{path.name}" for path in (ROOT / "include").iterdir()} <= files_in(prefix)


def test_the_shared_library_has_its_version_in_its_name_and_two_links(prefix: Path) -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    real = f"libmlflow_ai_gateway.so.{version}"
    for link in ("libmlflow_ai_gateway.so", f"libmlflow_ai_gateway.so.{version.rsplit('.', 1)[0]}"):
        assert os.readlink(prefix / "lib" / link) == real
    notes = subprocess.run([need("readelf"), "-n", str(prefix / "lib" / real)], capture_output=True, text=True)
    assert re.search(r"Build ID: [0-9a-f]{40}\n", notes.stdout)


def batch(prefix: Path, url: str) -> dict:
    """Returns the result of the installed program for a prompt."""
    command = [str(prefix / "bin/mlflow-gateway-batch"), "-u", url]
    done = subprocess.run(
        command, input='{"id": 1, "prompt": "p"}', stdout=subprocess.PIPE, text=True, check=True, env=clean_environment()
    )
    return json.loads(done.stdout)


def test_the_program_batch_is_installed(prefix: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert batch(prefix, gateway.url)["text"] == "echo: p"
    assert "share/man/man1/mlflow-gateway-batch.1" in files_in(prefix)


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_a_program_is_built_from_the_installed_files(way: Consumer, prefix: Path, tmp_path: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(way(prefix, tmp_path), gateway.url) == "echo: The capital of France is\n"


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_an_installed_program_and_a_real_gateway(
    way: Consumer, prefix: Path, tmp_path: Path, real_gateway: RealGateway
) -> None:
    assert output_of(way(prefix, tmp_path), real_gateway.url) == "echo: The capital of France is\n"


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_a_moved_prefix_works(way: Consumer, prefix: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved here"
    shutil.copytree(prefix, moved, symlinks=True)
    hidden = prefix.with_name("hidden")
    prefix.rename(hidden)
    try:
        with ScriptedGateway(one_route(echo)) as gateway:
            assert output_of(way(moved, tmp_path / "build"), gateway.url) == "echo: The capital of France is\n"
            assert batch(moved, gateway.url)["text"] == "echo: p"
    finally:
        hidden.rename(prefix)


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_folders_outside_of_the_prefix(way: Consumer, tmp_path: Path) -> None:
    libraries, headers = tmp_path / "libraries", tmp_path / "headers"
    make("install", PREFIX=tmp_path / "prefix", LIBDIR=libraries, INCLUDEDIR=headers)
    with ScriptedGateway(one_route(echo)) as gateway:
        program = way(tmp_path / "prefix", tmp_path / "build", libraries)
        assert output_of(program, gateway.url) == "echo: The capital of France is\n"


@pytest.mark.parametrize(("wanted", "accepted"), [("0.2", True), ("0.2.0", True), ("0.1", False), ("0.3", False), ("1", False)])
def test_cmake_accepts_compatible_versions_only(wanted: str, accepted: bool, prefix: Path, tmp_path: Path) -> None:
    project = f"cmake_minimum_required(VERSION 3.16)\nproject(p C)\nfind_package(mlflow_ai_gateway {wanted} REQUIRED)\n"
    (tmp_path / "CMakeLists.txt").write_text(project)
    command = [need("cmake"), "-S", str(tmp_path), "-B", str(tmp_path / "build"), f"-DCMAKE_PREFIX_PATH={prefix}"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    assert (done.returncode == 0) == accepted, done.stderr
    assert accepted or "version: 0.2.0" in done.stderr


def test_uninstall_leaves_nothing(tmp_path: Path) -> None:
    make("install", DESTDIR=tmp_path)
    (tmp_path / "usr/local/lib/other.a").touch()
    make("uninstall", DESTDIR=tmp_path)
    assert files_in(tmp_path) == {"usr/local/lib/other.a"}
    assert not [path for path in tmp_path.rglob("*mlflow*")]


def test_the_static_library_is_small_and_has_no_other_global_symbol(prefix: Path) -> None:
    library = prefix / "lib/libmlflow_ai_gateway.a"
    assert library.stat().st_size <= MOST_BYTES_OF_STATIC_LIBRARY
    symbols = subprocess.run([need("nm"), "--defined-only", "-g", str(library)], capture_output=True, text=True).stdout
    names = set(re.findall(r"^[0-9a-f]+ \w (\w+)$", symbols, re.M))
    header = (ROOT / "include/mlflow_ai_gateway.h").read_text()
    assert names == set(re.findall(r"^(?:\w[\w *]*)?\b(mlflow_gateway_\w+)\(", header, re.M))
    sections = subprocess.run([need("readelf"), "-S", "-W", str(library)], capture_output=True, text=True).stdout
    assert ".text" in sections and ".debug_" not in sections and ".llvmbc" not in sections


def test_another_static_library_written_in_rust_links_beside_it(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "words.rs").write_text(OTHER_RUST_LIBRARY)
    (tmp_path / "both.c").write_text(PROGRAM_WITH_BOTH)
    other, library = tmp_path / "libwords.a", prefix / "lib/libmlflow_ai_gateway.a"
    subprocess.run(["rustc", "--crate-type=staticlib", "-o", str(other), str(tmp_path / "words.rs")], check=True)
    system = pkg_config(prefix, "--static", "--cflags", "--libs-only-l")
    for libraries in ([other, library], [library, other]):
        command = ["cc", str(tmp_path / "both.c"), *map(str, libraries), "-o", str(tmp_path / "both")]
        others = [word for word in system if word != "-lmlflow_ai_gateway"]
        subprocess.run([*command, "-Wl,--fatal-warnings", *others], check=True)
        done = subprocess.run([str(tmp_path / "both")], stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout == "0.2.0 2\n"


@pytest.mark.tool
def test_libraries_of_a_static_link_are_those_that_rustc_reports(prefix: Path) -> None:
    reported = ADDRESS_LIBRARY.with_name("native-static-libs").read_text().strip()
    assert reported.startswith("-l")
    written = (prefix / "lib/pkgconfig/mlflow_ai_gateway.pc").read_text()
    assert f"\nLibs.private: {reported}\n" in written
    cmake = (prefix / "share/cmake/mlflow_ai_gateway/mlflow_ai_gateway-config.cmake").read_text()
    assert f'"{reported.replace("-l", "").replace(" ", ";")}"' in cmake
