"""`cargo cinstall` installs the files that `make install` installs, except the program."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.builds import ROOT
from support.consumers import CONSUMERS, Consumer, output_of
from support.scripted_gateway import ScriptedGateway, echo, one_route

BUILT_DIFFERENTLY = re.compile(r"lib/libmlflow_ai_gateway\.(a|so\..*)|.*\.pc|.*-paths\.cmake")
"""Files whose content may differ: cargo-c builds the libraries itself, and writes a pkg-config file of its own."""


PROGRAM = "bin/mlflow-gateway-batch"


def files_in(folder: Path) -> dict[str, str]:
    """The path of each file and link, and a link's target."""
    paths = [path for path in folder.rglob("*") if not path.is_dir()]
    return {str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else "" for path in paths}


@pytest.fixture(scope="module")
def cinstalled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cinstall") / "prefix"
    command = ["cargo", "cinstall", "--release", "--locked", f"--prefix={folder}", "--libdir=lib"]
    path = f"{ROOT / 'target/tools/cargo/bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CARGO_TARGET_DIR": str(ROOT / "target/cargo-c")}
    subprocess.run(command, cwd=ROOT, check=True, env=environment)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("install") / "prefix"
    subprocess.run(["make", "--silent", "install", f"PREFIX={folder}"], cwd=ROOT, check=True)
    return folder


def test_cargo_c_installs_the_same_files(cinstalled: Path, installed: Path) -> None:
    expected = files_in(installed)
    del expected[PROGRAM]
    assert files_in(cinstalled) == expected
    for file, target in expected.items():
        if not target and not BUILT_DIFFERENTLY.fullmatch(file):
            assert (cinstalled / file).read_bytes() == (installed / file).read_bytes(), file


def test_pkg_config_files_agree(cinstalled: Path, installed: Path) -> None:
    file = "lib/pkgconfig/mlflow_ai_gateway.pc"
    fields = [
        dict(re.findall(r"^(Name|Description|Version|Libs|Cflags|Libs\.private): (.*)$", (prefix / file).read_text(), re.M))
        for prefix in (cinstalled, installed)
    ]
    assert fields[0] == fields[1] and len(fields[0]) == 6


@pytest.mark.parametrize("way", CONSUMERS, ids=lambda way: way.__name__)
def test_a_program_is_built_from_what_cargo_c_installed(way: Consumer, cinstalled: Path, tmp_path: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(way(cinstalled, tmp_path), gateway.url) == "echo: The capital of France is\n"
