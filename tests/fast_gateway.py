"""The gateway for a great many calls: tests/c/fast_gateway.c, and what it says that it was asked for."""

import contextlib
import subprocess
from collections.abc import Iterator

from builds import PROGRAMS, ROOT, compile_once
from scripted_gateway import HOST


class FastGateway:
    """It runs until the end of its `with`; what it was asked for is known afterwards."""

    def __init__(self) -> None:
        self.asked_for: dict[str, int] = {}
        """How often it was asked for each kind of answer, and in total ("total")."""

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Its URL."""
        with subprocess.Popen([_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield f"http://{HOST}:{int(process.stdout.readline())}"
            lines = process.communicate()[0].splitlines()
        assert process.returncode == 0
        self.asked_for = {kind: int(count) for kind, count in (line.split() for line in lines)}


def _program() -> str:
    source = ROOT / "tests/c/fast_gateway.c"
    return str(compile_once(PROGRAMS / "fast_gateway", ["gcc", "-O2", "-g", str(source)], [source]))
