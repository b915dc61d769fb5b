"""The measurement of the service runs, and its page says what the figures say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, TINY, figures_in, run_quickly
from section_runs import read_figures
from serving import FILE
from serving_aims import aims
from serving_hostile import hostile_requests
from serving_inputs import QUICK, Inputs
from serving_page import render
from serving_sections import NAMES

from dtb_runtime.service_jobs import Job
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_worker import ServiceWorker

MEASURED = ("overhead", "end", "hostile")
"""Sections that the test measures; the others begin and ask services in the same ways."""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks at memory in /proc"
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    return Inputs(QUICK, str(TINY), tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the program leaves behind, with tiny sizes and the test bundle."""
    root = tmp_path_factory.mktemp("serving")
    words = [word for name in MEASURED for word in ("--only", name)]
    run_quickly("serving.py", root, "--bundle", TINY, *words)
    return root


def test_what_is_measured_goes_well_and_is_written(measured: Path) -> None:
    figures = figures_in(measured, FILE)
    sections = figures["sections"]
    assert tuple(sections) == MEASURED
    assert all(min(of["seconds"]) > 0 for of in sections["overhead"]["timings"].values())
    assert sections["end"]["exit_code"] == 0
    assert "broken" not in sections["end"]["statuses"]
    hostile = sections["hostile"]["rows"]
    assert [row["what"] for row in hostile if set(row["found"]) != {row["expected"]}] == []
    page = (measured / "docs" / "SERVING.md").read_text()
    assert page == render(figures)
    assert "Tiny sizes" in page
    assert page.count("\nNot measured: ") == len(NAMES) - len(MEASURED)
    assert "nan" not in page.lower().replace("a nan", "")


def test_the_committed_page_is_what_the_committed_figures_say() -> None:
    page = (ROOT / "docs" / "SERVING.md").read_text(encoding="utf-8")
    assert page == render(read_figures(ROOT, FILE))


def test_requests_in_both_forms_are_of_the_same_person(inputs: Inputs) -> None:
    tiny = inputs.loaded
    worker = ServiceWorker([tiny], ServiceLimits())
    found = []
    for request in (inputs.binary(), inputs.json()):
        body = bytearray(request.body)
        for place in request.places:
            if request.header_length is None:
                body[place : place + 8] = b"0.250000"
            else:
                body[place : place + 4] = np.float32(0.25).tobytes()
        (answer,) = worker.answer(
            [Job("infer", bytes(body), header_length=request.header_length, model="twin")]
        )
        assert answer.status == 200, answer.body
        length = len(answer.body) if answer.header_length is None else answer.header_length
        outputs = json.loads(answer.body[:length])["outputs"]
        if answer.header_length is None:
            found.append(np.array(outputs[0]["data"], np.float64).ravel())
        else:
            n_bytes = outputs[0]["parameters"]["binary_data_size"]
            found.append(np.frombuffer(answer.body[length : length + n_bytes], "<f8"))
    connectome = inputs.connectome.copy()
    connectome[0, 1] = connectome[1, 0] = 0.25
    forecasts = tiny.personalize(connectome).forecast_tasks(draws=1)
    expected = {name: value for one in forecasts for name, value in one.indicators.items()}
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3)  # JSON has six digits of each r
    assert any(np.isclose(found[0], expected["stroop_effect"], rtol=1e-5))


def test_every_hostile_request_has_a_refusal_of_its_own(inputs: Inputs) -> None:
    requests = hostile_requests(inputs)
    assert len({one.what for one in requests}) == len(requests) == 16
    assert {one.status for one in requests} == {400, 408, 411, 413, 415, 431}


def test_a_page_without_figures_says_how_to_measure_each_section() -> None:
    page = render(None)
    for name in NAMES:
        assert f'make serving ARGS="--only {name}"' in page


GOOD: dict[str, dict[str, Any]] = {
    "load": {
        "workers": 2,
        "seconds": 20.0,
        "n_bytes": 754_000,
        "rows": [
            {
                "form": "JSON",
                "clients": 64,
                "per_s": 71.5,
                "p50_ms": 12.0,
                "p99_ms": 901.0,
                "statuses": {"200": 10, "429": 1},
            }
        ],
    },
    "overhead": {
        "timings": {
            "http": {"seconds": [0.0129] * 3},
            "here": {"seconds": [0.01] * 3},
            "http_all": {"seconds": [0.018] * 3},
            "api": {"seconds": [0.0155] * 3},
        }
    },
    "throughput": {
        "cores": 2,
        "clients": 64,
        "n_people": [100, 1100],
        "score_s": [2.0, 12.0],
        "serve_s": 11.0,
        "statuses": {"200": 1000},
    },
    "sustained": {
        "clients": 64,
        "seconds": 300.0,
        "statuses": {"200": 1000, "429": 5},
        "memory_mb": [{"front": 100.0, "workers": 400.0}, {"front": 105.0, "workers": 410.0}],
    },
    "end": {
        "clients": 64,
        "statuses": {"200": 10, "503": 3, "refused": 2},
        "exit_code": 0,
        "seconds": 1.5,
    },
    "kill": {
        "statuses": {"200": 100, "503": 16},
        "workers": 2,
        "clients": 8,
        "replaced_s": 1.2,
        "n_kept": 1,
        "n_after": 2,
    },
    "hostile": {
        "repeats": 2,
        "body_s": 5.0,
        "rows": [
            {"what": "a", "expected": 400, "found": [400, 400], "seconds": [0.1, 1.9]},
            {"what": "b", "expected": 408, "found": [408], "seconds": [5.0]},
        ],
        "before_mb": {"front": 100.0, "workers": 100.0},
        "after_mb": {"front": 105.0, "workers": 100.0},
    },
    "generated": {"generated": 10_000, "passed": True, "failures": [], "statuses": {"400": 9000}},
}


def test_aims_follow_the_figures() -> None:
    verdicts = aims(GOOD)
    assert len(verdicts) == 10
    assert all(verdict.is_reached is True for _, verdict in verdicts)


def test_the_page_has_every_section() -> None:
    about = {"date": "2031-02-03", "load": 0.1, "sizes": "full", "bundle": "b", "versions": {}}
    about["machine"] = {"processor": "A", "usable_cores": 2, "memory_gb": 8.0, "system": "Linux"}
    page = render(about | {"sections": GOOD})
    assert set(GOOD) == set(NAMES)
    assert "Not measured" not in page
    assert "10 of 10 measured aims are reached." in page
    for cell in (
        "| 64 | JSON | 71.5 | 12.0 | 901 | 10 x 200, 1 x 429 |",
        "2.90 [2.90, 2.90]",
        "2.50 [2.50, 2.50]",
        "0.91",
    ):
        assert cell in page
    assert "| a | 400 | 1.90 |" in page
    assert "made up 10,000 requests" in page


def slow(*seconds: float, method: str = "http") -> dict[str, Any]:
    """An overhead section whose requests took so long."""
    return {"timings": GOOD["overhead"]["timings"] | {method: {"seconds": list(seconds)}}}


def grown(front_mb: float) -> dict[str, Any]:
    """Looks at memory of which the last finds so much in front."""
    first = {"front": 100.0, "workers": 1.0}
    return {"memory_mb": [first, first | {"front": front_mb}]}


def refused(*found: int, seconds: float = 0.1) -> dict[str, Any]:
    """Hostile requests of one kind and what they were answered."""
    return {"rows": [{"expected": 400, "found": list(found), "seconds": [seconds]}]}


@pytest.mark.parametrize(
    ("section", "change", "what"),
    [
        ("overhead", slow(0.0129, 0.0131, 0.0131), "One client: a request for indicators"),
        (
            "overhead",
            slow(0.0189, 0.0189, 0.018, method="http_all"),
            "One client: a request for all",
        ),
        ("throughput", {"serve_s": 12.6}, "Most clients"),
        ("sustained", {"statuses": {"200": 1, "503": 1}}, "Minutes of load: errors"),
        ("sustained", grown(111.0), "Minutes of load: memory"),
        ("end", {"statuses": {"200": 10, "broken": 1}}, "SIGTERM"),
        ("end", {"exit_code": 143}, "SIGTERM"),
        ("kill", {"statuses": {"200": 1, "503": 17}}, "SIGKILL"),
        ("kill", {"statuses": {"200": 1, "broken": 1}}, "SIGKILL"),
        ("kill", {"n_kept": 0}, "SIGKILL"),
        ("kill", {"n_after": 1}, "SIGKILL"),
        ("hostile", refused(400, 200), "Hostile requests are"),
        ("hostile", refused(400, seconds=2.1), "Hostile requests are"),
        ("hostile", {"after_mb": {"front": 111.0, "workers": 100.0}}, "Hostile requests: memory"),
        ("generated", {"generated": 9999}, "Generated"),
        ("generated", {"passed": False}, "Generated"),
        ("generated", {"statuses": {"500": 1}}, "Generated"),
    ],
)
def test_an_aim_that_is_missed_is_said(section: str, change: dict[str, Any], what: str) -> None:
    verdicts = aims(GOOD | {section: GOOD[section] | change})
    (missed,) = (name for name, verdict in verdicts if verdict.is_reached is False)
    assert missed.startswith(what)
