"""`dtb-run predict` prints and writes what the runtime says, and nothing else."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import load_bundle
from dtb_runtime.forecast import Forecast
from dtb_runtime.summary import summary
from dtb_runtime.twin import Twin

Run = Callable[..., Any]
Matrix = NDArray[np.float64]
pytestmark = pytest.mark.usefixtures("few_draws")

STROOP = "onset\tduration\ttrial_type\tstimulus_text\tstimulus_color\n" + "".join(
    f"{2 + 4 * trial}\t2.0\t{kind}\t{word}\t{color}\n"
    for trial, (kind, word, color) in enumerate(
        [("con1", "red", "red"), ("inc1", "red", "green"), ("con2", "blue", "blue")] * 4
    )
)


def _expected(correlations: Matrix, bundle: Path, tasks: tuple[str, ...]) -> dict[str, Any]:
    """The summary as the runtime alone makes it."""
    twin = load_bundle(bundle, device="cpu").personalize(correlations, participant_id="01")
    return summary(twin, [twin.forecast(task) for task in tasks])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_json_is_the_runtimes_summary(
    dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path
) -> None:
    done = dtb_run("predict", connectome, "--bundle", tiny, "--device", "cpu", "--json")
    assert done.code == 0
    assert done.err == ""
    assert json.loads(done.out) == _expected(correlations, tiny, ("hammer", "stroop"))
    assert list(json.loads(done.out)) == [
        "participant_id",
        "bundle",
        "provider",
        "draws",
        "calibration",
        "indicators",
        "indicator_intervals",
        "indicator_meanings",
        "percentiles",
        "connectome",
        "strangeness",
        "warnings",
        "files",
        "versions",
    ]


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_one_task_gives_the_indicators_of_that_task(
    task: str, dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path
) -> None:
    done = dtb_run(
        "predict", connectome, "--bundle", tiny, "--task", task, "--device", "cpu", "--json"
    )
    assert json.loads(done.out) == _expected(correlations, tiny, (task,))


def test_the_table_shows_the_numbers_of_the_summary(
    dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path
) -> None:
    expected = _expected(correlations, tiny, ("hammer", "stroop"))
    done = dtb_run("predict", connectome, "--bundle", tiny)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert "Twin of sub-01: bundle tiny on" in done.out
    assert expected["provider"].removesuffix("ExecutionProvider") in done.out
    indicators, intervals = expected["indicators"], expected["indicator_intervals"]

    def cells(name: str) -> list[str]:
        low, high = intervals[name]
        return [f"{indicators[name]:.3f}", f"{low:.3f}", "to", f"{high:.3f}"]

    for task, trial_types in {
        "hammer": ("face", "shape"),
        "stroop": ("congruent", "incongruent"),
    }.items():
        for trial_type in trial_types:
            suffix = f"{task}:{trial_type}"
            row = [
                task,
                trial_type,
                *cells(f"accuracy:{suffix}"),
                *cells(f"reaction_time:{suffix}"),
            ]
            assert row in lines
        assert [task, "all", *cells(f"accuracy:{task}"), *cells(f"reaction_time:{task}")] in lines
    norms = load_bundle(tiny, device="cpu").norms
    percentile = norms.indicator_percentile("stroop_effect", indicators["stroop_effect"])
    assert percentile is not None
    assert ["stroop_effect", *cells("stroop_effect"), "s", f"{percentile.percent:.0f}"] in lines
    # The bundle has no norms of it.
    amygdala = cells("amygdala_response")
    assert ["amygdala_response", *amygdala, "t,", "no", "noise", "n/a"] in lines
    assert "Percentiles are among the twins of the training cohort.\n" in done.out
    assert expected["calibration"]["sentence"] in done.out
    assert "rests on the connectome alone" in done.out
    assert "\nNo " not in done.out


def test_a_bundle_that_is_not_sure_of_itself_has_no_intervals(
    dtb_run: Run, connectome: Path, tiny: Path
) -> None:
    plain = tiny.parent / "tiny_plain"
    done = dtb_run("predict", connectome, "--bundle", plain)
    assert done.code == 0
    assert "90 %" not in done.out
    assert "does not say how far off a person may be" in done.out
    result = json.loads(dtb_run("predict", connectome, "--bundle", plain, "--json").out)
    assert result["draws"] == 1
    assert result["indicator_intervals"] == {}


def test_age_and_sex_go_into_the_percentiles(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    arguments = ("predict", connectome, "--bundle", tiny, "--age", "34", "--sex", "female")
    done = dtb_run(*arguments)
    whom = "the twins of the training cohort (not known by age and sex)"
    assert f"Percentiles are among {whom}.\n" in done.out
    result = json.loads(dtb_run(*arguments, "--json", "--out", tmp_path / "twins").out)
    assert {found["compared_to"] for found in result["percentiles"].values()} == {whom}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--age", "34"), "Percentiles by age and sex need both. Add --sex."),
        (("--sex", "male"), "Add --age."),
        (("--age", "-3", "--sex", "male"), "number of years from 0 to 130, found -3"),
        (("--age", "nan", "--sex", "male"), "number of years from 0 to 130, found nan"),
        (("--twin", "sub-01_twin.npz"), "is made of a connectome already, but"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    options: tuple[str, ...], message: str, dtb_run: Run, connectome: Path, tiny: Path
) -> None:
    done = dtb_run("predict", connectome, "--bundle", tiny, *options)
    assert done.code == 2
    assert message in done.err
    assert done.out == ""


def test_nobody_is_a_usage_error_that_leads_on(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("predict", "--bundle", tiny)
    assert done.code == 2
    assert "There is nobody to forecast" in done.err
    assert "dtb-run calibrate --events" in done.err


def test_a_saved_twin_is_forecast_as_its_connectome_is(
    dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    twin = load_bundle(tiny, device="cpu").personalize(correlations, participant_id="01")
    twin.save(tmp_path / "sub-01_twin.npz")
    plain = dtb_run("predict", connectome, "--bundle", tiny, "--json")
    saved = dtb_run("predict", "--twin", tmp_path / "sub-01_twin.npz", "--bundle", tiny, "--json")
    assert saved.code == 0
    assert json.loads(saved.out) == json.loads(plain.out)
    refused = dtb_run("predict", "--twin", tmp_path / "sub-01_twin.npz", "--timeseries")
    assert refused.code == 2
    assert "is made of a connectome already, but --timeseries was given" in refused.err


def test_an_indicator_that_cannot_be_given_has_its_reason(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    events = tmp_path / "events.tsv"
    rows = ["2.0\t2.25\tcon1\tred\tred", "6.5\t2.25\tcon2\tgreen\tgreen"]
    header = "onset\tduration\ttrial_type\tstimulus_text\tstimulus_color"
    events.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    arguments = ("--bundle", tiny, "--task", "stroop", "--events", events)
    done = dtb_run("predict", connectome, *arguments)
    assert done.code == 0, done.err
    reasons = [line for line in done.out.splitlines() if line.startswith("No ")]
    assert len(reasons) == 1
    assert reasons[0].startswith("No stroop_effect: ")


def test_the_table_says_how_unusual_the_connectome_is_once_and_every_warning(
    dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path
) -> None:
    expected = _expected(correlations, tiny, ("hammer", "stroop"))
    done = dtb_run("predict", connectome, "--bundle", tiny)
    assert done.out.count(expected["strangeness"]["sentence"]) == 1
    assert expected["warnings"]
    for warning in expected["warnings"]:
        assert f"Warning: {warning}\n" in done.out


def test_a_piped_table_is_plain_text(dtb_run: Run, connectome: Path, tiny: Path) -> None:
    done = dtb_run("predict", connectome, "--bundle", tiny)
    assert done.out.isascii()
    assert "\x1b" not in done.out


def test_out_writes_the_named_files_and_says_so_on_stderr(
    dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "twins"
    done = dtb_run("predict", connectome, "--bundle", tiny, "--out", out, "--device", "cpu")
    assert done.code == 0
    tables = [
        f"sub-01_task-{task}_desc-twin_{kind}.tsv"
        for task in ("hammer", "stroop")
        for kind in ("contrasts", "events", "timeseries")
    ]
    sidecars = [name.replace(".tsv", ".json") for name in tables]
    names = [*tables, *sidecars, "sub-01_desc-twin_summary.json"]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert f"Wrote {len(names)} files to {out}." in done.err

    twin = load_bundle(tiny, device="cpu").personalize(correlations)
    forecast = twin.forecast("stroop")
    rows = _rows(out / "sub-01_task-stroop_desc-twin_events.tsv")
    assert list(rows[0]) == list(forecast.trials)
    np.testing.assert_allclose(
        [float(row["response_time"]) for row in rows],
        forecast.trials["response_time"],
        atol=6e-5,
    )


def test_json_and_the_written_summary_are_the_same(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "twins"
    done = dtb_run("predict", connectome, "--bundle", tiny, "--out", out, "--json")
    written = json.loads((out / "sub-01_desc-twin_summary.json").read_text(encoding="utf-8"))
    assert json.loads(done.out) == written
    assert sorted(written["files"]) == sorted(path.name for path in out.iterdir())
    assert done.err == ""


def test_files_are_not_overwritten_without_force(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "twins"
    arguments = ("predict", connectome, "--bundle", tiny, "--task", "stroop", "--out", out)
    assert dtb_run(*arguments).code == 0
    summary_file = out / "sub-01_desc-twin_summary.json"
    summary_file.write_text("mine", encoding="utf-8")
    again = dtb_run(*arguments)
    assert again.code == 1
    assert "nothing was written" in again.err
    assert "--force" in again.err
    assert summary_file.read_text(encoding="utf-8") == "mine"
    assert dtb_run(*arguments, "--force").code == 0
    assert json.loads(summary_file.read_text(encoding="utf-8"))["participant_id"] == "sub-01"


def test_fisher_z_gives_the_same_twin(
    dtb_run: Run, connectome: Path, correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    z = tmp_path / "sub-01_z.npy"
    off_diagonal = np.where(np.eye(12, dtype=np.bool_), 0.0, correlations)
    np.save(z, np.arctanh(off_diagonal))
    plain = json.loads(dtb_run("predict", connectome, "--bundle", tiny, "--json").out)
    from_z = json.loads(dtb_run("predict", z, "--bundle", tiny, "--fisher-z", "--json").out)
    assert from_z["indicators"] == pytest.approx(plain["indicators"], abs=1e-5)


def test_a_time_series_gives_the_twin_of_its_correlations(
    dtb_run: Run, connectome: Path, series: Matrix, tiny: Path, tmp_path: Path
) -> None:
    path = tmp_path / "sub-01_timeseries.npy"
    np.save(path, series)
    plain = json.loads(dtb_run("predict", connectome, "--bundle", tiny, "--json").out)
    done = dtb_run("predict", path, "--bundle", tiny, "--timeseries", "--json")
    assert json.loads(done.out)["indicators"] == pytest.approx(plain["indicators"], abs=1e-5)


def test_own_events_are_forecast(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    events = tmp_path / "events.tsv"
    events.write_text(STROOP, encoding="utf-8")
    out = tmp_path / "twins"
    done = dtb_run(
        "predict",
        *(connectome, "--bundle", tiny, "--task", "stroop", "--events", events, "--out", out),
    )
    assert done.code == 0
    rows = _rows(out / "sub-01_task-stroop_desc-twin_events.tsv")
    assert [float(row["onset"]) for row in rows] == [2.0 + 4 * trial for trial in range(12)]
    assert [row["trial_type"] for row in rows] == ["con1", "inc1", "con2"] * 4


def test_a_schedule_says_its_task(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    events = tmp_path / "events.tsv"
    events.write_text(STROOP, encoding="utf-8")
    arguments = ("predict", connectome, "--bundle", tiny, "--events", events, "--json")
    told, known = (dtb_run(*arguments, *more) for more in (("--task", "stroop"), ()))
    assert known.code == 0, known.err
    assert known.out == told.out
    assert "accuracy:stroop" in known.out
    assert "accuracy:hammer" not in known.out


def test_a_schedule_of_another_task_is_a_usage_error(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    events = tmp_path / "sub-01_task-nback_events.tsv"
    events.write_text("onset\tduration\n1\t2\n", encoding="utf-8")
    done = dtb_run("predict", connectome, "--bundle", tiny, "--events", events)
    assert done.code == 2
    assert done.out == ""
    assert "its name says task-nback" in done.err
    assert "--task hammer|stroop" in done.err


def test_a_seed_draws_one_response_per_trial(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    drawn = []
    for number, seed in enumerate((3, 3, 4)):
        out = tmp_path / str(number)
        arguments = ("--bundle", tiny, "--task", "stroop", "--seed", seed, "--out", out)
        assert dtb_run("predict", connectome, *arguments).code == 0
        rows = _rows(out / "sub-01_task-stroop_desc-twin_events.tsv")
        drawn.append([row["sampled_response_time"] for row in rows])
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


@pytest.mark.parametrize("label", ["7", "sub-7"])
def test_the_participant_label_wins_over_the_file_name(
    label: str, dtb_run: Run, connectome: Path, tiny: Path
) -> None:
    done = dtb_run("predict", connectome, "--bundle", tiny, "--participant-label", label, "--json")
    assert json.loads(done.out)["participant_id"] == "sub-7"


def test_files_need_a_participant(
    dtb_run: Run, correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    anonymous, out = tmp_path / "matrix.npy", tmp_path / "twins"
    np.save(anonymous, correlations)
    arguments = ("predict", anonymous, "--bundle", tiny, "--task", "stroop")
    assert dtb_run(*arguments).code == 0
    done = dtb_run(*arguments, "--out", out)
    assert done.code == 2
    assert "matrix.npy has no 'sub-<label>' in its name" in done.err
    assert "--participant-label" in done.err
    assert not out.exists()
    assert dtb_run(*arguments, "--out", out, "--participant-label", "9").code == 0
    assert (out / "sub-9_desc-twin_summary.json").is_file()


def test_a_label_that_would_leave_the_folder_is_refused(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "twins"
    done = dtb_run(
        "predict",
        *(connectome, "--bundle", tiny, "--out", out, "--participant-label", "../x"),
    )
    assert done.code == 2
    assert "letters and digits" in done.err
    assert not out.exists()


def test_every_real_person_gets_a_twin_of_their_own(
    dtb_run: Run, shared_data: Path, tmp_path: Path
) -> None:
    """Ten real resting series through the shipped bundle, with their face > shape maps."""
    paths = sorted((shared_data / "hcp_rest").glob("sub-*/*_timeseries.npy"))
    assert len(paths) == 10
    if not any(info.name == "glasser360" for info in _shipped()):
        pytest.skip("the bundle glasser360 is not in this checkout")
    latencies, maps = set(), []
    for path in paths:
        arguments = ("--timeseries", "--bundle", "glasser360", "--task", "hammer", "--json")
        done = dtb_run("predict", path, *arguments, "--out", tmp_path)
        assert done.code == 0, done.err
        result = json.loads(done.out)
        assert result["participant_id"] == path.parent.name
        assert any("emi-synthetic" in warning for warning in result["warnings"])
        latencies.add(result["indicators"]["reaction_time:hammer"])
        name = f"{path.parent.name}_task-hammer_desc-twin_contrasts.tsv"
        rows = _rows(tmp_path / name)
        assert len(rows) == 360
        maps.append([float(row["t"]) for row in rows])
    assert len(latencies) == 10
    assert len(np.unique(np.array(maps), axis=0)) == 10


def _shipped() -> tuple[Any, ...]:
    from dtb_runtime import available_bundles

    return available_bundles()


def test_the_default_is_a_twin_of_both_tasks(
    dtb_run: Run, connectome: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    forecast_tasks = Twin.forecast_tasks

    def record(twin: Twin, schedules: Mapping[str, Any], **options: Any) -> list[Forecast]:
        asked.extend(schedules)
        return forecast_tasks(twin, schedules, **options)

    monkeypatch.setattr(Twin, "forecast_tasks", record)
    assert dtb_run("predict", connectome, "--bundle", tiny).code == 0
    assert asked == ["hammer", "stroop"]


def test_an_empty_label_is_refused(dtb_run: Run, connectome: Path, tiny: Path) -> None:
    done = dtb_run("predict", connectome, "--bundle", tiny, "--participant-label", "")
    assert done.code == 2
    assert "A participant label must be letters and digits" in done.err


def test_names_that_are_no_text_are_escaped_everywhere(
    dtb_run: Run, correlations: NDArray[np.float64], tiny: Path, tmp_path: Path
) -> None:
    path = tmp_path / "sub-01\udcff\n.npy"
    with path.open("wb") as file:
        np.save(file, correlations - np.diag(np.diag(correlations)))
    out = tmp_path / "out"
    done = dtb_run("predict", path, "--bundle", tiny, "--out", out, "--json")
    assert done.code == 0
    note = "The diagonal of sub-01\\udcff\\n.npy was 0 and was set to 1."
    assert note in json.loads(done.out)["warnings"]
    written = json.loads((out / "sub-01_desc-twin_summary.json").read_text(encoding="utf-8"))
    assert note in written["warnings"]
    missing = dtb_run("predict", tmp_path / "a\n\x1b[31m.npy", "--bundle", tiny)
    assert missing.err.count("\n") == 1
    assert "a\\n\\x1b[31m.npy" in missing.err
