"""Creates the users and endpoints of a tracking server with MLflow's client, inside the server's environment.

Reads the configuration from standard input: see `_set_up` in tracking_server.py.
"""

import contextlib
import inspect
import json
import sys
from typing import Optional

from mlflow.entities.gateway_endpoint import GatewayEndpointModelConfig, GatewayModelLinkageType
from mlflow.store.tracking.rest_store import RestStore
from mlflow.utils.rest_utils import MlflowHostCreds, http_request_safe

MODEL = "smollm2"


def main() -> None:
    """Reads the configuration and creates the users and endpoints."""
    config = json.load(sys.stdin)
    accounts = config["accounts"] or {}
    host = MlflowHostCreds(config["url"], **accounts.get("admin", {}))
    for workspace in sorted({endpoint["workspace"] for endpoint in config["endpoints"]} - {None}):
        create_workspace(host, workspace)
    for name in ("user", "stranger"):
        if name in accounts:
            http_request_safe(host, "/api/2.0/mlflow/users/create", "POST", json=accounts[name])
    for endpoint in config["endpoints"]:
        with in_workspace(endpoint["workspace"]):
            endpoint_id = create_endpoint(RestStore(lambda: host), endpoint)
            if accounts:
                grant_use(host, accounts["user"]["username"], endpoint_id)


def create_endpoint(store: RestStore, endpoint: dict) -> str:
    """Creates an endpoint with its own model and secret, and returns its ID."""
    name, provider = endpoint["name"], endpoint["provider"]
    base = None if provider == "gemini" else {"api_base": f"{endpoint['upstream_url']}/v1"}
    secret = store.create_gateway_secret(name, {"api_key": "none"}, provider, auth_config=base)
    model = store.create_gateway_model_definition(name, secret.secret_id, provider, MODEL)
    models = [GatewayEndpointModelConfig(model.model_definition_id, GatewayModelLinkageType.PRIMARY)]
    has_usage_tracking = "usage_tracking" in inspect.signature(store.create_gateway_endpoint).parameters
    options = {"usage_tracking": endpoint["usage_tracking"]} if has_usage_tracking else {}
    return store.create_gateway_endpoint(name, models, **options).endpoint_id


def create_workspace(host: MlflowHostCreds, name: str) -> None:
    """Creates a workspace, which older servers do not support."""
    from mlflow.entities import Workspace
    from mlflow.store.workspace.rest_store import RestWorkspaceStore

    RestWorkspaceStore(lambda: host).create_workspace(Workspace(name))


def in_workspace(workspace: Optional[str]) -> contextlib.AbstractContextManager:
    """Endpoints are created in this workspace in_workspace the `with`."""
    if workspace is None:
        return contextlib.nullcontext()
    from mlflow.utils.workspace_context import WorkspaceContext

    return WorkspaceContext(workspace)


def grant_use(host: MlflowHostCreds, username: str, endpoint_id: str) -> None:
    """Permits a user to use an endpoint."""
    grant = {
        "username": username,
        "resource_type": "gateway_endpoint",
        "resource_id": endpoint_id,
        "permission": "USE",
    }
    http_request_safe(host, "/api/3.0/mlflow/users/permissions/grant", "POST", json=grant)


if __name__ == "__main__":
    main()
