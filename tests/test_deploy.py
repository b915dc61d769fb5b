"""The deployment descriptions ask for what there is: commands, options, ports, addresses, users.

No container is built and no cluster asked here; docs/deploy.md says what was run.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import typer

from dtb_cli.app import app
from dtb_runtime.bundle_loading import available_bundles
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_tokens import check_exposure

yaml = pytest.importorskip("yaml", reason="PyYAML reads the descriptions")

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "deploy"
LIVE, READY = "/v2/health/live", "/v2/health/ready"


def _documents(file: str) -> dict[str, Any]:
    """The objects of a YAML file, by kind."""
    every = list(yaml.safe_load_all((FOLDER / file).read_text(encoding="utf-8")))
    assert all({"apiVersion", "kind", "metadata", "spec"} <= set(one) for one in every)
    return {one["kind"]: one for one in every}


def _deployed() -> dict[str, Any]:
    """The pod of the Deployment."""
    spec: dict[str, Any] = _documents("kubernetes.yaml")["Deployment"]["spec"]["template"]["spec"]
    return spec


def _under_kserve() -> dict[str, Any]:
    """The pod that KServe makes of runtime and service."""
    documents = _documents("kserve.yaml")
    return documents["ServingRuntime"]["spec"] | documents["InferenceService"]["spec"]["predictor"]


def _instructions() -> list[tuple[str, str]]:
    """Instructions of the Containerfile with what follows them, continuation lines joined."""
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def _instruction(name: str) -> str:
    (of,) = [rest for instruction, rest in _instructions() if instruction == name]
    return of


def _serve_options(arguments: list[str]) -> dict[str, Any]:
    """What the real command makes of its arguments; it fails where one is unknown or wrong."""
    assert arguments[0] == "serve"
    command: Any = typer.main.get_command(app)
    parameters: dict[str, Any] = (
        command.commands["serve"].make_context("serve", arguments[1:]).params
    )
    return parameters


ARGUMENTS = {
    "Containerfile": lambda: json.loads(_instruction("CMD")),
    "kubernetes.yaml": lambda: _deployed()["containers"][0]["args"],
    "kserve.yaml": lambda: _under_kserve()["containers"][0]["args"],
}
PODS = {"kubernetes.yaml": _deployed, "kserve.yaml": _under_kserve}


@pytest.mark.parametrize("file", ARGUMENTS)
def test_the_service_is_started_as_its_command_wants_it(file: str) -> None:
    options = _serve_options(ARGUMENTS[file]())
    assert options["host"] == "0.0.0.0"
    assert options["port"] == 8080
    has_tokens = options["token_file"] is not None
    check_exposure(options["host"], has_tokens=has_tokens, insecure=options["insecure"])
    assert not options["insecure"]
    shipped = {info.name for info in available_bundles()}
    assert set(options["bundle"] or ()) <= shipped


@pytest.mark.parametrize("file", PODS)
def test_ports_and_probes_are_those_of_the_service(file: str) -> None:
    (container,) = PODS[file]()["containers"]
    port = _serve_options(container["args"])["port"]
    (declared,) = container["ports"]
    assert declared["containerPort"] == port
    probes = {name: probe for name, probe in container.items() if name.endswith("Probe")}
    assert {"readinessProbe", "livenessProbe"} <= set(probes)
    for name, probe in probes.items():
        asked = probe["httpGet"]
        assert asked["path"] == (LIVE if name == "livenessProbe" else READY)
        assert asked["port"] in (port, declared.get("name"))
        assert "scheme" not in asked  # nor --tls-cert
    assert _serve_options(container["args"])["tls_cert"] is None


@pytest.mark.parametrize("file", PODS)
def test_the_tokens_are_where_they_are_looked_for_and_only_readable_by_the_service(
    file: str,
) -> None:
    pod = PODS[file]()
    (container,) = pod["containers"]
    token_file = PurePosixPath(_serve_options(container["args"])["token_file"])
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(mounts) == set(volumes)
    assert PurePosixPath(mounts["tokens"]["mountPath"]) == token_file.parent
    assert volumes["tokens"]["secret"]["defaultMode"] == 0o440
    text = (FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")
    assert f"--from-file={token_file.name}" in text
    assert f"generic {volumes['tokens']['secret']['secretName']} " in text
    user = (pod["securityContext"] | container["securityContext"])["runAsUser"]
    assert pod["securityContext"]["fsGroup"] == user
    assert _instruction("USER") == f"{user}:{user}"
    assert f"--uid {user}" in _instruction("RUN")


@pytest.mark.parametrize("file", PODS)
def test_nothing_is_asked_for_that_the_service_does_not_need(file: str) -> None:
    pod = PODS[file]()
    (container,) = pod["containers"]
    security = pod["securityContext"] | container["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    resources = container["resources"]
    assert set(resources["limits"]) == {"cpu", "memory"}
    # A worker for each processor that the container may use.
    workers = _serve_options(container["args"])["workers"]
    assert workers == int(resources["limits"]["cpu"])


@pytest.mark.parametrize("file", PODS)
def test_what_was_accepted_has_the_time_to_be_answered(file: str) -> None:
    pod = PODS[file]()
    (container,) = pod["containers"]
    limits = ServiceLimits()
    pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
    pause_s = int(pause[1]) if pause else 0
    longest = pause_s + math.ceil(limits.body_s + 5 * limits.request_s)
    assert pod["terminationGracePeriodSeconds"] >= longest


def test_the_parts_of_each_description_belong_together() -> None:
    documents = _documents("kubernetes.yaml")
    deployment, service = documents["Deployment"]["spec"], documents["Service"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == service["selector"] == labels
    (port,) = service["ports"]
    names = [of["name"] for of in deployment["template"]["spec"]["containers"][0]["ports"]]
    assert port["targetPort"] in names
    documents = _documents("kserve.yaml")
    runtime, model = (
        documents["ServingRuntime"],
        documents["InferenceService"]["spec"]["predictor"]["model"],
    )
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"] == ["v2"]
    formats = [of["name"] for of in runtime["spec"]["supportedModelFormats"]]
    assert model["modelFormat"]["name"] in formats
    (container,) = runtime["spec"]["containers"]
    assert container["name"] == "kserve-container"  # by which KServe finds it
    annotations = runtime["spec"]["annotations"]
    assert annotations["prometheus.kserve.io/port"] == str(container["ports"][0]["containerPort"])
    images = {container["image"], _deployed()["containers"][0]["image"]}
    assert len(images) == 1


def test_the_container_installs_this_package_with_its_extras() -> None:
    base = _instruction("FROM")
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", base)
    run = _instruction("RUN")
    extras = re.search(r"dtb-runtime\[([a-z,]+)\]", run)
    assert extras is not None
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras[1].split(",")) == {"cpu", "serve"}
    assert {"cpu", "serve"} <= set(settings["optional-dependencies"])
    least = tuple(map(int, settings["requires-python"].removeprefix(">=").split(".")))
    version = re.search(r"python:3\.(\d+)", base)
    assert version is not None
    assert (3, int(version[1])) >= least
    copied = _instruction("COPY").split()[:-1]
    assert copied == ["dist/*.whl", "constraints.txt"]
    assert (ROOT / "constraints.txt").is_file()
    (entry,) = json.loads(_instruction("ENTRYPOINT"))
    assert settings["scripts"] == {entry: "dtb_cli.app:main"}
    tag = re.search(r"--tag dtb-runtime:(\S+)", (FOLDER / "Containerfile").read_text("utf-8"))
    assert tag is not None
    assert tag[1] == settings["version"]
    assert _deployed()["containers"][0]["image"].endswith(f"/dtb-runtime:{settings['version']}")
    port = _serve_options(json.loads(_instruction("CMD")))["port"]
    assert _instruction("EXPOSE") == str(port)


@contextmanager
def _server(status: int) -> Iterator[tuple[int, list[str]]]:
    """A service that answers everything with one status; gives its port and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False), (404, False)])
def test_the_health_check_of_the_container_asks_the_service(status: int, is_healthy: bool) -> None:
    python, *arguments = json.loads(_instruction("HEALTHCHECK").partition("CMD ")[2])
    assert python == "python"
    with _server(status) as (port, asked):
        words = [word.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for word in arguments]
        assert words != arguments
        done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    assert (done.returncode == 0) == is_healthy
    assert asked == [LIVE]


def test_the_page_names_every_description_and_says_what_was_run() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for path in FOLDER.iterdir():
        assert f"(deploy/{path.name})" in page, path.name
        assert "docs/deploy.md for what was run" in re.sub(r"\n# ", " ", path.read_text("utf-8"))
    section = page.partition("## What was run, and what was not")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, flags=re.MULTILINE)
    names = [row[0] for row in rows[1:]]
    assert all(path.name in " ".join(names) for path in FOLDER.iterdir())
    assert any("--triton" in name for name in names)


def test_the_commands_of_the_container_page_are_words_of_a_shell() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert blocks
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        assert shlex.split(line, comments=True) or line.startswith("#") or not line
