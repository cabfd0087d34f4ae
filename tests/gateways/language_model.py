"""Starts a real, small language model (SmolLM2, 135 million parameters) behind llama.cpp's OpenAI-compatible server."""

from pathlib import Path

from .install import install
from .processes import HOST, Server


def start(parallel_responses: int = 4) -> Server:
    """Starts the model's server. Installs it first if it is missing."""
    python = install("language-model") / "bin" / "python"
    program = Path(__file__).with_name("llama_server.py")

    def command(port: int, _folder: Path) -> list[str]:
        return [str(python), str(program), HOST, str(port), str(parallel_responses)]

    return Server("language-model", command)
