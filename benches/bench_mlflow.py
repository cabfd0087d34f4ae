"""MLflow's Python client for its gateway.

usage: bench_mlflow.py URL CALLS
"""

import json
import sys
import time

from mlflow.deployments import get_deploy_client

WARM_UP = 100
INPUTS = {"prompt": "The capital of Finland is", "max_tokens": 8, "temperature": 0.0}
TEXT = " Helsinki, a city of about 690,000 people now."

client = get_deploy_client(sys.argv[1])
calls = int(sys.argv[2])


def call() -> None:
    """Sends one request and checks the response."""
    response = client.predict(endpoint="completions", inputs=INPUTS)
    if response["choices"][0]["text"] != TEXT:
        raise SystemExit(f"wrong response: {response}")


for _ in range(WARM_UP):
    call()
start = time.perf_counter()
for _ in range(calls):
    call()
print(json.dumps({"seconds": time.perf_counter() - start, "calls": calls}))
