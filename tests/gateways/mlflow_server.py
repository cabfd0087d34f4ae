"""Starts a real MLflow gateway (`mlflow gateway start`) with OpenAI-compatible upstreams."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from .install import install
from .processes import HOST, Server

COMPLETIONS = "llm/v1/completions"
CHAT = "llm/v1/chat"
EMBEDDINGS = "llm/v1/embeddings"


class Route(NamedTuple):
    """A route (MLflow 2.8 and older) or endpoint (newer), and the root URL of its upstream."""

    name: str
    type: str
    upstream_url: str


class Split(NamedTuple):
    """A route that splits its traffic evenly over chat routes (3.6 and newer)."""

    name: str
    destinations: tuple[str, ...]


def start(
    version: str,
    upstream_url: str,
    embeddings_url: Optional[str] = None,
    more_routes: Sequence[Route] = (),
    splits: Sequence[Split] = (),
) -> Server:
    """Starts MLflow `version` with the routes `completions`, `chat`, `embeddings` (if it has an upstream) and more.

    Installs that version first if it is missing. The upstreams are OpenAI-compatible servers, given by their root URL
    (without `/v1`).
    """
    environment = install(f"mlflow-{version}")
    routes = [Route("completions", COMPLETIONS, upstream_url), Route("chat", CHAT, upstream_url)]
    if embeddings_url:
        routes.append(Route("embeddings", EMBEDDINGS, embeddings_url))
    config = {**_config(version, [*routes, *more_routes]), **_splits(splits)}
    binaries = environment / "bin"

    def command(port: int, folder: Path) -> list[str]:
        file = folder / "gateway.yaml"
        file.write_text(json.dumps(config, indent=2))  # JSON is YAML too
        address = ["--host", HOST, "--port", str(port)]
        return [
            str(binaries / "mlflow"), "gateway", "start", "--config-path", str(file), *address, "--workers", "1",
        ]  # fmt: skip

    return Server(f"mlflow-{version}", command, {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"})


def _splits(splits: Sequence[Split]) -> dict[str, object]:
    """The configuration of splits. Newer files have routes again, in addition to endpoints."""
    entries = [
        {
            "name": split.name,
            "task_type": CHAT,
            "destinations": [
                {"name": name, "traffic_percentage": 100 // len(split.destinations)} for name in split.destinations
            ],
        }
        for split in splits
    ]
    return {"routes": entries} if entries else {}


def _config(version: str, routes: Sequence[Route]) -> dict[str, object]:
    """The configuration of routes. MLflow 2.9 renamed them to endpoints, in paths and in the configuration file."""
    old = tuple(int(part) for part in version.split(".")[:2]) < (2, 9)
    entries = [
        {
            "name": route.name,
            "route_type" if old else "endpoint_type": route.type,
            "model": {
                "provider": "openai",
                "name": "smollm2",
                "config": {"openai_api_key": "none", "openai_api_base": f"{route.upstream_url}/v1"},
            },
        }
        for route in routes
    ]
    return {"routes" if old else "endpoints": entries}
