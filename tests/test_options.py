"""Options that do not fit are refused when they are set, with the reason."""

from pathlib import Path

import pytest
import trustme
from builds import SHARED


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate, its key, another one's key, and files that are neither."""
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


def set_options(*settings: str) -> str:
    """Sets them on a handle; returns why the last one was refused, or nothing."""
    fields = ["http://127.0.0.1:1", "r", "hi", *(f"option:{setting}" for setting in settings)]
    done = SHARED.run("calls.c", input="\t".join(fields) + "\n")
    return done.stderr if done.returncode else ""


def test_files_that_fit_are_taken(files: dict[str, str]) -> None:
    assert set_options(f"ca_file={files['ca']}", "ca_file=", "insecure_tls=true") == ""
    assert set_options(f"client_cert_file={files['certificate']}", f"client_key_file={files['key']}") == ""


def test_what_does_not_fit_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    rows = [
        ([f"ca_file={tmp_path}/none"], "cannot be read: No such file"),
        ([f"ca_file={tmp_path}"], "holds no file"),
        ([f"client_cert_file={tmp_path}"], "cannot be read: Is a directory"),
        ([f"ca_file={files['text']}"], "the file holds no certificate"),
        ([f"ca_file={files['broken']}"], "cannot be used"),
        ([f"client_key_file={files['certificate']}"], "the file holds no private key"),
        ([f"client_cert_file={files['certificate']}", f"client_key_file={files['other key']}"], "is not the one of client_cert_file"),
        ([f"ca_file={files['ca']}", "insecure_tls=true"], "exclude each other"),
        (["insecure_tls=true", f"ca_file={files['ca']}"], "exclude each other"),
        (["insecure_tls=yes"], "true, false"),
        (["max_connections=-1"], "0 to 65536"),
    ]
    for settings, words in rows:
        refused = set_options(*settings)
        assert "MLFLOW_GATEWAY_INVALID_OPTION_VALUE" in refused and words in refused, (settings, refused)
