"""What is written for a twin: names, columns, sidecars, warnings; all files or none."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.demographics import Demographics
from dtb_runtime.errors import OutputError, UsageError
from dtb_runtime.events import events_from_columns
from dtb_runtime.forecast import Forecast
from dtb_runtime.indicators import combine_indicators
from dtb_runtime.outputs import write_forecasts
from dtb_runtime.summary import summary
from dtb_runtime.twin import Twin

FILES = {
    f"sub-01_task-{task}_desc-twin_{kind}.{ending}"
    for task in ("hammer", "stroop")
    for kind in ("events", "timeseries", "contrasts")
    for ending in ("tsv", "json")
} | {"sub-01_desc-twin_summary.json"}


@pytest.fixture(scope="module")
def twin(tiny: Bundle) -> Twin:
    rng = np.random.default_rng(5)
    series = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 12))
    correlations = np.corrcoef((series + rng.standard_normal(series.shape)).T)
    return tiny.personalize(correlations, participant_id="01")


@pytest.fixture(scope="module")
def forecasts(twin: Twin) -> list[Forecast]:
    return [twin.forecast("hammer", seed=1), twin.forecast("stroop")]


@pytest.fixture
def out(tmp_path: Path, twin: Twin, forecasts: list[Forecast]) -> Path:
    write_forecasts(tmp_path / "out", twin, forecasts)
    return tmp_path / "out"


def read_table(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def read_json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def numbers(cells: list[str]) -> NDArray[np.float64]:
    return np.array([np.nan if cell == "n/a" else float(cell) for cell in cells])


def test_the_files_are_the_bids_named_ones(
    tmp_path: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    paths = write_forecasts(tmp_path, twin, forecasts)
    assert {path.name for path in paths} == FILES
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert paths[-1].name == "sub-01_desc-twin_summary.json"


def test_the_events_table_is_the_forecast(out: Path, forecasts: list[Forecast]) -> None:
    for forecast in forecasts:
        table = read_table(out / f"sub-01_task-{forecast.task}_desc-twin_events.tsv")
        assert list(table) == list(forecast.trials)
        assert list(table)[:4] == ["onset", "duration", "trial_type", "choice"]
        for name, column in forecast.trials.items():
            if column.dtype.kind == "U":
                assert table[name] == list(column)
            else:
                np.testing.assert_allclose(numbers(table[name]), column, atol=6e-5)
        np.testing.assert_array_equal(numbers(table["onset"]), forecast.events.onset_s)
    assert "sampled_choice" in read_table(out / "sub-01_task-hammer_desc-twin_events.tsv")


def test_missing_values_are_written_as_bids_has_them(out: Path, forecasts: list[Forecast]) -> None:
    table = read_table(out / "sub-01_task-hammer_desc-twin_events.tsv")
    silent = forecasts[0].trials["sampled_choice"] == "n/a"
    assert silent.any()
    for choice, time, is_silent in zip(
        table["sampled_choice"], table["sampled_response_time"], silent, strict=True
    ):
        assert (choice == "n/a") == (time == "n/a") == is_silent


def test_the_bold_table_is_the_forecast(out: Path, forecasts: list[Forecast]) -> None:
    for forecast in forecasts:
        stem = out / f"sub-01_task-{forecast.task}_desc-twin_timeseries"
        table = read_table(stem.with_suffix(".tsv"))
        assert tuple(table) == forecast.region_labels
        written = np.array([numbers(column) for column in table.values()]).T
        np.testing.assert_allclose(written, forecast.bold, atol=5.1e-5)
        assert "-0.0000" not in stem.with_suffix(".tsv").read_text()
        sidecar = read_json(stem.with_suffix(".json"))
        assert sidecar["SamplingFrequency"] == 1.25
        assert sidecar["RepetitionTime"] == 0.8
        assert sidecar["Units"].startswith("SD of the region")


def test_the_contrasts_table_is_the_forecast(out: Path, forecasts: list[Forecast]) -> None:
    for forecast in forecasts:
        stem = out / f"sub-01_task-{forecast.task}_desc-twin_contrasts"
        table = read_table(stem.with_suffix(".tsv"))
        ((name, contrast),) = forecast.contrasts.items()
        assert list(table) == ["region", "estimate", "t"]
        assert tuple(table["region"]) == forecast.region_labels
        np.testing.assert_allclose(numbers(table["estimate"]), contrast.estimate, rtol=1e-5)
        np.testing.assert_allclose(numbers(table["t"]), contrast.t, atol=6e-5)
        assert read_json(stem.with_suffix(".json"))["Contrast"] == name


def test_every_sidecar_and_the_summary_carry_the_warning(out: Path, tiny: Bundle) -> None:
    documents = [path for path in out.iterdir() if path.suffix == ".json"]
    assert len(documents) == 7
    for path in documents:
        assert read_json(path)["warnings"][:1] == list(tiny.warnings), path


def test_every_column_is_described(out: Path) -> None:
    for task in ("hammer", "stroop"):
        stem = out / f"sub-01_task-{task}_desc-twin_events"
        sidecar = read_json(stem.with_suffix(".json"))
        for column in read_table(stem.with_suffix(".tsv")):
            assert sidecar[column]["Description"]
        assert sidecar["response_time"]["Units"] == sidecar["onset"]["Units"] == "s"
        for name, quantile in (
            ("low", "5 %"),
            ("lower_quartile", "25 %"),
            ("upper_quartile", "75 %"),
            ("high", "95 %"),
        ):
            description = sidecar[f"response_time_{name}"]["Description"]
            assert description.startswith(f"{quantile} quantile of the response time")
            assert "what is not known of the person" in description
        assert sidecar["Draws"] == 32
        assert sidecar["RestsOn"].startswith("This forecast rests on the connectome alone")
    assert set(read_json(stem.with_suffix(".json"))["choice"]["Levels"]) == {"red", "green", "blue"}


def test_the_summary(out: Path, twin: Twin, forecasts: list[Forecast], tiny: Bundle) -> None:
    written = read_json(out / "sub-01_desc-twin_summary.json")
    assert list(written) == [
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
    assert written["participant_id"] == "sub-01"
    assert written["bundle"] == "tiny"
    assert written["provider"] == "CPUExecutionProvider"
    assert set(written["files"]) == FILES
    assert written["versions"]["bundle_digest"] == tiny.digest
    assert written["versions"]["numpy"] == np.__version__
    assert set(written["versions"]) == {
        "dtb_runtime",
        "bundle_digest",
        "onnxruntime",
        "numpy",
        "python",
    }
    for name in ("reaction_time:hammer:face", "stroop_effect", "amygdala_response"):
        source = forecasts["stroop" in name]
        np.testing.assert_allclose(written["indicators"][name], source.indicators[name], rtol=1e-5)
    both = [forecast.indicators["reaction_time"] for forecast in forecasts]
    np.testing.assert_allclose(written["indicators"]["reaction_time"], np.mean(both), rtol=1e-5)
    assert twin.strangeness is not None
    assert written["strangeness"]["sentence"] == twin.strangeness.sentence
    assert summary(twin, forecasts, [out / name for name in written["files"]]) == written


def test_the_summary_says_how_sure_it_is(out: Path, twin: Twin, forecasts: list[Forecast]) -> None:
    written = read_json(out / "sub-01_desc-twin_summary.json")
    assert written["draws"] == 32
    intervals = written["indicator_intervals"]
    assert set(intervals) == set(written["indicators"])
    for name in ("stroop_effect", "amygdala_response", "accuracy:stroop:congruent"):
        source = forecasts["stroop" in name]
        np.testing.assert_allclose(intervals[name], source.indicator_intervals[name], rtol=1e-5)
    # Both tasks are of the same persons: the mean of the two is taken within each.
    means = [
        np.mean([one.values["accuracy"], other.values["accuracy"]])
        for one, other in zip(*(forecast.draw_indicators for forecast in forecasts), strict=True)
    ]
    expected = np.quantile(means, (0.05, 0.95), method="median_unbiased")
    np.testing.assert_allclose(intervals["accuracy"], expected, rtol=1e-5)
    assert written["calibration"] == {
        "prior": "connectome",
        "trials": 0,
        "answered": 0,
        "not_usable": 0,
        "trials_by_task": {},
        "sentence": "This forecast rests on the connectome alone, no trial of this person was "
        "seen; its intervals are as wide as people with such a connectome differ.",
    }
    point = [twin.forecast(task, draws=1) for task in ("hammer", "stroop")]
    assert summary(twin, point)["indicator_intervals"] == {}
    assert summary(twin, point)["draws"] == 1


def test_forecasts_of_different_numbers_of_draws_are_not_put_together(
    tmp_path: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    other = [forecasts[0], twin.forecast("stroop", draws=2)]
    with pytest.raises(UsageError, match=r"same number of draws, found 2 and 32\. Forecast each"):
        write_forecasts(tmp_path / "out", twin, other)
    assert not (tmp_path / "out").exists()


def test_percentiles_say_whom_they_compare_with(
    tmp_path: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    known = Demographics(
        coefficients={"reaction_time": np.array([0.4, 0.0, 0.0, 0.1])},
        residual_quantiles={"reaction_time": np.linspace(-1.0, 1.0, 101)},
        age_center=40.0,
        age_range=(20.0, 60.0),
    )
    bundle = replace(twin.bundle, norms=replace(twin.bundle.norms, demographics=known))
    own = replace(twin, bundle=bundle)
    same = [replace(forecast, twin=own) for forecast in forecasts]
    write_forecasts(tmp_path, own, same, age=30.0, sex="male")
    written = read_json(tmp_path / "sub-01_desc-twin_summary.json")
    drawn = [
        combine_indicators(person).values
        for person in zip(*(forecast.draw_indicators for forecast in same), strict=True)
    ]
    assert len(drawn) > 1

    def percent(name: str, lowest: float, highest: float) -> float:
        shares = [(who[name] - lowest) / (highest - lowest) for who in drawn]
        return float(100.0 * np.clip(shares, 0.0, 1.0).mean())

    assert written["percentiles"] == {
        "reaction_time": {
            "percent": pytest.approx(percent("reaction_time", -0.5, 1.5), abs=0.06),
            "compared_to": "the twins of people of the same age and sex in the training cohort",
        },
        "stroop_effect": {
            "percent": pytest.approx(percent("stroop_effect", -0.2, 0.4), abs=0.06),
            "compared_to": "the twins of the training cohort (not known by age and sex)",
        },
    }
    cohort = summary(own, same)["percentiles"]
    assert {found["compared_to"] for found in cohort.values()} == {
        "the twins of the training cohort"
    }


def test_the_same_forecast_gives_the_same_bytes(
    out: Path, tmp_path: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    write_forecasts(tmp_path / "again", twin, forecasts)
    for path in out.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_a_schedule_without_contrast_writes_no_contrast_file(tmp_path: Path, twin: Twin) -> None:
    events = events_from_columns(
        {
            "onset": [2.0, 6.0, 10.0],
            "duration": [3.0] * 3,
            "trial_type": ["con1"] * 3,
            "stimulus_text": ["red", "blue", "red"],
            "stimulus_color": ["red", "blue", "red"],
        },
        "stroop",
    )
    paths = write_forecasts(tmp_path, twin, [twin.forecast("stroop", events)])
    assert {path.name for path in paths} == {
        name for name in FILES if "hammer" not in name and "contrasts" not in name
    }
    assert "stroop_effect" not in summary(twin, [twin.forecast("stroop", events)])["indicators"]


def test_nothing_is_overwritten_without_force(
    out: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(OutputError, match="and 12 more of these files exist already"):
        write_forecasts(out, twin, forecasts)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    write_forecasts(out, twin, forecasts, force=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_an_unwritable_folder_leaves_nothing(
    tmp_path: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written.*Choose a folder you can write to"):
        write_forecasts(tmp_path / "file" / "out", twin, forecasts)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_need_a_participant(
    tmp_path: Path, tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    nobody = tiny.personalize(correlations)
    forecasts = [nobody.forecast("hammer")]
    with pytest.raises(UsageError, match="this twin has no participant id"):
        write_forecasts(tmp_path / "out", nobody, forecasts)
    assert not (tmp_path / "out").exists()
    assert summary(nobody, forecasts)["participant_id"] is None


def test_one_persons_forecast_is_not_filed_under_another(
    tmp_path: Path, tiny: Bundle, correlations: NDArray[np.float64], forecasts: list[Forecast]
) -> None:
    other = tiny.personalize(correlations, participant_id="02")
    with pytest.raises(UsageError, match=r"hammer forecast is one of Twin\('sub-01'.*'sub-02'"):
        write_forecasts(tmp_path / "out", other, forecasts)
    with pytest.raises(UsageError, match="hammer forecast is one of"):
        summary(other, forecasts)


def test_no_forecast_or_two_of_one_task_are_refused(
    tmp_path: Path, twin: Twin, forecasts: list[Forecast]
) -> None:
    with pytest.raises(UsageError, match="no forecasts to combine"):
        write_forecasts(tmp_path / "out", twin, [])
    with pytest.raises(UsageError, match="hammer comes more than once"):
        write_forecasts(tmp_path / "out", twin, [forecasts[0], forecasts[0]])
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_warning_has_none_to_carry(
    tmp_path: Path, tiny_plain: Bundle, generator: Any
) -> None:
    rng = np.random.default_rng(generator.SEED + 1)
    connectomes = generator.connectomes(rng, generator.N_PEOPLE)
    twins = [tiny_plain.personalize(own, participant_id="07") for own in connectomes]
    typical = next(twin for twin in twins if twin.strangeness and not twin.strangeness.is_outside)
    write_forecasts(tmp_path, typical, [typical.forecast("hammer")])
    for path in tmp_path.glob("*.json"):
        assert read_json(path)["warnings"] == []


def test_a_mean_over_tasks_has_no_percentile_without_all_of_them(
    twin: Twin, forecasts: list[Forecast]
) -> None:
    both, stroop = summary(twin, forecasts), summary(twin, forecasts[1:])
    assert {"reaction_time", "stroop_effect"} <= set(both["percentiles"])
    assert "reaction_time" in stroop["indicators"]
    assert set(stroop["percentiles"]) == set(both["percentiles"]) - {"reaction_time"}


def test_every_indicator_is_explained(twin: Twin, forecasts: list[Forecast]) -> None:
    written = summary(twin, forecasts)
    measures = {name.partition(":")[0] for name in written["indicators"]}
    assert set(written["indicator_meanings"]) == measures
    assert written["indicator_meanings"]["stroop_effect"]["Units"] == "s"
    stroop = summary(twin, forecasts[1:])["indicator_meanings"]
    assert set(stroop) == {"reaction_time", "accuracy", "stroop_effect"}
