"""What an evaluation leaves behind: every figure can be computed again from its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_models.evaluation import BundlePart, Evaluation, evaluate_people, judged_by
from dtb_models.evaluation_files import (
    METRICS_FILE,
    Predictions,
    check_place,
    clear,
    write_judged,
    write_report,
)
from dtb_models.evaluation_report import Facts, json_values, n_known, report
from dtb_models.judged_files import read_judged_trials
from dtb_models.metrics import differences, figures
from dtb_models.protocols import PROTOCOLS
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import OutputError
from dtb_runtime.manifest_sections import participant_digest
from dtb_runtime.tables import read_table

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
REAL = Facts({"kind": "real", "description": "People.", "n_people": 6}, "tiny", None, None, 0, ())


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(TINY, device="cpu")


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dtb_runtime.forecast.DRAWS", 2)
        patched.setattr("dtb_runtime.posterior_search.N_DRAWS", 8)
        patched.setattr("dtb_runtime.posterior_search.MAX_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def evaluation(bundle: Bundle, quick: None, out: Path) -> Evaluation:
    """Six people, after their own first half, with their files."""
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    cohort = SimulatedCohort(parcellation, 6, seed=1, n_rest_runs=1, n_rest_frames=80)
    protocol = PROTOCOLS["calibrated"]
    people = judged_by(cohort.participants, [bundle], protocol)
    done = evaluate_people(
        people,
        [BundlePart(bundle, cohort.participant_ids)],
        protocol,
        on_person=Predictions(out),
        jobs=2,
    )
    write_judged(out, done)
    return done


@pytest.fixture(scope="module")
def found(evaluation: Evaluation, out: Path) -> dict[str, Any]:
    write_report(out, report(evaluation, REAL))
    values: dict[str, Any] = json.loads((out / METRICS_FILE).read_text(encoding="utf-8"))
    return values


def test_it_has_the_agreed_sections(found: dict[str, Any]) -> None:
    assert set(found) == {
        *("data", "protocol", "bundle", "training", "folds", "seed", "judged", "left_out"),
        *("in_sample", "methods", "differences", "reliability", "planted", "maps"),
        *("calibration", "warnings", "notes", "versions"),
    }
    assert found["protocol"] == "calibrated"
    assert found["judged"] == {"hammer": 6, "stroop": 6}
    assert found["left_out"] == {"hammer": {}, "stroop": {}}
    assert found["calibration"]["n_trials_median"] > 50
    assert found["calibration"]["seconds_max"] >= found["calibration"]["seconds_median"] > 0
    assert set(found["methods"]) - set(found["differences"]) == {"twin"}
    assert found["methods"]["rule/own_mean"]["meaning"].startswith("the person's own mean")
    assert 0 < found["reliability"]["mean_rt:hammer"]["bound_of_truth"] <= 1


def test_figures_follow_from_the_tables_on_disk(found: dict[str, Any], out: Path) -> None:
    files = {path.stem: read_judged_trials(path) for path in (out / "judged").iterdir()}
    assert "control-shuffled_01" in files
    for method, values in found["methods"].items():
        stem = method.replace("/", "-")
        table = files.get(stem, files.get(f"{stem}_01"))
        assert table is not None, method
        assert values["figures"] == {k: v.to_json() for k, v in figures(table).items()}, method
        if method != "twin":
            away = differences(files["twin"], table)
            assert found["differences"][method] == {k: v.to_json() for k, v in away.items()}


def test_response_times_follow_from_each_persons_files(
    found: dict[str, Any], evaluation: Evaluation, out: Path
) -> None:
    """The paper's figure, from forecasts as they are written for anybody, and what was done."""
    forecast, measured = [], []
    for each in evaluation.people.of_task("stroop"):
        name = f"{each.participant_id}_task-stroop_desc-twin_events.tsv"
        columns = read_table(out / "predictions" / name, "\t", OutputError).columns
        counts = each.judged & each.run.responses.usable & each.run.responses.correct
        forecast.append(np.array(columns["response_time"], np.float64)[counts].mean())
        measured.append(each.run.responses.response_time_s[counts].mean())
    r = np.corrcoef(forecast, measured)[0, 1]
    rmse = np.sqrt(np.mean(np.square(np.subtract(forecast, measured))))
    own = found["methods"]["twin"]["figures"]
    assert own["rt_r:stroop"]["value"] == pytest.approx(r, abs=1e-3)
    assert own["rt_rmse_s:stroop"]["value"] == pytest.approx(rmse, abs=1e-4)


def test_choices_follow_from_each_persons_files(
    found: dict[str, Any], evaluation: Evaluation, out: Path
) -> None:
    losses = []
    for each in evaluation.people.of_task("hammer"):
        name = f"{each.participant_id}_task-hammer_desc-twin_events.tsv"
        columns = read_table(out / "predictions" / name, "\t", OutputError).columns
        right, missed = (
            np.array(columns[column], np.float64) for column in ("p_correct", "p_no_response")
        )
        responses = each.run.responses
        counts = each.judged & responses.usable & ~np.isnan(responses.response_time_s)
        chance = right / (1 - missed)
        losses.append(-np.log(np.where(responses.correct, chance, 1 - chance))[counts])
    value = found["methods"]["twin"]["figures"]["choice_log_loss:hammer"]["value"]
    assert value == pytest.approx(np.concatenate(losses).mean(), abs=1e-4)


def test_every_person_has_the_files_of_a_prediction(evaluation: Evaluation, out: Path) -> None:
    for person in evaluation.persons:
        stem = f"{person.participant_id}_task-hammer_desc-twin"
        for end in ("events.tsv", "timeseries.tsv", "contrasts.tsv", "events.json"):
            assert (out / "predictions" / f"{stem}_{end}").is_file()
        summary = out / "predictions" / f"{person.participant_id}_desc-twin_summary.json"
        assert json.loads(summary.read_text(encoding="utf-8"))["calibration"]["trials"] > 50


def test_shuffles_are_averaged(evaluation: Evaluation) -> None:
    twin = evaluation.tables["twin"]
    other = twin.predicting(rt_s=twin.rt_s[::-1])
    several = replace(evaluation, shuffled=(twin, other))
    values = report(several, REAL)["methods"]["control/shuffled"]["figures"]["rt_r:hammer"]
    both = [figures(table)["rt_r:hammer"] for table in (twin, other)]
    assert values["value"] == pytest.approx(np.mean([f.value for f in both]))
    assert values["low"] == pytest.approx(np.mean([f.low for f in both]))


def test_people_a_bundle_knows_are_counted(evaluation: Evaluation, bundle: Bundle) -> None:
    ids = evaluation.people.participant_ids
    assert n_known((bundle, one) for one in ids) is None  # it does not say
    assert report(evaluation, REAL)["in_sample"] is None
    manifest = bundle.manifest
    known = tuple(participant_digest(one) for one in (*ids[:2], "sub-other"))
    told = replace(manifest, training=replace(manifest.training, participants=known))
    knowing = replace(bundle, manifest=told)
    persons = tuple(replace(person, bundle=knowing) for person in evaluation.persons)
    judged = replace(evaluation, persons=persons)
    assert report(judged, REAL)["in_sample"] == 2
    simulated = replace(REAL, data={"kind": "simulated"})
    assert report(judged, simulated)["in_sample"] is None
    trained = replace(REAL, bundle=None, training={})
    assert report(judged, trained)["in_sample"] == 0
    temporal = replace(judged, protocol=PROTOCOLS["temporal"])
    assert report(temporal, trained)["in_sample"] == 6


def test_what_was_written_before_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in ("judged/twin.tsv", "predictions/sub-01_desc-twin_summary.json", "metrics.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    kept = [tmp_path / "predictions" / "notes.txt", tmp_path / "folds", tmp_path / "judged.txt"]
    for path in kept:
        path.touch()
    clear(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_numbers_that_json_does_not_have_are_null() -> None:
    found = {"a": np.nan, "b": [1.0, np.float64("inf")], "c": {"d": (True, 3, "nan", None)}}
    assert json_values(found) == {"a": None, "b": [1.0, None], "c": {"d": [True, 3, "nan", None]}}


def test_an_evaluation_is_not_written_over(tmp_path: Path, found: dict[str, Any]) -> None:
    check_place(tmp_path / "new", resume=False, force=False)
    write_report(tmp_path, found)
    with pytest.raises(OutputError, match=r"already \(metrics.json\).* --force \(force=True\)"):
        check_place(tmp_path, resume=False, force=False)
    check_place(tmp_path, resume=True, force=False)
    check_place(tmp_path, resume=False, force=True)
    with pytest.raises(OutputError, match="is a file, expected a folder"):
        check_place(tmp_path / METRICS_FILE, resume=False, force=False)
