"""The commands of the guide's page about batches run, and each sends every line once."""

import collections
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from support.builds import ROOT, SHARED, clean_environment
from support.mpi import Mpi
from support.scripted_gateway import ScriptedGateway, echo, one_route
from support.scripted_model import post_requests

PAGE = (ROOT / "docs/guide/batch.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
ONE_MACHINE, SLURM, PARALLEL, MPI = SHELL
KUBERNETES = re.sub(r"\n +", " ", re.search(r"command: \[sh, -c, '(.*?)'\]", PAGE, re.S)[1])  # as YAML folds lines
COUNT = 20
SHARDS = 4


def results(*files: Path) -> list[str]:
    return sorted(json.loads(line)["text"] for file in files for line in file.read_text().splitlines())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with prompts, and the programs under their installed names in `bin`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mlflow-gateway-batch").symlink_to(SHARED.compile("batch.c"))
    (tmp_path / "bin/batch_mpi").symlink_to(Mpi("mpi").compile())
    prompts = [{"id": number, "prompt": f"p{number}"} for number in range(COUNT)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    return tmp_path


@pytest.mark.parametrize(
    ("script", "variable", "output"),
    [
        (ONE_MACHINE, None, "results.jsonl"),
        (PARALLEL, None, "results.jsonl"),
        (MPI, None, "results.jsonl"),
        (SLURM, "SLURM_ARRAY_TASK_ID", "results.[0-3].jsonl"),
        (KUBERNETES, "JOB_COMPLETION_INDEX", "results.[0-3].jsonl"),
    ],
    ids=["one-machine", "parallel", "mpi", "slurm", "kubernetes"],
)
def test_each_script_of_the_guide_sends_every_line_once(
    folder: Path, script: str, variable: str, output: str
) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        variables = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "MLFLOW_GATEWAY_URI": gateway.url,
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
        }
        for index in range(SHARDS if variable else 1):
            environment = clean_environment({**variables, **({variable: str(index)} if variable else {})})
            done = subprocess.run(
                ["sh", "-e", "-c", script], cwd=folder, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
        sent = collections.Counter(request.json()["prompt"] for request in post_requests(gateway))
    assert sent == {f"p{number}": 1 for number in range(COUNT)}
    assert results(*folder.glob(output)) == sorted(f"echo: p{number}" for number in range(COUNT))
