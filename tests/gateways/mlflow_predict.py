"""Asks a gateway as MLflow's own Python client does, to compare with: runs inside `mlflow-2.8.1` and later ones.

Reads lines like

    {"url": "http://127.0.0.1:5000", "route": "chat", "environment": {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}}

and prints for each one a line: "OK", or the name of the exception. The environment's variables hold for that line alone.
"""

import json
import os
import sys
from typing import Any, Callable

INPUTS = {"messages": [{"role": "user", "content": "hi"}]}


def asking(url: str) -> Callable[[str], Any]:
    """The client's function that asks a route."""
    try:
        from mlflow.deployments import get_deploy_client

        client = get_deploy_client(url)
        return lambda route: client.predict(endpoint=route, inputs=INPUTS)
    except ImportError:
        pass
    except Exception as problem:  # MLflow 2.8 does not know such a target
        if "deployment" not in str(problem).lower():
            raise
    from mlflow.gateway import MlflowGatewayClient

    return lambda route: MlflowGatewayClient(url).query(route, INPUTS)


def main() -> None:
    """Answers line by line, until there is no more."""
    before = dict(os.environ)
    for line in sys.stdin:
        question = json.loads(line)
        os.environ.clear()
        os.environ.update({**before, **question["environment"]})
        try:
            asking(question["url"])(question["route"])
            print("OK", flush=True)
        except Exception as problem:
            print(type(problem).__name__, flush=True)


if __name__ == "__main__":
    main()
