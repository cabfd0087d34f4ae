"""The gems of `make gem`, in a root file system with a newer Ruby and nothing of this project but what they install."""

import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.builds import ROOT, clean_environment
from support.clean_root import CleanRoot
from support.scripted_gateway import ScriptedGateway, echo, one_route

from test_ruby import REPETITIONS, SUITES, scripted_gateways

DIST = ROOT / "target/dist"
RELEASE = "trixie"
PROCESSORS = ("x86_64", "aarch64")
HERE = platform.machine()
PROGRAM = """
require "mlflow_gateway"
puts MlflowGateway::Client.new(route: "r", uri: ARGV[0]).complete("hi").text!
"""


def gem_for(processor: str) -> Path:
    """The gem for a processor, or that without a library."""
    return only(f"mlflow_gateway-*-{processor}-linux.gem" if processor else "mlflow_gateway-*.*.[0-9].gem")


def only(pattern: str) -> Path:
    (path,) = DIST.glob(pattern)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Iterator[CleanRoot]:
    """A root with Ruby and its ffi gem."""
    with CleanRoot(f"{RELEASE}-with-packages", tmp_path / "root") as root:
        yield root


def install(root: CleanRoot, gem: Path) -> None:
    shutil.copy(gem, root.folder / "project")
    done = root.run("gem", "install", "--local", "--no-document", gem.name)
    assert done.returncode == 0, done.stdout + done.stderr


def check_completion(root: CleanRoot) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert root.output("ruby", "-e", PROGRAM, gateway.url) == "echo: hi\n"


@pytest.mark.parametrize("processor", PROCESSORS)
def test_gem_contains_the_library_of_the_archive(processor: str, tmp_path: Path) -> None:
    subprocess.run(["gem", "unpack", gem_for(processor), "--target", tmp_path], check=True, stdout=subprocess.DEVNULL)
    (library,) = tmp_path.glob("*/lib/mlflow_gateway/*.so*")
    with tarfile.open(only(f"mlflow-ai-gateway-*-linux-{processor}.tar.gz")) as archive:
        (member,) = [member for member in archive if member.isfile() and "/lib/libmlflow_ai_gateway.so." in member.name]
        assert archive.extractfile(member).read() == library.read_bytes()


def test_gem_for_this_processor_needs_only_ruby(root: CleanRoot) -> None:
    install(root, gem_for(HERE))
    check_completion(root)


def test_gem_without_a_library_uses_the_installed_archive(root: CleanRoot) -> None:
    install(root, gem_for(""))
    done = root.run("ruby", "-e", PROGRAM, "http://x")
    assert done.returncode == 1 and "libmlflow_ai_gateway.so.0.2" in done.stderr
    shutil.copy(only(f"mlflow-ai-gateway-*-linux-{HERE}.tar.gz"), root.folder / "project/archive.tar.gz")
    root.shell("tar -xzf archive.tar.gz --strip-components=1 -C /usr/local && ldconfig")
    check_completion(root)


@pytest.fixture(scope="module")
def root_with_gem(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CleanRoot]:
    """A root with the gem and its tests."""
    with CleanRoot(f"{RELEASE}-with-packages", tmp_path_factory.mktemp("gem") / "root") as root:
        install(root, gem_for(HERE))
        for folder in ("bindings/ruby/test", "include"):
            shutil.copytree(ROOT / folder, root.folder / "project" / folder)
        yield root


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite: str, root_with_gem: CleanRoot) -> None:
    with scripted_gateways() as gateways:
        library = Path(gateways["LD_PRELOAD"])
        shutil.copy(library, root_with_gem.folder / "project")
        variables = {**gateways, **REPETITIONS, "LD_PRELOAD": f"/project/{library.name}", "LANG": "C.UTF-8"}
        root = os.fspath(root_with_gem.folder)
        done = subprocess.run(
            ["unshare", "--fork", "--pid", f"--mount-proc={root}/proc", "chroot", root, "env", "--chdir=/project",
             *(f"{name}={value}" for name, value in variables.items()),
             "ruby", f"bindings/ruby/test/{suite}_test.rb"],
            capture_output=True, text=True, timeout=600, env=clean_environment(),
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
