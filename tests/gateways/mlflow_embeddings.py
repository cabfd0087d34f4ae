"""Asks a gateway for embeddings as MLflow's own Python client does, to compare with: runs inside `mlflow-3.17.2`.

    echo '{"url": "http://127.0.0.1:5000", "endpoint": "embeddings", "inputs": ["a", "b"]}' | mlflow_embeddings.py

prints the vectors as a JSON list of lists, in the order of the inputs.
"""

import json
import sys

from mlflow.deployments import get_deploy_client


def main() -> None:
    """Reads the question from standard input and prints the vectors."""
    question = json.load(sys.stdin)
    client = get_deploy_client(question["url"])
    answer = client.predict(endpoint=question["endpoint"], inputs={"input": question["inputs"]})
    data = sorted(answer["data"], key=lambda entry: entry["index"])
    print(json.dumps([entry["embedding"] for entry in data]))


if __name__ == "__main__":
    main()
