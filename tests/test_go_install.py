"""A Go program of another module uses the binding with an installed library, in every way that bindings/go/README.md
describes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.builds import need
from support.consumers import output_of
from support.go_toolchains import OLDEST, TOOLCHAINS, Toolchain, build_with_pkg_config, new_module
from support.scripted_gateway import ScriptedGateway, echo, one_route
from test_install import make

pytestmark = pytest.mark.tool

WITH_ALL = pytest.mark.parametrize("toolchain", TOOLCHAINS, ids=lambda toolchain: toolchain.name)
WITH_SOME = pytest.mark.parametrize(
    "toolchain", TOOLCHAINS if os.environ.get("GO_TESTS") == "all" else [OLDEST], ids=lambda toolchain: toolchain.name
)
"""`make install-go-example` and `make test-go` set GO_TESTS=all."""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    make("install", PREFIX=folder)
    return folder


@pytest.fixture
def module(toolchain: Toolchain, tmp_path: Path) -> Path:
    return new_module(toolchain, tmp_path)


def check(program: Path, is_shared: bool) -> None:
    dynamic = subprocess.run([need("readelf"), "-d", str(program)], capture_output=True, text=True).stdout
    assert ("libmlflow_ai_gateway.so" in dynamic) == is_shared
    with ScriptedGateway(one_route(echo)) as gateway:
        assert output_of(program, gateway.url) == "echo: The capital of France is\n"


@WITH_ALL
def test_pkg_config_finds_the_library(toolchain: Toolchain, module: Path, prefix: Path) -> None:
    check(build_with_pkg_config(toolchain, module, prefix), is_shared=True)


@WITH_SOME
def test_archive_is_linked(toolchain: Toolchain, module: Path, prefix: Path) -> None:
    check(build_with_pkg_config(toolchain, module, prefix, "-tags=mlflow_static"), is_shared=False)


@WITH_SOME
def test_environment_names_the_library_for_a_vendored_binding(toolchain: Toolchain, module: Path, prefix: Path) -> None:
    toolchain.run("mod", "vendor", folder=module)
    shutil.rmtree(module.parent / "binding")
    flags = f"-L{prefix}/lib -lmlflow_ai_gateway -Wl,-rpath,{prefix}/lib"
    toolchain.run("build", "-mod=vendor", "-tags=mlflow_env", folder=module, CGO_LDFLAGS=flags, PKG_CONFIG="false")
    check(module / "app", is_shared=True)


@WITH_SOME
def test_build_without_cgo_names_what_is_missing(toolchain: Toolchain, module: Path) -> None:
    with pytest.raises(AssertionError, match="mlflowgateway_needs_cgo_set_CGO_ENABLED_to_1"):
        toolchain.run("build", folder=module, CGO_ENABLED="0")
