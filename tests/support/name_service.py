"""Host names that resolve to the addresses of a test, by the preloaded library tests/c/name_service.c."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.builds import ROOT


def name_service(folder: Path, names: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment in which these names resolve. `folder` contains the files of the service.

    A further call with the same folder changes the names, also for running programs.
    """
    library, file = folder / "name_service.so", folder / "names"
    if not library.exists():
        source = ROOT / "tests" / "c" / "name_service.c"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"], check=True)
    file.write_text("".join(f"{name} {addresses}\n" for name, addresses in names.items()))
    return {"LD_PRELOAD": str(library), "NAME_SERVICE": str(file)}
