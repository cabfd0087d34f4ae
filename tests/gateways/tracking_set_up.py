"""Makes the users and endpoints of a tracking server by MLflow's own client: runs inside the server's environment.

Standard input says which: see `_set_up` in tracking_server.py.
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
    """Reads what is wanted, and makes it."""
    wanted = json.load(sys.stdin)
    accounts = wanted["accounts"] or {}
    host = MlflowHostCreds(wanted["url"], **accounts.get("admin", {}))
    for workspace in sorted({endpoint["workspace"] for endpoint in wanted["endpoints"]} - {None}):
        make_workspace(host, workspace)
    for name in ("user", "stranger"):
        if name in accounts:
            http_request_safe(host, "/api/2.0/mlflow/users/create", "POST", json=accounts[name])
    for endpoint in wanted["endpoints"]:
        with inside(endpoint["workspace"]):
            endpoint_id = make_endpoint(RestStore(lambda: host), endpoint)
            if accounts:
                let_use(host, accounts["user"]["username"], endpoint_id)


def make_endpoint(store: RestStore, endpoint: dict) -> str:
    """Makes one endpoint, with a model and a secret of its own, and returns its id."""
    name, provider = endpoint["name"], endpoint["provider"]
    base = None if provider == "gemini" else {"api_base": f"{endpoint['upstream_url']}/v1"}
    secret = store.create_gateway_secret(name, {"api_key": "none"}, provider, auth_config=base)
    model = store.create_gateway_model_definition(name, secret.secret_id, provider, MODEL)
    models = [GatewayEndpointModelConfig(model.model_definition_id, GatewayModelLinkageType.PRIMARY)]
    has_usage_tracking = "usage_tracking" in inspect.signature(store.create_gateway_endpoint).parameters
    options = {"usage_tracking": endpoint["usage_tracking"]} if has_usage_tracking else {}
    return store.create_gateway_endpoint(name, models, **options).endpoint_id


def make_workspace(host: MlflowHostCreds, name: str) -> None:
    """Makes a workspace, which older servers do not have."""
    from mlflow.entities import Workspace
    from mlflow.store.workspace.rest_store import RestWorkspaceStore

    RestWorkspaceStore(lambda: host).create_workspace(Workspace(name))


def inside(workspace: Optional[str]) -> contextlib.AbstractContextManager:
    """What is made meanwhile lies in this workspace."""
    if workspace is None:
        return contextlib.nullcontext()
    from mlflow.utils.workspace_context import WorkspaceContext

    return WorkspaceContext(workspace)


def let_use(host: MlflowHostCreds, username: str, endpoint_id: str) -> None:
    """Lets a user see and use an endpoint."""
    grant = {
        "username": username,
        "resource_type": "gateway_endpoint",
        "resource_id": endpoint_id,
        "permission": "USE",
    }
    http_request_safe(host, "/api/3.0/mlflow/users/permissions/grant", "POST", json=grant)


if __name__ == "__main__":
    main()
