"""Options: ranges and defaults as documented, and rejection of invalid values when they are set."""

import re
from pathlib import Path

import pytest
import trustme
from support.builds import INCLUDE, SHARED
from support.calls import set_options

# The range and the default of each integer option, as in the header's table.
NUMBERS = {
    "timeout_ms": (1, 86400000, "300000"),
    "connect_timeout_ms": (0, 86400000, "10000"),
    "first_byte_timeout_ms": (0, 86400000, "0"),
    "idle_timeout_ms": (0, 86400000, "120000"),
    "stream_timeout_ms": (1, 86400000, "3600000"),
    "max_retries": (0, 10, "3; mlflow: 7"),
    "retry_backoff_ms": (1, 60000, "500"),
    "retry_max_backoff_ms": (1, 600000, "8000"),
    "max_redirects": (0, 10, "0"),
    "max_connections": (0, 65536, "64"),
    "keep_alive_ms": (0, 86400000, "60000"),
    "max_response_bytes": (1024, 1099511627776, "268435456"),
    "max_header_bytes": (1024, 65536, "16384"),
    "max_event_bytes": (1024, 1073741824, "16777216"),
    "max_gathered_bytes": (1024, 1099511627776, "268435456"),
    "embed_batch_size": (1, 100000, "20"),
    "embed_concurrency": (1, 64, "1"),
}

# The same of a queue. tests/c/test_queue_arguments.c sets them.
QUEUE_NUMBERS = {
    "max_in_flight": (1, 4096, "8"),
    "max_queued": (1, 1000000, "1024"),
    "max_events": (1, 65536, "64"),
    "requests_per_second": (0, 1000000, "0"),
    "tokens_per_minute": (0, 1000000000000, "0"),
}


def tables() -> tuple[str, str]:
    """The header's tables of options: of handles and requests, and of queues."""
    header = (INCLUDE / "mlflow_ai_gateway.h").read_text()
    of_handles, of_queues = re.findall(r"^ \*   name +values +default +.*\n((?: \*   .*\n)+)", header, re.M)
    return of_handles, of_queues


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate, its key, the key of another certificate, and files that are neither."""
    folder = tmp_path_factory.mktemp("options")
    ca = trustme.CA()
    one, other = ca.issue_cert("one@example.org"), ca.issue_cert("other@example.org")
    contents = {
        "ca": ca.cert_pem.bytes(),
        "certificate": one.cert_chain_pems[0].bytes(),
        "key": one.private_key_pem.bytes(),
        "other key": other.private_key_pem.bytes(),
        "text": b"hello",
        "broken": ca.cert_pem.bytes()[:200],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents}


def set_on_handle(*settings: str) -> str:
    """Like `set_options`, without a call afterwards, which could wait for long."""
    lines = ["route r", "uri http://127.0.0.1:1", *(f"handle-option {setting}" for setting in settings)]
    done = SHARED.run("operations.c", input="".join(f"{line}\n" for line in lines))
    return done.stderr if done.returncode else ""


def test_integer_options_have_the_ranges_and_defaults_of_the_header() -> None:
    """The table is complete, and its ranges are exact. Other tests check defaults that are short or small enough.
    """
    row = re.compile(r"^ \*   (\w+) (?:\*| ) *(\d+) to (\d+) {2,}(\S+(?: \S+)*)", re.M)
    for table, numbers in zip(tables(), (NUMBERS, QUEUE_NUMBERS)):
        rows = row.findall(table)
        assert {name: (int(first), int(last), default) for name, first, last, default in rows} == numbers
    allowed = [f"{name}={value}" for name, (first, last, _) in NUMBERS.items() for value in (first, last)]
    assert set_on_handle(*allowed) == ""
    for name, (first, last, _) in NUMBERS.items():
        for value in (first - 1, last + 1):
            error = set_on_handle(f"{name}={value}")
            assert "MLFLOW_GATEWAY_INVALID_OPTION_VALUE" in error and f"{first} to {last}" in error, error


def test_options_guide_has_a_section_for_each_option() -> None:
    """With the range and default of the header's table, and whether a request can set the option."""
    rows = dict(re.findall(r"^ \*   (\w+) (\*| )", "".join(tables()), re.M))
    guide = (INCLUDE.parent / "docs/options.md").read_text()
    sections = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", guide, re.M | re.S))
    assert sections.keys() == rows.keys()
    for name, mark in rows.items():
        assert ("Can be set on a request." in sections[name]) == (mark == "*"), name
    for name, (first, last, default) in (NUMBERS | QUEUE_NUMBERS).items():
        if name != "requests_per_second":
            assert f"Integer, {first} to {last}. Default: {default.partition(';')[0]}" in sections[name], name


def test_keyword_options_have_the_values_of_the_header() -> None:
    keywords = {
        "retry_policy": (("careful", "mlflow"), "careful, mlflow"),
        "retry_read_timeouts": (("true", "false"), "true, false"),
        "gather_stream": (("true", "false"), "true, false"),
        "require_text": (("true", "false"), "true, false"),
    }
    assert set_on_handle(*[f"{name}={keyword}" for name, (allowed, _) in keywords.items() for keyword in allowed]) == ""
    for name, (allowed, listed) in keywords.items():
        for keyword in ("", "yes", allowed[0].upper(), allowed[0] + " "):
            error = set_on_handle(f"{name}={keyword}")
            assert "MLFLOW_GATEWAY_INVALID_OPTION_VALUE" in error and listed in error, error


def test_error_for_an_unknown_option_lists_the_known_ones() -> None:
    error = set_on_handle("max_retry=3")
    assert "MLFLOW_GATEWAY_UNKNOWN_OPTION" in error, error
    for name in (*NUMBERS, "retry_policy", "retry_read_timeouts"):
        assert re.search(rf"\b{name}\b", error), (name, error)


def test_valid_files_are_accepted(files: dict[str, str]) -> None:
    assert set_options(f"ca_file={files['ca']}", "ca_file=", "insecure_tls=true") == ""
    assert set_options(f"client_cert_file={files['certificate']}", f"client_key_file={files['key']}") == ""


def test_invalid_values_are_rejected_with_the_reason(files: dict[str, str], tmp_path: Path) -> None:
    rows = [
        ([f"ca_file={tmp_path}/none"], "cannot be read: No such file"),
        ([f"ca_file={tmp_path}"], "contains no readable file"),
        ([f"client_cert_file={tmp_path}"], "cannot be read: Is a directory"),
        ([f"ca_file={files['text']}"], f"the file {files['text']} contains no certificate"),
        ([f"ca_file={files['broken']}"], "cannot be used"),
        ([f"client_key_file={files['certificate']}"], f"the file {files['certificate']} contains no private key"),
        ([f"client_cert_file={files['certificate']}", f"client_key_file={files['other key']}"], "does not match client_cert_file"),
        ([f"ca_file={files['ca']}", "insecure_tls=true"], "exclude each other"),
        (["insecure_tls=true", f"ca_file={files['ca']}"], "exclude each other"),
        (["insecure_tls=yes"], "true, false"),
        (["max_connections=-1"], "0 to 65536"),
    ]
    for settings, phrase in rows:
        error = set_options(*settings)
        assert "MLFLOW_GATEWAY_INVALID_OPTION_VALUE" in error and phrase in error, (settings, error)
