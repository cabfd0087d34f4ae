"""Builds of the library, and the compilation and running of C programs against each."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from support.machine import MACHINE, TARGET

ROOT = Path(__file__).resolve().parents[2]
RELEASE = MACHINE.release
INCLUDE = ROOT / "include"
PROGRAMS = TARGET / "tests"

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
C99 = [f"{MACHINE.tools}gcc", "-std=c99", "-g", *WARNINGS, f"-I{INCLUDE}"]
CXX17 = [f"{MACHINE.tools}g++", "-std=c++17", "-g", *WARNINGS, f"-I{INCLUDE}"]

SYSTEM_LIBRARIES = ["-lpthread", "-ldl", "-lm"]
"""Libraries for a static link: empty in newer C libraries, but not in older ones."""

INHERITED = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that a program inherits. Any other could change the result of a test: settings of the library, a proxy, a
locale, a time zone, options of a tool or of the C library."""
NO_HOME = PROGRAMS / "no-home"
"""A folder that does not exist, and so contains no credentials."""
ONLY_THIS_NAME = {"LOCALDOMAIN": "invalid", "RES_OPTIONS": "timeout:1 attempts:1"}
"""Host names are resolved without the search domains of this machine, and with a short timeout."""
NO_RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""Most tests check the first failure, without a delay."""

TOOL_FOUND_SOMETHING = 99
MAX_SECONDS = 60


_COMPILED: set[Path] = set()


def clean_environment(more: Optional[dict[str, str]] = None) -> dict[str, str]:
    """Returns the environment of a program: the same on each machine, plus `more`."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, "HOME": str(NO_HOME), **ONLY_THIS_NAME, **MACHINE.environment(more or {})}


def compile_once(program: Path, command: Sequence[str], sources: Sequence[Path]) -> Path:
    """Runs the compiler `command` to build `program`, unless the program is up to date.

    Several processes may need the same program: one compiles it, and the others wait. A running program is never
    overwritten.
    """
    if program in _COMPILED:
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with program.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = program.with_suffix(".stamp")
        state = _state(command, sources)
        if not (program.exists() and stamp.exists() and stamp.read_text() == state):
            new = program.with_suffix(".new")
            subprocess.run([*command, "-o", str(new)], check=True)
            new.replace(program)
            stamp.write_text(state)
    _COMPILED.add(program)
    return program


def _state(command: Sequence[str], sources: Sequence[Path]) -> str:
    """Returns the command, and the modification time of each file that it reads."""
    headers = [*(ROOT / "tests/c").glob("*.h"), *INCLUDE.glob("*.h*")]
    libraries = [Path(word) for word in command if word.endswith(".a")]
    files = sorted({*sources, *headers, *libraries})
    return "\n".join([*command, *(f"{file} {file.stat().st_mtime_ns}" for file in files)])


class Build(NamedTuple):
    """A build of the library: how to link a program to it and how to run the program."""

    name: str
    flags: Sequence[str]
    link: Sequence[str]
    runner: Sequence[str] = ()
    environment: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<build {self.name}>"

    def compile(self, source: str) -> Path:
        """Compiles a program of tests/c or examples-c, once for all tests, and returns its path."""
        compiler = CXX17 if source.endswith(".cpp") else C99
        folder = ROOT / ("tests/c" if (ROOT / "tests/c" / source).exists() else "examples-c")
        parts = sorted((folder / f"{Path(source).stem}_parts").glob("*.[ch]"))
        sources = [folder / source, *(part for part in parts if part.suffix == ".c")]
        command = [*compiler, *self.flags, *map(str, sources), *self.link]
        return MACHINE.runnable(compile_once(PROGRAMS / self.name / Path(source).stem, command, [*sources, *parts]))

    def run(
        self, source: str, *arguments: str, input: str = "", environment: Optional[dict[str, str]] = None
    ) -> subprocess.CompletedProcess[str]:
        """Compiles and runs a program, and returns its result."""
        return subprocess.run(
            [*self.runner, str(self.compile(source)), *arguments],
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            env=self._environment(environment),
        )

    @contextlib.contextmanager
    def start(
        self,
        source: str,
        *arguments: str,
        environment: Optional[dict[str, str]] = None,
        seconds: int = MAX_SECONDS,
        **options: Any,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Compiles and starts a program, for tests that interact with it.

        It is killed at the end of the `with`, or after this number of seconds, when it hangs.
        """
        with subprocess.Popen(
            [*self.runner, str(self.compile(source)), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(environment),
            **options,
        ) as process:
            killer = threading.Timer(seconds, process.kill)
            killer.start()
            try:
                yield process
            finally:
                killer.cancel()
                process.kill()

    def _environment(self, more: Optional[dict[str, str]] = None) -> dict[str, str]:
        """Returns the clean environment, without retries, and with the settings of this build's tool."""
        return clean_environment({**NO_RETRIES, **self.environment, **(more or {})})


def _shared(name: str, folder: Path, runner: Sequence[str] = ()) -> Build:
    return Build(name, [], [f"-L{folder}", "-lmlflow_ai_gateway", "-lm", f"-Wl,-rpath,{folder}"], runner)


def _runtime(sanitizer: str) -> Path:
    """Returns the runtime of a Rust sanitizer, which rustup installs; if it is missing, the linker names it."""
    command = ["rustc", "--print", "target-libdir"]
    folder = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    name = f"librustc-{{}}_rt.{sanitizer}.a".format
    return next(Path(folder).glob(name("*")), Path(folder) / name("stable"))


SHARED = _shared(MACHINE.build_name("shared"), RELEASE)
STATIC = Build(MACHINE.build_name("static"), [], [str(RELEASE / "libmlflow_ai_gateway.a"), *SYSTEM_LIBRARIES])
MEMCHECK = [
    "valgrind",
    "--quiet",
    f"--error-exitcode={TOOL_FOUND_SOMETHING}",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect,possible",
    "--errors-for-leak-kinds=definite,indirect,possible",
]
VALGRIND = _shared("valgrind", RELEASE, MEMCHECK)
VALGRIND_TLS = _shared("valgrind-tls", RELEASE, [*MEMCHECK, "--undef-value-errors=no"])
"""For TLS: ring's assembly loads whole registers of its key schedules, with unused bytes, and masks these afterwards,
which valgrind reports as use of uninitialized values. It still checks leaks and invalid accesses."""
ADDRESS_LIBRARY = TARGET / "address" / "libmlflow_ai_gateway.a"
ADDRESS = Build(
    "address",
    ["-fsanitize=address", "-fno-omit-frame-pointer"],
    [str(ADDRESS_LIBRARY), *SYSTEM_LIBRARIES],
    environment={"ASAN_OPTIONS": f"detect_leaks=1:exitcode={TOOL_FOUND_SOMETHING}"},
)
UNDEFINED = Build(
    "undefined",
    ["-fsanitize=undefined", "-fno-sanitize-recover=all"],
    [str(RELEASE / "libmlflow_ai_gateway.a"), *SYSTEM_LIBRARIES],
    environment={"UBSAN_OPTIONS": f"print_stacktrace=1:exitcode={TOOL_FOUND_SOMETHING}"},
)
"""It covers only the C side: Rust has no such sanitizer, and needs none."""
THREAD_LIBRARY = TARGET / "thread" / "libmlflow_ai_gateway.a"
THREAD = Build(
    "thread",
    ["-fsanitize=thread"],
    [
        # Rust's own runtime: gcc's may be too old for the code of Rust's compiler, and must not be linked.
        *("-nodefaultlibs", "-Wl,--as-needed"),
        str(THREAD_LIBRARY),
        str(ROOT / "tests/c/thread_order.c"),
        "-Wl,--wrap=__tsan_atomic64_fetch_sub",
        "-Wl,--whole-archive",
        str(_runtime("tsan")),
        "-Wl,--no-whole-archive,--export-dynamic",
        *("-lstdc++", "-lpthread", "-ldl", "-lm", "-lrt", "-lgcc_s", "-lgcc", "-lc"),
    ],
    environment={"TSAN_OPTIONS": f"exitcode={TOOL_FOUND_SOMETHING}:print_suppressions=0"},
)
"""Rust's standard library is not instrumented in it; tests/c/thread_order.c describes the consequences."""
PANIC = _shared("panic", TARGET / "debug")
"""A build in which a certain prompt makes the library panic."""
PANIC_VALGRIND = _shared("panic-valgrind", TARGET / "debug", MEMCHECK)

PLAIN = (SHARED, STATIC)
CHECKED = (VALGRIND, ADDRESS)
EMULATED = (SHARED,) if MACHINE.name else ()
"""For tests that other builds run in a smaller form than the shared one does."""
THREADED = (*CHECKED, THREAD)
"""Builds for tests with several threads."""
ALL = (*PLAIN, UNDEFINED, *CHECKED, THREAD)


def need(tool: str) -> str:
    """Returns the path of a tool, which tests/install-tools installs."""
    path = shutil.which(tool)
    assert path, f"{tool} is not installed; run tests/install-tools"
    return path
