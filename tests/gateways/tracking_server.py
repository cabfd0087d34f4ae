"""Starts the AI Gateway of MLflow's tracking server (`mlflow server`) with OpenAI-compatible upstreams."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from .install import install
from .processes import HOST, Server

VERSION = "3.17.2"
SECONDS_TO_SET_UP = 60

ENVIRONMENT = {
    "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_CRYPTO_KEK_PASSPHRASE": "only for tests, so no secret",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "only for tests, so no secret",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # no test runs jobs, and their runners need time and memory
    "MLFLOW_MODEL_CATALOG_URI": "",  # otherwise it requests prices from the internet
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",  # otherwise 3.17.2 loses the spans of a caller's trace
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

VERSIONS = ("3.9.0", "3.13.0", "3.17.2", "3.18.0")
HOSTS_FIXED_IN = {"gemini": VERSIONS, "anthropic": ("3.9.0",)}
"""The versions in which the host of a provider is not configurable."""


class Endpoint(NamedTuple):
    """An endpoint, and the root URL of its upstream (without `/v1`).

    With `usage_tracking` the server keeps a trace of each request. `workspace` is the endpoint's workspace on a server
    with workspaces. All endpoints of a provider in HOSTS_FIXED_IN have the same upstream.
    """

    name: str
    upstream_url: str
    usage_tracking: bool = False
    workspace: Optional[str] = None
    provider: str = "openai"


class Credentials(NamedTuple):
    """A user of the server. MLflow requires passwords of at least twelve characters."""

    username: str
    password: str


class Accounts(NamedTuple):
    """The users of a server with basic authentication: an admin, one who may use the endpoints, and one who may not."""

    admin: Credentials
    user: Credentials
    stranger: Credentials


def start(
    endpoints: Sequence[Endpoint],
    *,
    version: str = VERSION,
    accounts: Optional[Accounts] = None,
    prefix: str = "",
    with_workspaces: bool = False,
) -> Server:
    """Starts the tracking server with these endpoints. Installs it first if it is missing.

    With accounts it requires basic authentication. With a `prefix`, for example "/mlflow", all of its paths begin with
    the prefix; the server's `url` does not contain it.
    """
    python = install(f"mlflow-{version}") / "bin" / "python"

    def command(port: int, folder: Path) -> list[str]:
        options = ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", str(folder / "artifacts")]
        if accounts:
            (folder / "auth.ini").write_text(_auth_configuration(accounts.admin))
            options += ["--app-name", "basic-auth"]
        if prefix:
            options += ["--static-prefix", prefix]
        if with_workspaces:
            options += ["--enable-workspaces"]
        address = ["--host", HOST, "--port", str(port)]
        return [str(python.with_name("mlflow")), "server", *address, "--workers", "1", *options]

    environment = {**ENVIRONMENT, "MLFLOW_AUTH_CONFIG_PATH": "auth.ini"} if accounts else ENVIRONMENT
    for endpoint in endpoints:
        if version in HOSTS_FIXED_IN.get(endpoint.provider, ()):
            redirect, variable = str(Path(__file__).with_name("provider_hosts")), f"SCRIPTED_{endpoint.provider.upper()}"
            environment = {**environment, "PYTHONPATH": redirect, variable: endpoint.upstream_url}
    server = Server("mlflow-tracking", command, environment, health=f"{prefix}/health")
    try:
        _set_up(python, server.url + prefix, accounts, endpoints)
    except BaseException:
        server.stop()
        raise
    return server


def _auth_configuration(admin: Credentials) -> str:
    return (
        "[mlflow]\n"
        "default_permission = NO_PERMISSIONS\n"
        "database_uri = sqlite:///auth.db\n"
        f"admin_username = {admin.username}\n"
        f"admin_password = {admin.password}\n"
    )


def _set_up(python: Path, url: str, accounts: Optional[Accounts], endpoints: Sequence[Endpoint]) -> None:
    config = {
        "url": url,
        "accounts": accounts and {name: account._asdict() for name, account in accounts._asdict().items()},
        "endpoints": [endpoint._asdict() for endpoint in endpoints],
    }
    program = Path(__file__).with_name("tracking_set_up.py")
    done = subprocess.run(
        [str(python), "-I", str(program)],
        input=json.dumps(config),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_TO_SET_UP,
        env={"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "NO_PROXY": HOST},
    )
    if done.returncode != 0:
        raise RuntimeError(f"the tracking server's endpoints could not be created:\n{done.stdout}")
