"""A gateway for very many calls, tests/c/fast_gateway.c, and its request counts."""

import contextlib
import subprocess
from collections.abc import Iterator

from support.builds import C99, PROGRAMS, ROOT, compile_once
from support.scripted_gateway import HOST


class FastGateway:
    """It runs until the end of its `with`; the counts are known afterwards."""

    def __init__(self) -> None:
        self.request_counts: dict[str, int] = {}
        """The number of requests for each kind of response, and in total ("total")."""

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Yields its URL."""
        with subprocess.Popen([_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield f"http://{HOST}:{int(process.stdout.readline())}"
            lines = process.communicate()[0].splitlines()
        assert process.returncode == 0
        self.request_counts = {kind: int(count) for kind, count in (line.split() for line in lines)}


def _program() -> str:
    source = ROOT / "tests/c/fast_gateway.c"
    return str(compile_once(PROGRAMS / "fast_gateway", [*C99, "-O2", str(source)], [source]))
