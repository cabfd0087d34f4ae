"""The versions of Go that bindings/go is tested with, and how Go programs are built with the library."""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Optional

from gateways.install import TOOLS
from support.builds import RELEASE, ROOT, clean_environment

BINDING = ROOT / "bindings" / "go"
MODULE = "mlflow-ai-gateway/bindings/go"
CACHE = ROOT / "target" / "go"
LIBRARY = {"GOFLAGS": "-tags=mlflow_env", "CGO_LDFLAGS": f"-L{RELEASE} -lmlflow_ai_gateway -Wl,-rpath,{RELEASE}"}
"""The library that `make` has built."""


class Toolchain(NamedTuple):
    """One version of Go."""

    name: str
    go: Path

    def environment(self, more: Optional[dict[str, str]] = None) -> dict[str, str]:
        """A clean environment in which nothing is fetched."""
        settings = {
            "GOCACHE": str(CACHE / "cache"), "GOPATH": str(CACHE / "path"), "GOPROXY": "off", "GOTOOLCHAIN": "local",
            "GOENV": "off", "GOFLAGS": "", "CGO_ENABLED": "1",
            "PATH": f"{self.go.parent}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip
        return clean_environment({**settings, **(more or {})})

    def run(self, *arguments: str, folder: Path = BINDING, **environment: str) -> str:
        """Runs the go command, which must succeed, and returns its output."""
        command = ["nice", str(self.go), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=self.environment(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, f"{self.name}: go {' '.join(arguments)}\n{done.stdout}"
        return done.stdout


OLDEST = Toolchain("1.19", Path("/usr/lib/go-1.19/bin/go"))
NEWEST = Toolchain("newest", TOOLS / "go/bin/go")
TOOLCHAINS = (OLDEST, NEWEST)


def new_module(toolchain: Toolchain, folder: Path) -> Path:
    """Creates a module with the minimal program, which gets a copy of the binding by `go get`, and returns its folder."""
    binding, app = folder / "binding", folder / "app"
    shutil.copytree(BINDING, binding)
    app.mkdir()
    shutil.copy(BINDING / "examples/minimal/main.go", app)
    toolchain.run("mod", "init", "example.com/app", folder=app)
    toolchain.run("mod", "edit", f"-replace={MODULE}=../binding", folder=app)
    toolchain.run("get", MODULE, folder=app)
    return app


def build_with_pkg_config(toolchain: Toolchain, module: Path, prefix: Path, *arguments: str) -> Path:
    """Builds the program of a module with the library that is installed below a prefix, and returns it."""
    rpath = f"-ldflags=-extldflags=-Wl,-rpath,{prefix}/lib"
    toolchain.run("build", *arguments, rpath, folder=module, PKG_CONFIG_LIBDIR=f"{prefix}/lib/pkgconfig")
    return module / "app"


@functools.cache
def build_example(name: str) -> Path:
    """Builds an example of bindings/go with the library that `make` has built, and returns the program."""
    program = CACHE / "examples" / name
    OLDEST.run("build", "-o", str(program), f"./examples/{name}", **LIBRARY)
    return program
