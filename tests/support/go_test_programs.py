"""The tests of bindings/go as programs, one for each version of Go, which are compiled once and run in several modes."""

import fcntl
import subprocess
from pathlib import Path
from typing import NamedTuple, Optional

from support.go_toolchains import BINDING, CACHE, LIBRARY, NEWEST, OLDEST, Toolchain

WITH_SERVERS = ("TestReal", "TestEveryFault", "TestNameLookup")
"""The first words of tests that need a server or an environment from here. They have build tags of their own."""
TAGS = "mlflow_env,real,faults"
SETTINGS = {**LIBRARY, "GOFLAGS": f"-tags={TAGS}"}
"""The environment of a go command that works with all tests."""

_COMPILED: set[Path] = set()


class TestProgram(NamedTuple):
    """All tests of the package, compiled in one way."""

    __test__ = False  # for pytest

    name: str
    toolchain: Toolchain
    flags: tuple[str, ...] = ()
    experiment: str = ""

    def compile(self) -> Path:
        """Compiles the tests, and returns the program. Several processes may need it: one compiles it at a time."""
        program = CACHE / "tests" / "".join([self.toolchain.name, *self.flags])
        if program not in _COMPILED:
            program.parent.mkdir(parents=True, exist_ok=True)
            with program.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                new = program.with_suffix(".new")
                command = ("test", "-c", *self.flags, "-o", str(new), ".")
                self.toolchain.run(*command, **SETTINGS, GOEXPERIMENT=self.experiment)
                new.replace(program)
            _COMPILED.add(program)
        return program

    def run(self, names: Optional[str] = None, *arguments: str, **environment: str) -> None:
        """Runs tests, which must pass: those that match `names`, or all that need nothing from here."""
        names = names or f"^({'|'.join(self.independent())})$"
        done = self._start(f"-test.run={names}", *arguments, **environment)
        assert done.returncode == 0, f"{self.name} {environment}\n{done.stdout}"
        assert "no tests to run" not in done.stdout

    def independent(self) -> list[str]:
        """The names of the tests that need nothing from here."""
        names = [name for name in self._start("-test.list=.").stdout.split() if name.startswith("Test")]
        return [name for name in names if not name.startswith(WITH_SERVERS)]

    def _start(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nice", str(self.compile()), *arguments], cwd=BINDING, env=self.toolchain.environment(environment),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
        )  # fmt: skip


WITH_OLDEST = TestProgram("Go 1.19", OLDEST)
WITH_NEWEST = TestProgram("the newest Go, with race detector and cgocheck2", NEWEST, ("-race",), "cgocheck2")
