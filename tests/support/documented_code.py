"""The code blocks of the documentation, and how each is compiled and run."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

from support.builds import C99, CXX17, PROGRAMS, RELEASE, ROOT, clean_environment, compile_once
from support.databricks_workspace import Workspace
from support.documented_gateway import documented_gateway

sys.path.insert(0, str(ROOT / "docs/generate"))
from comment import Verbatim, blocks  # noqa: E402
from header import HEADER, read  # noqa: E402

BLOCK = re.compile(
    r"^```(?P<language>c|cpp|python)\n(?P<code>.*?)^```$(?:\n\nOutput:\n\n```text\n(?P<output>.*?)^```$)?", re.M | re.S
)
FUNCTION = re.compile(r"^static [^;={]*?\b(\w+)\([^;{]*\)\n\{\n.*?^\}$", re.M | re.S)
LIBRARIES = {"libuv": ("uv.h", r"\buv_\w+\("), "glib-2.0": ("glib-unix.h", r"\bg_\w+\(")}
"""Libraries that a fragment may use without including their header, by their names for pkg-config: the header, and a
call."""
LINK = ["-D_POSIX_C_SOURCE=200809L", f"-L{RELEASE}", "-lmlflow_ai_gateway", "-lm", "-lpthread", f"-Wl,-rpath,{RELEASE}"]

FRAGMENT = """\
#include <math.h>
#include <mlflow_ai_gateway.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
{headers}
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-variable"
mlflow_gateway *gateway;
mlflow_gateway_error *error;
mlflow_gateway_request *request;
mlflow_gateway_response *response;
mlflow_gateway_stream *stream;
mlflow_gateway_queue *queue;
mlflow_gateway_completion *completion;
const mlflow_gateway_event *event;
mlflow_gateway_status status;
const char *arguments = "{{\\"city\\": \\"Paris\\"}}";
size_t len = MLFLOW_GATEWAY_NUL_TERMINATED;
const size_t measure = MLFLOW_GATEWAY_NUL_TERMINATED;
mlflow_gateway_request *requests[1];
mlflow_gateway_response *responses[1];
const size_t count = 1;
const char *local(const char *path);
const char *local(const char *path)
{{
    static char uri[100];
    snprintf(uri, sizeof uri, "%s%s", getenv("MLFLOW_GATEWAY_URI"), path);
    return uri;
}}
{outside}
int main(void)
{{
    mlflow_gateway_create("chat", NULL, &gateway, &error);
    mlflow_gateway_request_create(&requests[0], &error);
    mlflow_gateway_request_set_prompt(requests[0], "Hello", len, &error);
    {{
{inside}
    }}
    if (error != NULL)
        fprintf(stderr, "%s\\n", mlflow_gateway_error_message(error));
    return error != NULL;
}}
"""
"""A fragment becomes a program that has a handle and a list of requests, and fails if the fragment leaves an error
behind. Gateways on this machine that the fragment names are the tests' own."""


class Code(NamedTuple):
    """Code of the documentation. `output`: what it prints, if the page shows that. `earlier`: the functions of earlier
    code of the page that it calls."""

    path: Path
    line: int
    text: str
    output: Optional[str] = None
    language: str = "c"
    earlier: str = ""

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"

    @property
    def is_program(self) -> bool:
        return "int main(" in self.text

    def program(self) -> str:
        """A whole program is compiled as it is, with its own line numbers."""
        if self.language == "cpp":
            text = re.sub(r'"http://127\.0\.0\.1:\d+"', 'std::getenv("MLFLOW_GATEWAY_URI")', self.text)
            return f'#include <cstdlib>\n#line {self.line} "{self.path}"\n{text}'
        if self.is_program:
            return f'#line {self.line} "{self.path}"\n{self.text}'
        outside, inside = _divided(self.text)
        inside = re.sub(r'"http://127\.0\.0\.1:\d+(/v1)?"', r'local("\1")', inside)
        headers = "\n".join(f"#include <{LIBRARIES[name][0]}>" for name in self._libraries())
        return FRAGMENT.format(headers=headers, outside=f"{self.earlier}\n{outside}", inside=inside)

    def _libraries(self) -> list[str]:
        return [name for name, (_, call) in LIBRARIES.items() if re.search(call, self.text)]

    def compile(self) -> Path:
        source = PROGRAMS / "documentation" / f"{re.sub(r'[^A-Za-z0-9]+', '-', self.name)}.{self.language}"
        source.parent.mkdir(parents=True, exist_ok=True)
        if not source.exists() or source.read_text() != self.program():
            source.write_text(self.program())
        compiler = CXX17 if self.language == "cpp" else C99
        command = [*compiler, str(source), *LINK]
        if libraries := self._libraries():
            flags = subprocess.run(["pkg-config", "--cflags", "--libs", *libraries], stdout=subprocess.PIPE, check=True)
            command += flags.stdout.decode().replace("-I", "-isystem ").split()
        return compile_once(source.with_suffix(""), command, [source])

    def run(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", self.text] if self.language == "python" else [str(self.compile())]
        with documented_gateway() as gateway, Workspace() as workspace:
            variables = {
                "MLFLOW_GATEWAY_URI": gateway.url,
                "LD_LIBRARY_PATH": str(RELEASE),
                "PYTHONPATH": str(ROOT / "bindings/python"),
            }
            environment = clean_environment({**variables, **workspace.environment()})
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=PROGRAMS)


def _divided(text: str) -> tuple[str, str]:
    """The code outside of functions, and the rest: `static` and `#include` lines begin the code outside, which ends
    with the same line or with a closing brace at the beginning of a line."""
    outside: list[str] = []
    inside: list[str] = []
    is_outside = False
    for line in text.splitlines():
        if line.startswith(("static ", "#include ")):
            is_outside = not line.endswith((";", ">", "}"))
            outside.append(line)
        elif is_outside:
            is_outside = not (line.startswith("}") or line.endswith('";'))
            outside.append(line)
        else:
            inside.append(line)
    return "\n".join(outside), "\n".join(inside)


def markdown_files() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def markdown_code() -> Iterator[Code]:
    for path in markdown_files():
        text = path.read_text()
        functions: dict[str, str] = {}
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 2
            called = [function for name, function in functions.items() if re.search(rf"\b{name}\(", block["code"])]
            yield Code(path, line, block["code"], block["output"], block["language"], "\n".join(called))
            functions.update({function[1]: function[0] for function in FUNCTION.finditer(block["code"])})


def header_code() -> Iterator[Code]:
    """The C code in the comments of the header."""
    text = HEADER.read_text()
    header = read(HEADER)
    yield Code(HEADER, _line_of(text, "mlflow_gateway *gateway = NULL;"), header.shortest_program)
    for function in header.functions:
        for block in blocks(function.comment, function.parameter_names):
            if isinstance(block, Verbatim) and block.is_c:
                yield Code(HEADER, _line_of(text, block.lines[0]), "\n".join(block.lines))


def _line_of(text: str, part: str) -> int:
    return text.count("\n", 0, text.index(part)) + 1


def man_examples() -> Iterator[Code]:
    for path in sorted((ROOT / "docs/man/examples").glob("*.c")):
        yield Code(path, 1, path.read_text())
