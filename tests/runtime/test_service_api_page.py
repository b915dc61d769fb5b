"""The page on what the service is asked: its Python runs, and its answers are the real ones."""

from __future__ import annotations

import io
import json
import re
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.oip_models import PER_PERSON_AND_TRIAL, PER_TRIAL, SAMPLED
from dtb_runtime.service_jobs import Job, JobKind
from dtb_runtime.service_json import MAX_COLONS, MAX_CONTAINERS, MAX_VALUES
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_messages import (
    MAX_DOSE,
    MAX_RUNS,
    ApplyPlanRequest,
    CalibrateRequest,
    PredictRequest,
)
from dtb_runtime.service_worker import ServiceWorker

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "serve-api.md").read_text(encoding="utf-8")
PATHS: dict[str, tuple[JobKind, str]] = {
    "/v1/predict": ("predict", ""),
    "/v1/calibrate": ("calibrate", ""),
    "/v1/apply-plan": ("apply-plan", ""),
    "/v2/models/twin/infer": ("infer", "twin"),
}


@pytest.fixture(scope="module")
def worker() -> ServiceWorker:
    return ServiceWorker([load_bundle("tcp434", device="cpu")], ServiceLimits())


@pytest.fixture
def without_network(worker: ServiceWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go straight to a worker, as clients write them."""
    http = pytest.importorskip("tritonclient.http")

    def urlopen(request: Request) -> io.BytesIO:
        kind, model = PATHS[request.full_url.removeprefix("http://127.0.0.1:8080")]
        assert isinstance(request.data, bytes)
        (answer,) = worker.answer([Job(kind, request.data, model=model)])
        body = io.BytesIO(answer.body)
        if answer.status != 200:
            raise HTTPError(request.full_url, answer.status, answer.body.decode(), Message(), body)
        return body

    def infer(client: Any, model: str, inputs: list[Any], **options: Any) -> Any:
        body, length = client.generate_request_body(inputs, **options)
        (answer,) = worker.answer([Job("infer", body, header_length=length, model=model)])
        assert answer.status == 200, answer.body
        return client.parse_response_body(answer.body, header_length=answer.header_length)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr(http.InferenceServerClient, "infer", infer)
    monkeypatch.chdir(ROOT)


def assert_part_of(part: Any, whole: Any, place: str = "") -> None:
    """Whatever a page shows of an answer stands there; lists are shown from their beginning."""
    if isinstance(part, dict):
        for key, value in part.items():
            assert key in whole, f"{place}.{key}"
            assert_part_of(value, whole[key], f"{place}.{key}")
    elif isinstance(part, list):
        for i, value in enumerate(part):
            assert_part_of(value, whole[i], f"{place}[{i}]")
    elif isinstance(part, float):
        assert part == pytest.approx(whole, rel=0.01), place
    else:
        assert part == whole, place


def test_the_examples_run_and_answer_what_the_page_shows(without_network: None) -> None:
    names: dict[str, Any] = {"__name__": "serve_api"}
    blocks = re.findall(r"^```(python|json)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    shown = re.findall(r"^`(\w+)`(?:, in part:| is 400 and)$", PAGE, flags=re.MULTILINE)
    n_shown = 0
    for language, block in blocks:
        if language == "python":
            exec(compile(block, "serve-api.md", "exec"), names)
            continue
        found = names[shown[n_shown]]
        if shown[n_shown] == "refused":
            assert found[0] == 400
            found = found[1]
        assert_part_of(json.loads(block), found, shown[n_shown])
        n_shown += 1
    assert n_shown == len(shown) == 5
    # What the protocol gives is the mean of what is known; a plan begins there as well.
    before = names["tried"]["indicators"]["stroop_effect"]["before"]
    assert names["indicators"]["stroop_effect"] == pytest.approx(before, rel=1e-5)
    assert names["hammer"]["summary"]["calibration"]["trials"] == 78


@pytest.mark.parametrize(
    ("message", "section"),
    [
        (PredictRequest, "POST /v1/predict"),
        (CalibrateRequest, "POST /v1/calibrate"),
        (ApplyPlanRequest, "POST /v1/apply-plan"),
    ],
)
def test_the_page_names_every_key(message: Any, section: str) -> None:
    text = _section("JSON for people").partition("###")[0] + _section(section)
    missing = [name for name in message.model_fields if f"`{name}`" not in text]
    assert missing == []


def _section(title: str) -> str:
    _, _, rest = PAGE.partition(f"# {title}\n")
    assert rest, title
    return re.split(r"^#{2,3} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def test_the_page_names_every_tensor(worker: ServiceWorker) -> None:
    for section, kinds in (("The twin", ["twin"]), ("The networks", ["hypernetwork", "main"])):
        text = _section(section)
        for kind in kinds:
            model = worker.models[kind]
            names = [spec.name for spec in (*model.inputs, *model.outputs)]
            assert [name for name in names if f"`{name}`" not in text] == []
    assert {*PER_TRIAL, *PER_PERSON_AND_TRIAL, *SAMPLED} <= {
        spec.name for spec in worker.models["twin"].outputs
    }


def test_the_page_has_the_limits(worker: ServiceWorker) -> None:
    limits, text = ServiceLimits(), _section("Limits").replace(",", "")
    for number, what in (
        (limits.body_bytes >> 20, "64 MiB"),
        (limits.people_per_request, "64 ("),
        (limits.n_regions, "2000"),
        (limits.draws, "256"),
        (limits.n_trials, "5000 trials"),
        (round(limits.learned_s), "2400 s together"),
        (MAX_RUNS, "50 runs"),
        (MAX_VALUES // 10**6, "8 million values"),
        (MAX_CONTAINERS, "400000 lists"),
        (MAX_COLONS, "20000 keys"),
        (limits.twins_cached, "last 64 twins"),
    ):
        assert str(number) in what
        assert what in text
    assert f"at most {MAX_DOSE:g} (1)" in PAGE
    assert f"at most {limits.max_batch};" in PAGE
