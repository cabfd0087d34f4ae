"""Environment variables and the files they name: effect, precedence, invalid values, and time of reading.

Variables of Databricks are in test_databricks_profiles.py, and those of proxies in test_proxy.py.
"""

import base64
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional, Union

import pytest
import trustme
from support.builds import SHARED, clean_environment
from support.calls import call
from support.databricks_workspace import PAT, Workspace, header, profile
from support.operations import perform, perform_all
from support.scripted_gateway import CHAT_ROUTE, HOST, Handler, Request, ScriptedGateway, one_route, refused_port
from support.timing import three_attempts

SEND_PROMPT = ("prompt hi", "send")
TIMEOUTS = (
    "MLFLOW_DEPLOYMENT_PREDICT_TOTAL_TIMEOUT",
    "MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
)
BUNDLES = ("MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"
CLIENT = "MLFLOW_TRACKING_CLIENT_CERT_PATH"


def chat(handler: Handler, request: Request) -> None:
    handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})


def chat_gateway(tls: Optional[ssl.SSLContext] = None) -> ScriptedGateway:
    return ScriptedGateway(one_route(chat, CHAT_ROUTE), tls)


def sent(name: str, env: dict[str, str], *commands: str) -> str:
    """Returns the value of a request header."""
    with chat_gateway() as gateway:
        outcome = perform(gateway.url, *commands, *SEND_PROMPT, env=env)
    assert outcome.status == "OK", outcome
    values = {header(request, name) for request in gateway.requests}
    assert len(values) == 1, "all requests carry the same"
    return values.pop()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# Gateway URI


@pytest.mark.parametrize("name", ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"])
def test_gateway_uri_is_read_from_the_environment(name: str) -> None:
    with chat_gateway() as gateway, refused_port() as port:
        assert perform(None, *SEND_PROMPT, env={name: gateway.url}).status == "OK"
        outcome = perform(gateway.url, *SEND_PROMPT, env={name: f"http://{HOST}:{port}"})
        assert outcome.status == "OK", "the argument takes precedence"


def test_mlflow_gateway_uri_takes_precedence_over_deployments_target() -> None:
    with chat_gateway() as gateway, refused_port() as port:
        env = {"MLFLOW_GATEWAY_URI": gateway.url, "MLFLOW_DEPLOYMENTS_TARGET": f"http://{HOST}:{port}"}
        assert perform(None, *SEND_PROMPT, env=env).status == "OK"
        assert perform(None, *SEND_PROMPT, env={**env, "MLFLOW_GATEWAY_URI": ""}).status == "CONNECT_FAILED"


def test_tracking_uri_is_the_last_fallback() -> None:
    with chat_gateway() as gateway, refused_port() as port:
        other = f"http://{HOST}:{port}"
        assert perform(None, *SEND_PROMPT, env={"MLFLOW_TRACKING_URI": gateway.url}).status == "OK"
        for name in ("MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"):
            assert perform(None, *SEND_PROMPT, env={"MLFLOW_TRACKING_URI": other, name: gateway.url}).status == "OK"
        for store in ("sqlite:///mlflow.db", "file:///mlruns", "mlruns", "databricks-uc", "openai"):
            outcome = call("-", "hi", environment={"MLFLOW_TRACKING_URI": store})
            assert outcome.status == "NO_GATEWAY_URI" and "MLFLOW_TRACKING_URI" in outcome.text, store


@pytest.mark.parametrize("name", ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET", "MLFLOW_TRACKING_URI"])
def test_gateway_uri_of_the_environment_may_be_databricks(name: str, tmp_path: Path) -> None:
    with Workspace() as workspace:
        outcome = perform(None, *SEND_PROMPT, route="chat", env={name: "databricks", **workspace.environment()})
        assert outcome.status == "OK", outcome
        (tmp_path / ".databrickscfg").write_text(profile("work", host=workspace.url, token=PAT))
        outcome = perform(None, *SEND_PROMPT, route="chat", env={name: "databricks://work", "HOME": str(tmp_path)})
        assert outcome.status == "OK", outcome


def with_spaces_and_quotes(value: str) -> list[str]:
    """A value with the spaces and quotes that copying and settings files add."""
    return [f" {value}", f"{value}\n", f"{value}\r\n", f'"{value}"', f"'{value}'", f'\t"{value}" \n']


@pytest.mark.parametrize("name", ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"])
def test_spaces_and_quotes_around_the_gateway_uri_are_ignored(name: str) -> None:
    with chat_gateway() as gateway:
        for value in with_spaces_and_quotes(gateway.url):
            assert perform(None, *SEND_PROMPT, env={name: value}).status == "OK", repr(value)


def test_spaces_and_quotes_around_a_token_are_ignored() -> None:
    for value in with_spaces_and_quotes("hunter2"):
        assert sent("Authorization", {"MLFLOW_TRACKING_TOKEN": value}) == "Bearer hunter2", repr(value)
    assert sent("Authorization", {"MLFLOW_TRACKING_TOKEN": '""'}) == ""


def test_spaces_and_quotes_around_databricks_settings_are_ignored(tmp_path: Path) -> None:
    with Workspace() as workspace:
        for environment in (workspace.environment(), workspace.service_environment()):
            for at in range(len(with_spaces_and_quotes(""))):
                env = {name: with_spaces_and_quotes(value)[at] for name, value in environment.items()}
                outcome = perform("databricks", *SEND_PROMPT, route="chat", env=env)
                assert outcome.status == "OK", (env, outcome)
        (tmp_path / ".databrickscfg").write_text(profile("work", host=f'"{workspace.url}"', token=f'"{PAT}"'))
        env = {"HOME": str(tmp_path), "DATABRICKS_CONFIG_PROFILE": "work\n"}
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env=env)
        assert outcome.status == "OK", outcome


@pytest.mark.parametrize("rest", ["/?o=1", "?o=1", "/browse/folders/2?o=1#job/3", "/#setting"])
def test_databricks_host_may_be_a_url_of_the_browser(rest: str, tmp_path: Path) -> None:
    with Workspace() as workspace:
        env = {**workspace.environment(), "DATABRICKS_HOST": workspace.url + rest}
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env=env)
        assert outcome.status == "OK", outcome
        (tmp_path / ".databrickscfg").write_text(profile("work", host=workspace.url + rest, token=PAT))
        outcome = perform("databricks://work", *SEND_PROMPT, route="chat", env={"HOME": str(tmp_path)})
        assert outcome.status == "OK", outcome
        named = {"HOME": str(tmp_path), "DATABRICKS_CONFIG_PROFILE": "work", "DATABRICKS_HOST": workspace.url}
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env=named)
        assert outcome.status == "OK", "the token of the profile belongs to the same host"


# Timeouts


def silent() -> ScriptedGateway:
    return ScriptedGateway(lambda handler, request: handler.stall())


@pytest.mark.parametrize("name", TIMEOUTS)
@three_attempts
def test_each_timeout_variable_limits_calls_and_options_override_it(name: str) -> None:
    SHARED.compile("operations.c")
    with silent() as gateway:
        start = time.monotonic()
        outcome = perform(gateway.url, *SEND_PROMPT, env={name: "1"})
        assert outcome.status == "TIMEOUT" and "1000 ms" in outcome.message, outcome
        assert 0.9 < time.monotonic() - start < 2
        outcome = perform(gateway.url, "handle-option timeout_ms=300", *SEND_PROMPT, env={name: "60"})
        assert outcome.status == "TIMEOUT" and "300 ms" in outcome.message, outcome


def test_timeout_variables_have_a_fixed_precedence() -> None:
    with silent() as gateway:
        for at, name in enumerate(TIMEOUTS):
            env = {**dict.fromkeys(TIMEOUTS[:at], ""), name: "1", **dict.fromkeys(TIMEOUTS[at + 1 :], "60")}
            outcome = perform(gateway.url, *SEND_PROMPT, env=env)
            assert outcome.status == "TIMEOUT" and "1000 ms" in outcome.message, (name, outcome)


CLIENT_TIMEOUT = "MLFLOW_DEPLOYMENT_CLIENT_HTTP_REQUEST_TIMEOUT"
NOT_PREDICTING = ["list", "get-route r", "health"]


@pytest.mark.parametrize("command", NOT_PREDICTING)
@three_attempts
def test_route_functions_have_their_own_timeout_variable(command: str) -> None:
    with silent() as gateway:
        outcome = perform(gateway.url, command, env={CLIENT_TIMEOUT: "1", TIMEOUTS[0]: "60"})
        assert outcome.status == "TIMEOUT" and "1000 ms" in outcome.message, outcome
        outcome = perform(gateway.url, command, env={TIMEOUTS[2]: "1"})
        assert outcome.status == "TIMEOUT" and "1000 ms" in outcome.message, outcome
        outcome = perform(gateway.url, "handle-option timeout_ms=300", command, env={CLIENT_TIMEOUT: "60"})
        assert outcome.status == "TIMEOUT" and "300 ms" in outcome.message, outcome


def test_timeout_variable_of_route_functions_does_not_limit_calls() -> None:
    with silent() as gateway:
        outcome = perform(gateway.url, *SEND_PROMPT, env={CLIENT_TIMEOUT: "60", TIMEOUTS[0]: "1"})
        assert outcome.status == "TIMEOUT" and "1000 ms" in outcome.message, outcome


# Authentication


def test_tracking_token_is_sent_and_overridden_by_the_option() -> None:
    assert sent("Authorization", {"MLFLOW_TRACKING_TOKEN": "hunter2"}) == "Bearer hunter2"
    assert sent("Authorization", {"MLFLOW_TRACKING_TOKEN": ""}) == ""
    mine = "handle-option bearer_token=mine"
    assert sent("Authorization", {"MLFLOW_TRACKING_TOKEN": "hunter2"}, mine) == "Bearer mine"


def test_tracking_username_and_password_are_sent_as_basic() -> None:
    env = {"MLFLOW_TRACKING_USERNAME": "mé", "MLFLOW_TRACKING_PASSWORD": "hunter2"}
    assert sent("Authorization", env) == basic("mé", "hunter2")
    for name in env:
        assert sent("Authorization", {name: env[name]}) == "", "both are required"
    assert sent("Authorization", {**env, "MLFLOW_TRACKING_TOKEN": "t"}) == basic("mé", "hunter2")
    mine = ("handle-option username=me", "handle-option password=mine")
    assert sent("Authorization", env, *mine) == basic("me", "mine")


def test_workspace_variable_is_sent_and_overridden_by_the_option() -> None:
    assert sent("X-MLFLOW-WORKSPACE", {"MLFLOW_WORKSPACE": "team-a"}) == "team-a"
    assert sent("X-MLFLOW-WORKSPACE", {"MLFLOW_WORKSPACE": "team-a"}, "handle-option workspace=b") == "b"
    assert sent("X-MLFLOW-WORKSPACE", {"MLFLOW_WORKSPACE": "team-a"}, "handle-option workspace=") == ""


class Home(NamedTuple):
    """A home folder with a file of credentials."""

    folder: Path

    def write(self, content: Union[str, bytes]) -> dict[str, str]:
        """Writes the file, and returns the environment that refers to it."""
        file = self.folder / ".mlflow/credentials"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return {"HOME": str(self.folder)}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


FILE = "[mlflow]\nmlflow_tracking_username = filed\nmlflow_tracking_password = hunter2\n"


def test_credentials_file_is_read_below_the_environment(home: Home) -> None:
    env = home.write(FILE)
    assert sent("Authorization", env) == basic("filed", "hunter2")
    assert sent("Authorization", {**env, "HOME": "/nowhere"}) == ""
    assert sent("Authorization", {**env, "HOME": ""}) == ""
    assert sent("Authorization", {**env, "MLFLOW_TRACKING_USERNAME": "me"}) == basic("me", "hunter2")
    assert sent("Authorization", {**env, "MLFLOW_TRACKING_PASSWORD": "p"}) == basic("filed", "p")
    assert sent("Authorization", env, "handle-option bearer_token=mine") == "Bearer mine"
    assert sent("Authorization", env, "handle-option password=mine") == basic("filed", "mine")
    assert sent("Authorization", {**env, "MLFLOW_TRACKING_TOKEN": "t"}) == basic("filed", "hunter2"), "as for MLflow"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FILE.replace("[mlflow]", "[other]"), ""),
        (FILE.replace("[mlflow]", "[DEFAULT]"), ""),
        ("[other]\nmlflow_tracking_username = no\n" + FILE + "[last]\nmlflow_tracking_password = x\n", "filed:hunter2"),
        (FILE.replace("\n", "\r\n"), "filed:hunter2"),
        ("\ufeff" + FILE, "filed:hunter2"),
        ("# x\n; y\n\n" + FILE.upper().replace("[MLFLOW]", "[mlflow]"), "FILED:HUNTER2"),
        (FILE.replace(" = ", ":"), "filed:hunter2"),
        (FILE.replace("hunter2", "p=q:r;s#t%%u"), "filed:p=q:r;s#t%u"),
        (FILE.replace("filed", "ü").replace("hunter2", "ß"), "ü:ß"),
        (FILE.replace("hunter2", ""), ""),
        (FILE.rstrip("\n"), "filed:hunter2"),
        ("", ""),
        ("no section\n", ""),
        ("[mlflow", ""),
    ],
)
def test_credentials_file_is_read_as_configparser_does(home: Home, content: str, expected: str) -> None:
    """In configparser, which MLflow uses, %% stands for a percent sign."""
    value = "Basic " + base64.b64encode(expected.encode()).decode() if expected else ""
    assert sent("Authorization", home.write(content)) == value


def test_unusable_credentials_file_is_invalid_option_value(home: Home) -> None:
    with refused_port() as port:
        for content in (b"[mlflow]\nmlflow_tracking_password = \xff\n", b"x" * 2_000_000):
            outcome = call(f"http://{HOST}:{port}", "hi", environment=home.write(content))
            assert outcome.status == "INVALID_OPTION_VALUE", outcome
            assert ".mlflow/credentials" in outcome.text and len(outcome.text) < 1000
        multiline = FILE.replace("filed", "a:b")
        outcome = call(f"http://{HOST}:{port}", "hi", environment=home.write(multiline))
        assert outcome.status == "INVALID_OPTION_VALUE" and "mlflow_tracking_username" in outcome.text, outcome
        assert "hunter2" not in outcome.text


# TLS


class Certificates(NamedTuple):
    """An authority, its file, the file of another authority, and a client certificate."""

    ca: trustme.CA
    file: str
    other: str
    client: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificates]:
    folder = tmp_path_factory.mktemp("environment")
    ca, other = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    other.cert_pem.write_to_path(str(folder / "other.pem"))
    ca.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    yield Certificates(ca, str(folder / "ca.pem"), str(folder / "other.pem"), str(folder / "client.pem"))


def secure(certificates: Certificates, wants_client: bool = False) -> ScriptedGateway:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.ca.issue_cert(HOST).configure_cert(context)
    if wants_client:
        context.verify_mode = ssl.CERT_REQUIRED
        certificates.ca.configure_trust(context)
    return chat_gateway(context)


def status(gateway: ScriptedGateway, env: dict[str, str], *commands: str) -> str:
    return perform(gateway.url, *commands, *SEND_PROMPT, env=env).status


@pytest.mark.parametrize("name", BUNDLES)
def test_ca_bundle_variable_is_trusted_and_overridden_by_the_option(certificates: Certificates, name: str) -> None:
    with secure(certificates) as gateway:
        assert status(gateway, {}) == "TLS_FAILED"
        assert status(gateway, {name: certificates.file}) == "OK"
        assert status(gateway, {name: certificates.other}) == "TLS_FAILED"
        option = f"handle-option ca_file={certificates.file}"
        assert status(gateway, {name: certificates.other}, option) == "OK", "the option takes precedence"
        assert status(gateway, {name: certificates.file}, "handle-option ca_file=") == "TLS_FAILED", "it is unset"


def test_ca_bundle_variables_have_a_fixed_precedence(certificates: Certificates) -> None:
    with secure(certificates) as gateway:
        for at, name in enumerate(BUNDLES):
            others = dict.fromkeys(BUNDLES[at + 1 :], certificates.other)
            assert status(gateway, {**dict.fromkeys(BUNDLES[:at], ""), name: certificates.file, **others}) == "OK", name
        env = {"SSL_CERT_FILE": certificates.file, BUNDLES[2]: certificates.other}
        assert status(gateway, env) == "TLS_FAILED", "they take precedence over the system's authorities"
        assert status(gateway, {"SSL_CERT_FILE": certificates.file}) == "OK"


@pytest.mark.parametrize(
    ("value", "is_insecure"),
    [("true", True), ("1", True), ("TRUE", True), ("false", False), ("0", False), ("", False)],
)
def test_insecure_tls_variable_disables_verification(certificates: Certificates, value: str, is_insecure: bool) -> None:
    with secure(certificates) as gateway:
        assert status(gateway, {INSECURE: value}) == ("OK" if is_insecure else "TLS_FAILED")


@pytest.mark.parametrize("file", ["/nowhere/at-all", "/", __file__])
@pytest.mark.parametrize("name", BUNDLES)
def test_option_overrides_an_unusable_ca_bundle_variable(
    certificates: Certificates, name: str, file: str
) -> None:
    with secure(certificates) as gateway:
        outcome = perform(gateway.url, *SEND_PROMPT, env={name: file})
        assert outcome.status == "INVALID_OPTION_VALUE" and name in outcome.message, outcome
        assert perform(gateway.url, "list", env={name: file}).status == "INVALID_OPTION_VALUE"
        assert gateway.requests == []
        assert status(gateway, {name: file}, f"handle-option ca_file={certificates.file}") == "OK"
        assert status(gateway, {name: file}, f"handle-option ca_file={certificates.other}") == "TLS_FAILED"
        assert status(gateway, {name: file}, "handle-option insecure_tls=true") == "OK"
        assert status(gateway, {name: file}, "handle-option insecure_tls=false") == "INVALID_OPTION_VALUE"
        machines = {name: file, "SSL_CERT_FILE": certificates.file}
        assert status(gateway, machines, "handle-option ca_file=") == "OK", "it is unset"


def test_option_overrides_an_unusable_client_certificate_variable(certificates: Certificates) -> None:
    with secure(certificates, wants_client=True) as gateway:
        env = {BUNDLES[0]: certificates.file, CLIENT: "/nowhere/at-all"}
        outcome = perform(gateway.url, *SEND_PROMPT, env=env)
        assert outcome.status == "INVALID_OPTION_VALUE" and CLIENT in outcome.message, outcome
        assert status(gateway, env, f"handle-option client_cert_file={certificates.client}") == "OK"
        assert status(gateway, env, "handle-option client_cert_file=") == "TLS_FAILED"
        both = {BUNDLES[0]: "/nowhere/at-all", CLIENT: "/nowhere/at-all"}
        trust = f"handle-option ca_file={certificates.file}"
        assert status(gateway, both, trust) == "INVALID_OPTION_VALUE"
        assert status(gateway, both, trust, f"handle-option client_cert_file={certificates.client}") == "OK"


def test_tls_options_take_precedence_over_tls_variables(certificates: Certificates) -> None:
    """An option resolves a contradiction of two variables."""
    with secure(certificates) as gateway:
        assert status(gateway, {INSECURE: "true"}, "handle-option insecure_tls=false") == "TLS_FAILED"
        assert status(gateway, {INSECURE: "true"}, f"handle-option ca_file={certificates.other}") == "TLS_FAILED"
        assert status(gateway, {INSECURE: "true"}, f"handle-option ca_file={certificates.file}") == "OK"
        assert status(gateway, {BUNDLES[0]: certificates.other}, "handle-option insecure_tls=true") == "OK"
        assert status(gateway, {BUNDLES[1]: certificates.other, INSECURE: "true"}) == "OK", "as in MLflow"


def test_client_certificate_variable_is_presented(certificates: Certificates) -> None:
    with secure(certificates, wants_client=True) as gateway:
        trust = {BUNDLES[0]: certificates.file}
        assert status(gateway, trust) == "TLS_FAILED"
        assert status(gateway, {**trust, CLIENT: certificates.client}) == "OK"
        unset = "handle-option client_cert_file="
        assert status(gateway, {**trust, CLIENT: certificates.client}, unset) == "TLS_FAILED"


def test_ca_bundle_variables_apply_to_databricks_and_its_tokens(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.ca.issue_cert(HOST).configure_cert(context)
    with Workspace(context) as workspace:
        env = {**workspace.service_environment(), "REQUESTS_CA_BUNDLE": certificates.file}
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env=env)
        assert outcome.status == "OK", outcome
        assert workspace.token_requests() == 1, "the token request used the same trust"


# Scope


def test_credentials_of_mlflow_and_databricks_are_not_mixed() -> None:
    """MLflow credentials are not sent to Databricks, and vice versa."""
    mlflow = {
        "MLFLOW_TRACKING_TOKEN": "hunter2", "MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "hunter2",
        "MLFLOW_WORKSPACE": "team",
    }  # fmt: skip
    with Workspace() as workspace:
        databricks = workspace.environment()
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**mlflow, **databricks})
        assert outcome.status == "OK", outcome
        assert set(workspace.credentials("/")) == {f"Bearer {PAT}"}
        for env in (databricks, workspace.service_environment()):
            assert sent("Authorization", env) == ""
            assert sent("Authorization", {**env, **mlflow}) == basic("me", "hunter2")


def test_tls_variables_are_ignored_for_http() -> None:
    """Such variables are often set for other programs."""
    env = {name: "/nowhere" for name in (*BUNDLES, CLIENT)}
    with chat_gateway() as gateway:
        assert perform(gateway.url, *SEND_PROMPT, env={**env, INSECURE: "maybe"}).status == "OK"


# Invalid values


INVALID = [
    *((name, value, "http") for name in (*TIMEOUTS, CLIENT_TIMEOUT) for value in ("0", "-1", "soon", "nan", "inf", "1e99", "1 s", "0x10")),
    ("MLFLOW_TRACKING_TOKEN", "hunter2\nX-A: b", "http"),
    ("MLFLOW_TRACKING_TOKEN", "hunter2" * 2000, "http"),
    ("MLFLOW_TRACKING_USERNAME", "hunter2:x", "http"),
    ("MLFLOW_TRACKING_PASSWORD", "hunter2\r", "http"),
    ("MLFLOW_WORKSPACE", "hunter2\n", "http"),
    *((name, "/nowhere/at-all", "https") for name in (*BUNDLES, CLIENT)),
    *((name, "/", "https") for name in (*BUNDLES, CLIENT)),
    *((name, __file__, "https") for name in (*BUNDLES, CLIENT)),
    (INSECURE, "yes", "https"),
    (INSECURE, "2", "https"),
    *((name, os.fsdecode(b"\xff\xfe"), "https") for name in (*TIMEOUTS, *BUNDLES, CLIENT, INSECURE)),
    *((name, os.fsdecode(b"\xff"), "http") for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE")),
]


@pytest.mark.parametrize(("name", "value", "scheme"), INVALID, ids=lambda value: repr(value[:24]))
def test_variable_with_an_invalid_value_is_named(name: str, value: str, scheme: str) -> None:
    """Ignoring the variable would send requests that the user did not configure."""
    outcome = call(f"{scheme}://{HOST}:1", "hi", environment={name: value})
    assert outcome.status == "INVALID_OPTION_VALUE" and outcome.attempts == 0, outcome
    assert name in outcome.text and "hunter2" not in outcome.text and len(outcome.text) < 1000, outcome.text


def test_contradictory_tls_variables_are_named(certificates: Certificates) -> None:
    environment = {INSECURE: "true", BUNDLES[0]: certificates.file}
    outcome = call(f"https://{HOST}:1", "hi", environment=environment)
    assert outcome.status == "INVALID_OPTION_VALUE", outcome
    assert INSECURE in outcome.text and BUNDLES[0] in outcome.text


@pytest.mark.parametrize("name", ["MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET"])
@pytest.mark.parametrize("value", ["localhost:5000", "http://me:hunter2@h", "ftp://h", os.fsdecode(b"http://\xff")])
def test_variable_with_an_invalid_uri_is_named(name: str, value: str) -> None:
    outcome = call("-", "hi", environment={name: value})
    assert outcome.status == "INVALID_URI" and name in outcome.text and "hunter2" not in outcome.text, outcome


# Time of reading


def test_environment_is_read_once_per_handle(certificates: Certificates, home: Home) -> None:
    """Later changes of the environment do not affect a handle."""
    env = {
        **home.write(FILE), "MLFLOW_WORKSPACE": "team", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "REQUESTS_CA_BUNDLE": certificates.file,
    }  # fmt: skip
    later = {
        "HOME": "/nowhere", "MLFLOW_WORKSPACE": "other", "MLFLOW_HTTP_REQUEST_TIMEOUT": "soon", BUNDLES[0]: "/nowhere",
        "MLFLOW_TRACKING_USERNAME": "other", "MLFLOW_TRACKING_TOKEN": "other", INSECURE: "maybe",
        "https_proxy": f"http://{HOST}:1", "MLFLOW_GATEWAY_URI": f"http://{HOST}:1", "DATABRICKS_TOKEN": "other",
    }  # fmt: skip
    changes = [f"setenv {name}={value}" for name, value in later.items()]
    with secure(certificates) as gateway:
        env["MLFLOW_GATEWAY_URI"] = gateway.url
        first, second = perform_all(None, *changes, "prompt hi", "send", "send", env=env)
        assert (first.status, second.status) == ("OK", "OK"), first
        assert {header(request, "Authorization") for request in gateway.requests} == {basic("filed", "hunter2")}
        assert {header(request, "X-MLFLOW-WORKSPACE") for request in gateway.requests} == {"team"}


def test_databricks_settings_are_read_once_per_handle(tmp_path: Path) -> None:
    later = ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET", "HOME")
    with Workspace() as workspace:
        changes = [f"setenv {name}=http://{HOST}:1" for name in later]
        outcome = perform("databricks", *changes, *SEND_PROMPT, route="chat", env=workspace.service_environment())
        assert outcome.status == "OK", outcome


MACHINE_VARIABLES = (
    *TIMEOUTS, *BUNDLES, INSECURE, CLIENT, "MLFLOW_TRACKING_TOKEN", "DATABRICKS_HOST", "MLFLOW_GATEWAY_URI",
    "http_proxy", "HTTP_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "LC_ALL", "TZ", "VALGRIND_OPTS", "GLIBC_TUNABLES",
)  # fmt: skip


def test_tests_do_not_depend_on_the_environment_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MACHINE_VARIABLES:
        monkeypatch.setenv(name, f"http://{HOST}:1")
    assert not clean_environment().keys() & set(MACHINE_VARIABLES)
    with chat_gateway() as gateway:
        assert perform(gateway.url, *SEND_PROMPT).status == "OK"
