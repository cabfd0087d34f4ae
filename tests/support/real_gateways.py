"""The running real gateways that the fixtures of conftest.py hand to tests."""

from typing import NamedTuple

from gateways.processes import Server
from gateways.scripted_upstream import ScriptedUpstream
from gateways.tracking_server import Accounts, Credentials

ACCOUNTS = Accounts(
    admin=Credentials("admin", "may do everything"),
    user=Credentials("user", "may use the endpoints"),
    stranger=Credentials("stranger", "may do nothing here"),
)
"""The accounts of the tracking server with basic authentication."""


class RealGateway(NamedTuple):
    """A real MLflow server, and the scripted upstream that plays the model behind it."""

    version: str
    server: Server
    upstream: ScriptedUpstream
    prefix: str = ""

    @property
    def url(self) -> str:
        return self.server.url + self.prefix
