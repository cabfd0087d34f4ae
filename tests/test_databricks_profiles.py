"""Where the Databricks workspace and its credentials come from: variables, profiles, and ~/.databrickscfg."""

import ssl
from pathlib import Path

import pytest
import trustme
from support.calls import call
from support.databricks_client import SEND_PROMPT, send_as_user, texts
from support.databricks_workspace import (
    CLIENT_ID,
    CLIENT_SECRET,
    PAT,
    Workspace,
    profile,
)
from support.operations import perform, perform_all
from support.scripted_gateway import HOST


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for HOME."""
    return tmp_path


def test_databricks_host_may_have_a_slash_or_lack_a_scheme(workspace: Workspace, tmp_path: Path) -> None:
    with_slash = {**workspace.environment(), "DATABRICKS_HOST": f"{workspace.url}/"}
    assert texts([send_as_user(workspace, *SEND_PROMPT, env=with_slash)]) == ["echo: hi"]
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Workspace(tls_of(ca)) as secure:
        environment = {**secure.environment(), "DATABRICKS_HOST": f"{HOST}:{secure.port}"}
        trust = f"handle-option ca_file={tmp_path}/ca.pem"
        outcome = perform("databricks", trust, *SEND_PROMPT, route="chat", env=environment)
        assert texts([outcome]) == ["echo: hi"], "without a scheme it is https://"


def tls_of(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    return context


def test_profile_named_in_the_uri_ignores_the_environment(workspace: Workspace, home: Path) -> None:
    """Only the file counts: the environment names another workspace and another token."""
    other = {"DATABRICKS_HOST": "http://127.0.0.1:1", "DATABRICKS_TOKEN": "dapi-not-this-one"}
    default = profile("DEFAULT", host="http://127.0.0.1:1", token="nor-this-one")
    write(home, default + profile("work", host=workspace.url, token=PAT))
    outcome = perform("databricks://work", *SEND_PROMPT, route="chat", env={"HOME": str(home), **other})
    assert texts([outcome]) == ["echo: hi"]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"DATABRICKS_CONFIG_PROFILE": "work"},
        {"DATABRICKS_CONFIG_FILE": "elsewhere"},
        {"DATABRICKS_CONFIG_FILE": "~/in-the-home"},
        {"DATABRICKS_CONFIG_FILE": ""},
    ],
    ids=["none", "a profile", "a file", "a file of the home", "an empty one"],
)
def test_profile_or_file_named_by_the_environment_is_used(
    workspace: Workspace, home: Path, variables: dict[str, str]
) -> None:
    """DEFAULT of ~/.databrickscfg, or the profile, or the file, that a variable names."""
    right, wrong = {"host": workspace.url, "token": PAT}, {"host": "http://127.0.0.1:1", "token": "x"}
    name = variables.get("DATABRICKS_CONFIG_PROFILE", "DEFAULT")
    sections = "".join(profile(each, **(right if each == name else wrong)) for each in ("DEFAULT", "work", "play"))
    file = variables.get("DATABRICKS_CONFIG_FILE")
    if file:
        write(home, profile("DEFAULT", **wrong))
        (home / file.removeprefix("~/")).write_text(sections)
        variables = {"DATABRICKS_CONFIG_FILE": file if file.startswith("~/") else str(home / file)}
    else:
        write(home, sections)
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={"HOME": str(home), **variables})
    assert texts([outcome]) == ["echo: hi"]


def test_environment_takes_precedence_over_the_profile_file(workspace: Workspace, home: Path) -> None:
    """Key by key if it names a profile; otherwise any variable disables the file."""
    named = {"HOME": str(home), "DATABRICKS_CONFIG_PROFILE": "work"}
    write(home, profile("work", host=workspace.url, token="dapi-of-the-file"))
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**named, "DATABRICKS_TOKEN": PAT})
    assert texts([outcome]) == ["echo: hi"]
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**named, "DATABRICKS_TOKEN": ""})
    assert outcome.status == "UNAUTHORIZED", "an empty variable counts as unset"
    assert workspace.credentials()[-1] == "Bearer dapi-of-the-file"
    write(home, profile("work", token=PAT))
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**named, "DATABRICKS_HOST": workspace.url})
    assert texts([outcome]) == ["echo: hi"], "a profile without a host applies to any host"
    write(home, profile("DEFAULT", host=workspace.url, token="dapi-of-the-file"))
    outcome = call("databricks", "hi", route="chat", environment={"HOME": str(home), "DATABRICKS_TOKEN": PAT})
    assert outcome.status == "NO_GATEWAY_URI" and "DATABRICKS_HOST" in outcome.text, outcome


def test_token_of_a_profile_is_not_sent_to_another_host(workspace: Workspace, home: Path) -> None:
    """The environment may name a workspace other than the one that the file's token belongs to."""
    sections = profile("DEFAULT", host="http://127.0.0.1:1", token=PAT)
    sections += profile("service", host="http://127.0.0.1:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    write(home, sections)
    for variables in ({}, {"DATABRICKS_CONFIG_PROFILE": "DEFAULT"}, {"DATABRICKS_CONFIG_PROFILE": "service"}):
        env = {"HOME": str(home), "DATABRICKS_HOST": workspace.url, **variables}
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env=env)
        assert outcome.status == "UNAUTHORIZED" and "Credential was not sent" in outcome.message, outcome
    assert set(workspace.credentials("/")) == {""}


def test_service_principal_of_a_profile_gets_a_token(workspace: Workspace, home: Path) -> None:
    write(home, profile("service", host=workspace.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET))
    outcome = perform("databricks://service", *SEND_PROMPT, route="chat", env={"HOME": str(home)})
    assert texts([outcome]) == ["echo: hi"]
    assert workspace.token_requests() == 1


def test_profile_file_may_have_comments_spaces_bom_and_crlf(workspace: Workspace, home: Path) -> None:
    lines = [
        "; a comment", "# another one", "[DEFAULT]", "", "[other]", "host=http://127.0.0.1:1", "[ work ]", "[work]",
        f"  host   =   {workspace.url}/  ", "cluster_id = 0123", "# token = no", f"Token={PAT}", "", "[last]",
        "token = z",
    ]  # fmt: skip
    for end in ("\n", "\r\n"):
        write(home, "\ufeff" * (end == "\r\n") + end.join(lines))
        outcome = perform("databricks://work", *SEND_PROMPT, route="chat", env={"HOME": str(home)})
        assert texts([outcome]) == ["echo: hi"], repr(end)


def write(home: Path, content: str) -> None:
    (home / ".databrickscfg").write_bytes(content.encode())


@pytest.mark.parametrize(
    ("uri", "file", "environment", "phrase"),
    [
        ("databricks", None, {}, ["DATABRICKS_HOST", ".databrickscfg"]),
        ("databricks", None, {"DATABRICKS_TOKEN": "dapi-hunter2"}, ["DATABRICKS_HOST"]),
        ("databricks", None, {"DATABRICKS_CONFIG_PROFILE": "work"}, ["work", ".databrickscfg"]),
        ("databricks", None, {"DATABRICKS_CONFIG_FILE": "/none/file"}, ["/none/file"]),
        ("databricks", profile("DEFAULT", token="dapi-hunter2"), {}, ["host"]),
        ("databricks", profile("DEFAULT", host="ftp://x"), {}, ["host", "ftp"]),
        ("databricks", None, {"DATABRICKS_HOST": "ftp://x", "DATABRICKS_TOKEN": "dapi-hunter2"}, ["DATABRICKS_HOST"]),
        ("databricks://work", None, {}, ["work", ".databrickscfg"]),
        ("databricks://work", profile("play", host="http://x", token="dapi-hunter2"), {}, ["work"]),
        ("databricks://work", profile("DEFAULT", host="h") + profile("work", token="dapi-hunter2"), {}, ["host"]),
        ("databricks://scope:prefix", profile("scope", host="http://x", token="dapi-hunter2"), {}, ["scope"]),
        ("databricks://", profile("DEFAULT", host="http://x", token="dapi-hunter2"), {}, ["profile"]),
    ],
)  # fmt: skip
def test_error_names_what_is_missing_in_the_configuration(
    home: Path, uri: str, file: str, environment: dict[str, str], phrase: list[str]
) -> None:
    """A profile does not inherit from DEFAULT, as in Databricks' own tools."""
    if file is not None:
        write(home, file)
    outcome = call(uri, "hi", route="chat", environment={"HOME": str(home), **environment})
    assert outcome.status in ("INVALID_URI", "NO_GATEWAY_URI", "INVALID_OPTION_VALUE", "INVALID_ARGUMENT"), outcome
    assert outcome.attempts == 0
    for word in phrase:
        assert word in outcome.text, outcome.text
    assert "hunter2" not in outcome.text


def test_missing_credentials_are_unauthorized_until_set_as_option(workspace: Workspace, home: Path) -> None:
    """Without credentials the workspace refuses the request. Other profiles inherit none from DEFAULT."""
    write(home, profile("DEFAULT", token=PAT) + profile("work", host=workspace.url))
    for uri, env in (
        ("databricks", {"DATABRICKS_HOST": workspace.url}),
        ("databricks", {"DATABRICKS_HOST": workspace.url, "DATABRICKS_CLIENT_ID": CLIENT_ID}),
        ("databricks://work", {"HOME": str(home)}),
    ):
        outcomes = perform_all(uri, *SEND_PROMPT, f"handle-option bearer_token={PAT}", "send", route="chat", env=env)
        assert outcomes[0].status == "UNAUTHORIZED" and "Credential was not sent" in outcomes[0].message, outcomes[0]
        assert texts(outcomes[1:]) == ["echo: hi"]
    assert workspace.token_requests() == 0
