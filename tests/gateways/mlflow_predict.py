"""Calls a gateway with MLflow's Python client, for comparison. Runs inside `mlflow-2.8.1` and newer.

Reads lines like

    {"url": "http://127.0.0.1:5000", "route": "chat", "environment": {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}}

and prints a line for each: "OK", or the name of the exception. The environment variables apply to that line only.
"""

import json
import os
import sys
from typing import Any, Callable

INPUTS = {"messages": [{"role": "user", "content": "hi"}]}


def query_function(url: str) -> Callable[[str], Any]:
    """Returns the client's function that queries a route."""
    try:
        from mlflow.deployments import get_deploy_client

        client = get_deploy_client(url)
        return lambda route: client.predict(endpoint=route, inputs=INPUTS)
    except ImportError:
        pass
    except Exception as error:  # MLflow 2.8 does not support this target
        if "deployment" not in str(error).lower():
            raise
    from mlflow.gateway import MlflowGatewayClient

    return lambda route: MlflowGatewayClient(url).query(route, INPUTS)


def main() -> None:
    """Handles each line of standard input."""
    before = dict(os.environ)
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update({**before, **request["environment"]})
        try:
            query_function(request["url"])(request["route"])
            print("OK", flush=True)
        except Exception as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    main()
