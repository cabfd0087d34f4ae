"""A gateway for measurements of load, tests/c/load_gateway: what it allows can be set, also while it serves."""

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

from support.builds import PROGRAMS, ROOT, compile_once
from support.scripted_gateway import HOST

SOURCES = ROOT / "tests/c/load_gateway"


class Counts(NamedTuple):
    """What it has counted since its start, or since `forget_counts`."""

    accepted: list[int]
    """Requests in each second, from the first request."""
    refused: list[int]
    """Responses with HTTP status 429 in each second."""
    most_requests: int
    """Requests at once that had arrived and had no response."""
    most_streams: int
    """Streams at once."""
    connections: int


class LoadGateway:
    """A running gateway. `url` is its URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def change(self, **settings: int) -> None:
        """Changes settings, which tests/c/load_gateway/settings.h lists."""
        self._get(f"/set?{_query(settings)}")

    def counts(self) -> Counts:
        return Counts(**json.loads(self._get("/counts")))

    def forget_counts(self) -> None:
        self._get("/reset")

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path) as response:
            return response.read()


@contextlib.contextmanager
def running(**settings: int) -> Iterator[LoadGateway]:
    """Starts a gateway with these settings, and stops it."""
    command = [_program(), _query(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield LoadGateway(f"http://{HOST}:{int(process.stdout.readline())}")
        process.stdin.close()
        assert process.wait() == 0


def _query(settings: dict[str, int]) -> str:
    return "&".join(f"{name}={value}" for name, value in settings.items())


def _program() -> str:
    sources = sorted(SOURCES.glob("*.[ch]"))
    command = ["gcc", "-O2", "-g", *(str(source) for source in sources if source.suffix == ".c")]
    return str(compile_once(PROGRAMS / "load_gateway", command, sources))
