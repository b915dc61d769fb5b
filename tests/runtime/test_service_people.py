"""The JSON API for people gives what the Python API gives, and refuses with a sentence."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.events import events_from_columns
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.seen_trials import seen_trials
from dtb_runtime.service_jobs import Job
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_messages import CalibrateResponse, PredictResponse
from dtb_runtime.service_worker import ServiceWorker
from dtb_runtime.summary import summary
from dtb_runtime.tasks import DT_S

from .service_requests import asked, json_job, refused

People = Callable[[int], NDArray[np.float64]]
Columns = dict[str, list[Any]]


@pytest.fixture(scope="module")
def worker(tiny: Bundle, tiny_plain: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny, tiny_plain], ServiceLimits())


@pytest.fixture
def person(people: People) -> dict[str, Any]:
    return {"connectome": people(0).tolist()}


@pytest.fixture
def trials(recorded: Callable[..., list[list[str]]]) -> Callable[..., Columns]:
    """The beginning of a recorded run as columns, numbers as numbers and n/a as null."""

    def trials(task: str, *, seed: int = 1, rows: slice = slice(0, 16)) -> Columns:
        header, *lines = recorded(task, seed=seed)
        columns = dict(zip(header, map(list, zip(*lines[rows], strict=True)), strict=True))
        return {name: [_value(cell) for cell in own] for name, own in columns.items()}

    return trials


def _value(cell: str) -> str | float | None:
    try:
        return float(cell)
    except ValueError:
        return None if cell == "n/a" else cell


def as_json(value: object) -> Any:
    return json.loads(json.dumps(value))


def test_predict_gives_the_summary_and_every_trial(
    worker: ServiceWorker, tiny: Bundle, people: People, person: dict[str, Any]
) -> None:
    found = asked(
        worker, "predict", **person, participant_id="07", age=33, sex="male", seed=2, bold=True
    )
    PredictResponse.model_validate(found, strict=True, extra="forbid")
    twin = tiny.personalize(people(0), participant_id="07")
    forecasts = twin.forecast_tasks(seed=2)
    assert found["summary"] == as_json(summary(twin, forecasts, age=33, sex="male"))
    assert found["summary"]["draws"] == 32
    assert [*found["trials"]] == [*found["bold"]] == ["hammer", "stroop"]
    for forecast in forecasts:
        own = found["trials"][forecast.task]
        assert [*own] == [*forecast.trials]
        for name, values in forecast.trials.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(np.array(own[name], float), values, atol=1e-5)
            else:
                assert own[name] == values.tolist()
        bold = found["bold"][forecast.task]
        assert (bold["region_labels"], bold["tr_s"]) == ([*forecast.region_labels], 0.8)
        np.testing.assert_allclose(bold["values"], forecast.bold, atol=1e-5)


def test_edges_and_labels_tell_the_same_person(
    worker: ServiceWorker, tiny: Bundle, people: People, person: dict[str, Any]
) -> None:
    assert tiny.manifest.parcellation is not None
    labels = list(tiny.manifest.parcellation.labels)
    order = np.random.default_rng(3).permutation(12)
    shuffled = people(0)[np.ix_(order, order)]
    by_name = {"edges": shuffled[np.triu_indices(12, 1)].tolist()}
    by_name["labels"] = [labels[i] for i in order]
    one, other = (asked(worker, "predict", **own, draws=3) for own in (person, by_name))
    assert one["trials"] == other["trials"]
    assert one["summary"]["connectome"]["regions"].startswith("by position")
    assert other["summary"]["connectome"]["regions"] == "by name"


def test_fisher_z_is_taken_back(
    worker: ServiceWorker, people: People, person: dict[str, Any]
) -> None:
    upper = np.triu_indices(12, 1)
    z = {"edges": np.arctanh(people(0)[upper]).tolist(), "fisher_z": True}
    one, other = (asked(worker, "predict", **own, draws=1) for own in (person, z))
    for name, value in one["summary"]["indicators"].items():
        assert other["summary"]["indicators"][name] == pytest.approx(value, rel=1e-5)


def test_own_schedules_are_checked_as_files_are(
    worker: ServiceWorker,
    tiny: Bundle,
    people: People,
    person: dict[str, Any],
    trials: Callable[..., Columns],
) -> None:
    columns = trials("stroop", rows=slice(0, 20))
    found = asked(worker, "predict", **person, events={"stroop": columns}, draws=2)
    events = events_from_columns(columns, "stroop")
    forecast = tiny.personalize(people(0)).forecast("stroop", events, draws=2)
    assert [*found["trials"]] == ["stroop"]
    np.testing.assert_allclose(
        found["trials"]["stroop"]["p_correct"], forecast.trials["p_correct"], atol=1e-5
    )
    columns["onset"][4] = columns["onset"][3]
    bad = json_job("predict", person | {"events": {"stroop": columns}})
    assert "events of stroop: rows 4 and 5 overlap" in refused(worker, bad)


def test_predict_leaves_out_what_is_not_wanted(
    worker: ServiceWorker, person: dict[str, Any]
) -> None:
    found = asked(worker, "predict", **person, draws=1, task="hammer", trials=False)
    assert [*found] == ["summary"]
    assert "reaction_time:stroop" not in found["summary"]["indicators"]


def test_another_bundle_is_named(worker: ServiceWorker, person: dict[str, Any]) -> None:
    found = asked(worker, "predict", **person, bundle="tiny_plain")
    assert (found["summary"]["bundle"], found["summary"]["draws"]) == ("tiny_plain", 1)


def test_calibrate_learns_and_gives_the_twin(
    worker: ServiceWorker,
    tiny: Bundle,
    people: People,
    trials: Callable[..., Columns],
    tmp_path: Path,
    person: dict[str, Any],
) -> None:
    runs = {"stroop": trials("stroop"), "hammer": [trials("hammer", seed=2)]}
    found = asked(worker, "calibrate", **person, trials=runs, draws=4, participant_id="sub-1")
    CalibrateResponse.model_validate(found, strict=True, extra="forbid")
    before = tiny.personalize(people(0), participant_id="sub-1")
    observed = []
    for task, columns in (("stroop", runs["stroop"]), ("hammer", trials("hammer", seed=2))):
        assert isinstance(columns, dict)
        events = events_from_columns(columns, task, f"task-{task}")
        observed.append(ObservedRun(events, Responses.from_events(events)))
    after = before.calibrate(observed)
    for name, twin in (("before", before), ("after", after)):
        assert found[name] == as_json(summary(twin, twin.forecast_tasks(draws=4))), name
    assert found["seen"] == as_json([each.to_json() for each in seen_trials(after, draws=4)])
    data = base64.b64decode(found["twin"], validate=True)
    (tmp_path / "twin.npz").write_bytes(data)
    loaded = tiny.load_twin(tmp_path / "twin.npz")
    assert loaded.latent is not None
    assert after.latent is not None
    np.testing.assert_array_equal(loaded.latent, after.latent)


def test_a_twin_goes_on_where_it_was(
    worker: ServiceWorker, person: dict[str, Any], trials: Callable[..., Columns]
) -> None:
    first = asked(worker, "calibrate", **person, trials={"stroop": trials("stroop")}, draws=2)
    found = asked(worker, "predict", twin=first["twin"], draws=2, participant_id="9")
    assert found["summary"]["indicators"] == first["after"]["indicators"]
    assert found["summary"]["participant_id"] == "sub-9"
    again = {"twin": first["twin"], "trials": {"stroop": trials("stroop")}}
    assert "would count twice" in refused(worker, json_job("calibrate", again))
    more = {"hammer": trials("hammer")}
    second = asked(worker, "calibrate", twin=first["twin"], trials=more, draws=2)
    assert second["before"]["indicators"] == first["after"]["indicators"]
    assert second["after"]["calibration"]["trials_by_task"].keys() == {"stroop", "hammer"}
    at_once = {"stroop": trials("stroop"), "hammer": trials("hammer")}
    both = asked(worker, "calibrate", **person, trials=at_once, draws=2)
    assert both["after"]["indicators"] == second["after"]["indicators"]


def test_anybody_learns_from_runs_of_a_list_which_are_runs_of_their_own(
    worker: ServiceWorker, tiny: Bundle, trials: Callable[..., Columns]
) -> None:
    """Otherwise the second, which begins later, would be taken for the rest of the first."""
    parts = [trials("stroop", rows=own) for own in (slice(0, 10), slice(10, 20))]
    found = asked(worker, "calibrate", trials={"stroop": parts}, draws=1)
    assert found["after"]["calibration"]["trials"] == 20
    anybody = tiny.population_twin()
    assert found["before"] == as_json(summary(anybody, anybody.forecast_tasks(draws=1)))
    same = {"trials": {"stroop": [parts[0], parts[0]]}}
    assert "hold the same trials" in refused(worker, json_job("calibrate", same))


def test_a_saved_twin_that_is_none_is_refused(
    worker: ServiceWorker, tiny_plain: Bundle, people: People, tmp_path: Path
) -> None:
    tiny_plain.personalize(people(0)).save(tmp_path / "other.npz")
    text = base64.b64encode((tmp_path / "other.npz").read_bytes()).decode()
    for twin, sentence in (
        ("@@", "twin is not base64"),
        ("é", "twin is not base64"),
        ("aGVsbG8=", "twin is not a saved twin, or it is damaged"),
        (text[:-40], "twin is not"),
        (text, "twin was made with bundle 'tiny_plain'"),
    ):
        assert sentence in refused(worker, json_job("predict", {"twin": twin}))
    assert asked(worker, "predict", twin=text, bundle="tiny_plain")["summary"]["draws"] == 1
    both = {"twin": text, "labels": ["a"]}
    assert "but labels was given as well" in refused(worker, json_job("predict", both))


SQUARE = [[1.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.1, 1.0]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"connectome": None}, "There is nobody to forecast"),
        ({"edges": [0.1] * 66}, "Both connectome and edges are given"),
        ({"connectome": SQUARE}, "connectome is 3 x 3, but this bundle needs 12 x 12"),
        ({"connectome": [[1.0, 0.5], [0.5]]}, "row 2 has 1 values, expected 2"),
        ({"connectome": [[1.0, 0.5], 3]}, "row 2 is no list, expected 2"),
        ({"connectome": []}, "connectome has 0 regions, expected from 2 to 2000"),
        ({"connectome": [[]] * 2001}, "connectome has 2001 regions, expected from 2 to 2000"),
        ({"connectome": [["1", 0.5], [0.5, 1]]}, "expected numbers, but value 1 is '1'"),
        ({"connectome": [[1, 1e400], [0.5, 1]]}, "larger than any in float64"),
        ({"connectome": {"a": 1}}, "The request, connectome: expected a list."),
        ({"connectome": None, "edges": [0.1] * 65}, "fill the upper triangle of no matrix"),
        ({"connectome": None, "edges": []}, "fill the upper triangle of no matrix"),
        ({"connectome": None, "edges": [0.1] * 3}, "connectome is 3 x 3, but this bundle needs"),
        ({"labels": ["a", "b"]}, "connectome has 2 labels for 12 regions"),
        ({"labels": ["a", 3]}, "The request, labels, 2: Input should be a valid string."),
        ({"participant_id": "a/b"}, "A participant label must be letters and digits"),
        ({"bundle": "big"}, "The bundle 'big' is not served here, only: tiny, tiny_plain."),
        ({"task": "nback"}, "There is no task named 'nback'"),
        ({"draws": 0}, "The request, draws: Input should be greater than or equal to 1."),
        ({"draws": 257}, "draws are 257, expected at most 256"),
        ({"draws": 10**400}, "draws are 1000"),
        ({"draws": 2, "bundle": "tiny_plain"}, "nothing to draw from"),
        ({"seed": -1}, "The request, seed: Input should be greater than or equal to 0."),
        ({"age": 30}, "Percentiles by age and sex need both. Add sex."),
        ({"sex": "male"}, "Percentiles by age and sex need both. Add age."),
        ({"age": 200, "sex": "male"}, "An age must be a number of years from 0 to 130"),
        ({"age": 20, "sex": "M"}, "The request, sex: Input should be 'female' or 'male'."),
        ({"events": {}}, "There is no task to forecast"),
        ({"events": {"nback": {"onset": [1]}}}, "There is no task named 'nback'"),
        ({"events": {"stroop": {"onset": [1]}}}, "events of stroop has no column 'duration'"),
        ({"events": {"stroop": {"onset": [True]}}}, "The request, events, stroop, onset, 1"),
        ({"events": {"stroop": {"onset": 1}}}, "events, stroop, onset: expected a list."),
        ({"events": {"stroop": {"a": [1]}}, "task": "hammer"}, "schedules of other tasks than"),
        ({"events": {"stroop": {"a": [1.0] * 5001}}}, "There are 5001 trials, expected at most"),
        ({"participant_id": "a" * 201}, "participant_id: String should have at most 200 char"),
        ({"fisher_z": 0}, "The request, fisher_z: Input should be a valid boolean."),
        (
            {"conectome": 1},
            "The request, conectome: no such key is known, expected some of bundle, connectome",
        ),
        ({"path": "/etc/passwd"}, "The request, path: no such key is known, "),
    ],
)
def test_what_cannot_be_forecast_is_refused(
    worker: ServiceWorker, person: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    body = json.dumps(person | changes).replace("Infinity", "1e400").encode()
    assert sentence in refused(worker, Job("predict", body))


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        ({}, "There are no trials to learn from"),
        ({"stroop": []}, "There are no trials to learn from"),
        ({"nback": {"onset": [1]}}, "There is no task named 'nback'"),
        ({"stroop": {"onset": [1]}}, "task-stroop has no column 'duration'"),
        ({"stroop": [{"onset": [1]}] * 2}, "task-stroop_run-1 has no column 'duration'"),
        ({"stroop": [{"onset": [1]}] * 51}, "The request, trials, stroop"),
        ({"stroop": [{"a": [1] * 3000}] * 2}, "There are 6000 trials, expected at most 5000"),
        (
            {"stroop": {"onset": [1.0, True]}},
            "The request, trials, stroop, onset, 2: expected text or a number.",
        ),
        ([1], "The request, trials: expected an object."),
    ],
)
def test_what_nobody_can_learn_from_is_refused(
    worker: ServiceWorker, trials: object, sentence: str
) -> None:
    assert sentence in refused(worker, json_job("calibrate", {"trials": trials}))


def test_what_takes_longer_to_learn_from_than_a_request_may_is_refused(
    tiny: Bundle, trials: Callable[..., Columns]
) -> None:
    runs = {"stroop": [trials("stroop"), trials("stroop", seed=2)]}
    seconds = sum(events_from_columns(run, "stroop", "a").n_steps for run in runs["stroop"]) * DT_S
    exact = ServiceWorker([tiny], ServiceLimits(learned_s=seconds))
    twin = asked(exact, "calibrate", trials=runs, draws=1)["twin"]
    body = {"twin": twin, "trials": {"hammer": trials("hammer")}}
    assert re.search(
        r"last \d+ s together, with those that a twin knows already, expected at most \d+: ",
        refused(exact, json_job("calibrate", body)),
    )
    shorter = ServiceWorker([tiny], ServiceLimits(learned_s=seconds - 1))
    sentence = refused(shorter, json_job("calibrate", {"trials": runs}))
    assert f"last {seconds:.0f} s together" in sentence


def test_trials_without_responses_are_refused(
    worker: ServiceWorker, trials: Callable[..., Columns]
) -> None:
    columns = trials("stroop")
    del columns["response_time"]
    body = {"trials": {"stroop": columns}}
    assert "has no column 'response_time'" in refused(worker, json_job("calibrate", body))
    plain = {"trials": {"stroop": trials("stroop")}, "bundle": "tiny_plain"}
    assert "Bundle 'tiny_plain' has no latent." in refused(worker, json_job("calibrate", plain))


def test_the_length_of_a_header_belongs_elsewhere(worker: ServiceWorker) -> None:
    job = Job("predict", b"{}", header_length=2)
    assert "belongs to inference requests" in refused(worker, job)
