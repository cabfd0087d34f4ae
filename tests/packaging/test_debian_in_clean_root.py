"""The Debian packages of `make deb`, in a root file system with nothing of this project but what they install.

The programs are the examples that the packages install, built there with Debian's compilers.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.builds import ROOT, need
from support.clean_root import CleanRoot, release_of_this_machine
from support.real_gateways import RealGateway
from support.scripted_gateway import ScriptedGateway, echo, one_route

PACKAGES = sorted((ROOT / "target/deb").glob("*.deb"))
RUNTIME = [package for package in PACKAGES if package.name.startswith("libmlflow-ai-gateway0")]
COMPLETION = "echo: The capital of France is\n"
EXAMPLES = "/usr/share/doc/mlflow-ai-gateway/examples"

CMAKE_PROJECT = f"""\
cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(mlflow_ai_gateway 0.2 REQUIRED)
add_executable(app {EXAMPLES}/minimal.c)
target_link_libraries(app mlflow_ai_gateway::TARGET)
"""
CXX20_PROGRAM = """\
#include <iostream>
#include <mlflow_ai_gateway.hpp>

int main()
{
    static_assert(__cplusplus >= 202002L);
    mlflow::gateway::handle gateway("completions");
    std::cout << gateway.call("The capital of France is") << std::endl;
}
"""


class Consumer(NamedTuple):
    """A way to build a program with the installed library, as a script that makes /project/NAME/app."""

    script: str
    is_shared: bool


CONSUMERS = {
    "pkg-config": Consumer(
        f"cc -Wall -Wextra -Werror {EXAMPLES}/minimal.c $(pkg-config --cflags --libs mlflow_ai_gateway) -o app", True
    ),
    "pkg-config-static": Consumer(
        "found=$(pkg-config --static --cflags --libs mlflow_ai_gateway)\n"
        "found=$(echo $found | sed 's/-lmlflow_ai_gateway/-l:libmlflow_ai_gateway.a/')\n"
        f"cc {EXAMPLES}/minimal.c $found -o app",
        False,
    ),
    "cmake": Consumer("cmake -S . -B build && cmake --build build && mv build/app .", True),
    "cmake-static": Consumer("cmake -S . -B build && cmake --build build && mv build/app .", False),
    "c++20": Consumer(
        "g++ -std=c++20 -Wall -Wextra -Werror app.cpp $(pkg-config --cflags --libs mlflow_ai_gateway) -o app", True
    ),
}


@pytest.fixture(scope="module")
def clean_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CleanRoot]:
    """A root with compilers."""
    with CleanRoot(f"{release_of_this_machine()}-with-packages", tmp_path_factory.mktemp("root")) as root:
        yield root


@pytest.fixture(scope="module")
def files_before(clean_root: CleanRoot) -> set[str]:
    return clean_root.files()


@pytest.fixture(scope="module")
def root(clean_root: CleanRoot, files_before: set[str]) -> CleanRoot:
    """The root with all packages installed."""
    clean_root.install(PACKAGES)
    return clean_root


@pytest.fixture(scope="module")
def programs(root: CleanRoot) -> dict[str, str]:
    """The program of each consumer, by name."""
    for name, consumer in CONSUMERS.items():
        folder = root.folder / "project" / name
        folder.mkdir(parents=True)
        target = "mlflow_ai_gateway" if consumer.is_shared else "static"
        (folder / "CMakeLists.txt").write_text(CMAKE_PROJECT.replace("TARGET", target))
        (folder / "app.cpp").write_text(CXX20_PROGRAM)
        root.shell(f"cd {name}\n{consumer.script}")
    return {name: f"/project/{name}/app" for name in CONSUMERS}


def completion(root: CleanRoot, program: str, url: str) -> str:
    return root.output(program, environment={"MLFLOW_GATEWAY_URI": url})


def test_lintian_reports_neither_errors_nor_warnings() -> None:
    command = [need("lintian"), "--allow-root", "--fail-on=error,warning", *map(str, PACKAGES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_program_is_linked_as_it_says(name: str, root: CleanRoot, programs: dict[str, str]) -> None:
    dynamic = subprocess.run([need("readelf"), "-d", f"{root.folder}{programs[name]}"], capture_output=True, text=True)
    assert ("[libmlflow_ai_gateway.so.0.2]" in dynamic.stdout) == CONSUMERS[name].is_shared


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_program_and_a_real_gateway(
    name: str, root: CleanRoot, programs: dict[str, str], real_gateway: RealGateway
) -> None:
    assert completion(root, programs[name], real_gateway.url) == COMPLETION


def test_every_example_is_built(root: CleanRoot) -> None:
    root.shell(
        "flags='-Wall -Wextra -Wpedantic -Werror'; found=$(pkg-config --cflags --libs mlflow_ai_gateway)\n"
        f"for file in {EXAMPLES}/*.c; do\n"
        "    case $file in *_mpi.c) continue; esac  # The root has no MPI.\n"
        "    parts=${file%.c}_parts\n"
        "    cc $flags $file $([ ! -d $parts ] || ls $parts/*.c) $found -lm -o example\n"
        "done\n"
        f"for file in {EXAMPLES}/*.cpp; do g++ -std=c++17 $flags $file $found -o example; done\n"
        "rm example"
    )


def test_the_program_sends_prompts(root: CleanRoot) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        text = root.shell(f"echo '{{\"id\": 1, \"prompt\": \"p\"}}' | mlflow-gateway-batch -u {gateway.url} 2>&1")
    assert '"text": "echo: p"' in text


@pytest.mark.parametrize("page", ["mlflow_gateway_stream_next", "mlflow_ai_gateway", "mlflow-gateway-batch"])
def test_man_shows_a_page(page: str, root: CleanRoot) -> None:
    text = root.output("man", "--encoding=ascii", page, environment={"MANWIDTH": "100"})
    assert text.startswith(page) and "\nSYNOPSIS\n" in text


def test_a_package_that_uses_the_library_depends_on_it(root: CleanRoot, programs: dict[str, str]) -> None:
    """As dpkg-shlibdeps finds it, with which packages are built."""
    script = (
        "mkdir -p package/debian/app/DEBIAN package/debian/app/usr/bin && cd package\n"
        "printf 'Source: app\\n\\nPackage: app\\nArchitecture: any\\n' >debian/control\n"
        f"cp {programs['pkg-config']} debian/app/usr/bin\n"
        "dpkg-shlibdeps -O debian/app/usr/bin/app"
    )
    assert "libmlflow-ai-gateway0.2 (>= 0.2.0)" in root.shell(script)


def test_the_runtime_package_alone_runs_a_program(root: CleanRoot, programs: dict[str, str], tmp_path: Path) -> None:
    with CleanRoot(release_of_this_machine(), tmp_path) as bare, ScriptedGateway(one_route(echo)) as gateway:
        for name in ("pkg-config", "pkg-config-static"):
            shutil.copy(f"{root.folder}{programs[name]}", bare.folder / "project" / name)
        assert completion(bare, "/project/pkg-config-static", gateway.url) == COMPLETION
        done = bare.run("/project/pkg-config")
        assert done.returncode == 127 and "libmlflow_ai_gateway.so.0.2: cannot open shared object file" in done.stderr

        before = bare.files()
        bare.install(RUNTIME)
        assert completion(bare, "/project/pkg-config", gateway.url) == COMPLETION
        assert purge(bare) == 1
        assert bare.files() == before


def test_purging_leaves_nothing(root: CleanRoot, files_before: set[str]) -> None:
    """The last test: the others need the packages."""
    assert len(root.files()) > len(files_before)
    assert purge(root) == 4
    assert root.files() == files_before


def purge(root: CleanRoot) -> int:
    """Purges our packages, and returns how many there were."""
    names = root.shell("dpkg-query --show --showformat='${Package}\\n' '*mlflow*'").split()
    root.output("dpkg", "--purge", *names)
    return len(names)
