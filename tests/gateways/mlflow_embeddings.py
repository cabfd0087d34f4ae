"""Requests embeddings with MLflow's Python client, for comparison. Runs inside `mlflow-3.17.2`.

    echo '{"url": "http://127.0.0.1:5000", "endpoint": "embeddings", "inputs": ["a", "b"]}' | mlflow_embeddings.py

prints the embeddings as a JSON list of lists, in input order.
"""

import json
import sys

from mlflow.deployments import get_deploy_client


def main() -> None:
    """Reads the request from standard input and prints the embeddings."""
    request = json.load(sys.stdin)
    client = get_deploy_client(request["url"])
    response = client.predict(endpoint=request["endpoint"], inputs={"input": request["inputs"]})
    data = sorted(response["data"], key=lambda entry: entry["index"])
    print(json.dumps([entry["embedding"] for entry in data]))


if __name__ == "__main__":
    main()
