"""Operations on the scripted workspace, as a user or a service principal."""

from support.databricks_workspace import (
    CLIENT_SECRET,
    PAT,
    Workspace,
)
from support.operations import Outcome, perform, perform_all

SEND_PROMPT = ("prompt hi", "send")


def send_as_user(workspace: Workspace, *commands: str, **options: object) -> Outcome:
    """Performs an operation as a user with a personal access token."""
    return perform("databricks", *commands, **{"route": "chat", "env": workspace.environment(), **options})


def send_as_service(workspace: Workspace, *commands: str, **options: object) -> list[Outcome]:
    """Performs operations as a service principal."""
    return perform_all("databricks", *commands, **{"route": "chat", "env": workspace.service_environment(), **options})


def texts(outcomes: list[Outcome]) -> list[str]:
    return [
        outcome.response.texts[0] if outcome.response else f"{outcome.status}: {outcome.message}"
        for outcome in outcomes
    ]


def contains_no_secret(outcome: Outcome) -> bool:
    output = str(outcome)
    return not any(secret in output for secret in (PAT, CLIENT_SECRET, "eyJraWQ"))
