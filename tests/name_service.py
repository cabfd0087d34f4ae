"""Names with the addresses that a test gives them: the other side of tests/c/name_service.c."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from builds import C99, ROOT


def name_service(folder: Path, names: Mapping[str, str]) -> dict[str, str]:
    """What a program needs in its environment to see these names. `folder` holds the service's files.

    Called again with the same folder it changes the names, also for programs that run already.
    """
    library, file = folder / "name_service.so", folder / "names"
    if not library.exists():
        source = ROOT / "tests" / "c" / "name_service.c"
        subprocess.run([C99[0], "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"], check=True)
    file.write_text("".join(f"{name} {answer}\n" for name, answer in names.items()))
    return {"LD_PRELOAD": str(library), "NAME_SERVICE": str(file)}
