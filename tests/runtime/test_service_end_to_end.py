"""The service as it is run: standard clients get the Python API's numbers, and it ends well."""

from __future__ import annotations

import base64
import contextlib
import csv
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle

tritonclient = pytest.importorskip("tritonclient.http")

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
EVENTS = Path(__file__).parents[2] / "examples" / "sub-example_task-stroopAP_events.tsv"
INFER = "/v2/models/twin/infer"
People = Callable[[int], NDArray[np.float64]]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ends the service with SIGTERM")


class Served:
    """`dtb-run serve` in a process of its own."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "dtb_cli.app", "serve", "--bundle", str(TINY)]
        command += ["--port", "0", "--json", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        text = ""
        for line in lines:
            text += line
            if line == "}\n":
                break
        assert text, self.process.stderr and self.process.stderr.read()
        self.about: dict[str, Any] = json.loads(text)
        self.address = self.about["url"].partition("//")[2]

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request with a JSON body and wait for the answer."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        with contextlib.closing(connection):
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
            is_json = answer.headers["Content-Type"] == "application/json"
            return answer.status, json.loads(data) if is_json else data.decode()

    def workers(self) -> list[int]:
        """Processes of the workers."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                is_worker = b"spawn_main" in (folder / "cmdline").read_bytes()
                if int(fields[1]) == self.process.pid and is_worker and fields[0] != "Z":
                    found.append(int(folder.name))
        return found

    def end(self) -> tuple[int, str]:
        """Ask it to end; the exit code and what it logged."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    found = Served("--workers", "2", "--log-requests")
    try:
        yield found
    finally:
        code, errors = found.end()
    assert code == 0
    assert "Traceback" not in errors
    assert "somebody" not in errors


@pytest.fixture
def triton(served: Served) -> Iterator[Any]:
    client = tritonclient.InferenceServerClient(served.address)
    yield client
    client.close()


def test_triton_client_finds_server_and_models(triton: Any, served: Served, tiny: Bundle) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("twin")
    assert triton.get_server_metadata()["name"] == "dtb-runtime"
    about = triton.get_model_metadata("tiny-twin")
    assert about["versions"] == [tiny.digest[:12]]
    assert {tensor["name"] for tensor in about["inputs"]} >= {"connectome", "task"}
    assert triton.is_model_ready("twin", about["versions"][0])
    names = {entry["name"] for entry in triton.get_model_repository_index()}
    assert names == set(served.about["models"])
    with pytest.raises(tritonclient.InferenceServerException, match="There is no model 'x'"):
        triton.get_model_metadata("x")


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_triton_client_gets_the_numbers_of_the_python_api(
    binary: bool, triton: Any, tiny: Bundle, people: People
) -> None:
    connectome = people(3).astype(np.float32)
    given = tritonclient.InferInput("connectome", [1, 12, 12], "FP32")
    given.set_data_from_numpy(connectome[np.newaxis], binary_data=binary)
    names = ("p_correct", "response_time", "bold", "choice")
    wanted = [tritonclient.InferRequestedOutput(name, binary_data=binary) for name in names]
    found = triton.infer("twin", [given], outputs=wanted, request_id="somebody")
    assert found.get_response()["id"] == "somebody"
    forecasts = tiny.personalize(connectome).forecast_tasks(draws=1)
    for name in ("p_correct", "response_time"):
        expected = np.concatenate([forecast.trials[name] for forecast in forecasts])
        np.testing.assert_allclose(found.as_numpy(name)[0], expected, rtol=1e-5, atol=1e-6)
    bold = np.concatenate([forecast.bold for forecast in forecasts])
    np.testing.assert_allclose(found.as_numpy("bold")[0], bold, rtol=1e-5, atol=1e-5)
    choices = [text for forecast in forecasts for text in forecast.trials["choice"]]
    given_back = found.as_numpy("choice")[0].tolist()
    assert [one.decode() if binary else one for one in given_back] == choices


def test_many_clients_at_a_time_get_their_own_numbers(
    served: Served, tiny: Bundle, people: People
) -> None:
    def body(person: int) -> dict[str, Any]:
        tensor = {"name": "connectome", "datatype": "FP64", "shape": [1, 12, 12]}
        tensor["data"] = people(person).ravel().tolist()
        return {"id": str(person), "inputs": [tensor], "outputs": [{"name": "p_correct"}]}

    answers: dict[int, Any] = {}

    def ask(person: int) -> None:
        answers[person] = served.ask("POST", INFER, body(person))

    threads = [threading.Thread(target=ask, args=(person,)) for person in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for person in range(12):
        status, found = answers[person]
        assert (status, found["id"]) == (200, str(person))
        forecasts = tiny.personalize(people(person)).forecast_tasks(draws=1)
        expected = np.concatenate([forecast.trials["p_correct"] for forecast in forecasts])
        data = np.ravel(found["outputs"][0]["data"])
        np.testing.assert_allclose(data, expected, rtol=1e-5, atol=1e-6)
    _, metrics = served.ask("GET", "/metrics")
    (total,) = re.findall(
        r'^dtb_people_total\{path="/v2/models/\{model\}/infer"\} (\S+)$', metrics, re.MULTILINE
    )
    assert float(total) >= 12


def test_a_person_is_forecast_learned_from_and_forecast_again(
    served: Served, tiny: Bundle, people: People
) -> None:
    connectome = people(5).tolist()
    status, found = served.ask(
        "POST", "/v1/predict", {"connectome": connectome, "task": "stroop", "draws": 1}
    )
    assert status == 200
    forecast = tiny.personalize(people(5)).forecast("stroop", draws=1)
    np.testing.assert_allclose(
        found["trials"]["stroop"]["p_correct"], forecast.trials["p_correct"], rtol=1e-5
    )
    header, *rows = csv.reader(EVENTS.read_text(encoding="utf-8").splitlines(), delimiter="\t")
    cells = zip(*rows[:40], strict=True)
    columns = {
        name: [None if one == "n/a" else one for one in of]
        for name, of in zip(header, cells, strict=True)
    }
    for name in ("onset", "duration", "response_time", "accuracy_binarized"):
        columns[name] = [None if one is None else float(one) for one in columns[name]]
    status, learned = served.ask(
        "POST", "/v1/calibrate", {"connectome": connectome, "trials": {"stroop": columns}}
    )
    assert status == 200, learned
    assert base64.b64decode(learned["twin"])[:2] == b"PK"
    status, again = served.ask("POST", "/v1/predict", {"twin": learned["twin"]})
    assert status == 200
    name = "reaction_time:stroop"
    after, before = (said["indicators"][name] for said in (again["summary"], learned["before"]))
    assert after == pytest.approx(learned["after"]["indicators"][name], rel=1e-5)
    assert abs(after - before) > 1e-4


def test_generated_requests_meet_no_server_error_and_no_broken_promise(
    served: Served, tmp_path: Path
) -> None:
    """Schemathesis' checks, without the one that what a schema allows must be accepted.

    Whether numbers are a connectome is not a schema's to say.
    """
    pytest.importorskip("schemathesis")
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{served.about['url']}/openapi.json",
    ]
    command += ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    command += ["--phases", "fuzzing", "--max-examples", "8", "--generation-deterministic"]
    command += ["--continue-on-failure", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ generated, \d+ passed", done.stdout), done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_worker_that_is_killed_is_replaced(served: Served, people: People) -> None:
    before = served.workers()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    body = {"connectome": people(1).tolist(), "draws": 1}
    statuses = {served.ask("POST", "/v1/predict", body)[0] for _ in range(3)}
    assert statuses <= {200, 503}
    end_s = time.monotonic() + 30
    while len(served.workers()) < 2 and time.monotonic() < end_s:
        time.sleep(0.05)
    after = served.workers()
    assert len(after) == 2
    assert before[1] in after
    assert served.ask("POST", "/v1/predict", body)[0] == 200


def test_the_end_answers_what_was_accepted_and_takes_nothing_new(people: People) -> None:
    served = Served("--workers", "1")
    body = {"connectome": people(0).tolist()}
    answers: list[int] = []

    def ask() -> None:
        answers.append(served.ask("POST", "/v1/predict", body)[0])

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    pattern = re.compile(r"^dtb_held_bytes (\S+)$", re.MULTILINE)
    n_bytes = len(json.dumps(body))
    end_s = time.monotonic() + 30
    while time.monotonic() < end_s:  # until all of them are there, or the first are answered
        (held,) = pattern.findall(served.ask("GET", "/metrics")[1])
        if answers or float(held) >= 6 * n_bytes:
            break
    served.process.terminate()
    for thread in threads:
        thread.join()
    _, errors = served.process.communicate(timeout=60)
    assert served.process.returncode == 0, errors
    assert answers == [200] * 6
    host, _, port = served.address.partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
