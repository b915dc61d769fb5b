"""Rows of scored people: equal to their forecasts, alone or together; bad files have reasons."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import scoring
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.draws import Draw
from dtb_runtime.errors import (
    CohortError,
    ConnectomeError,
    MissingDependencyError,
    UnreadConnectomeError,
    UsageError,
)
from dtb_runtime.indicators import combine_indicators
from dtb_runtime.prepared_run import PreparedRun
from dtb_runtime.reading import Reading
from dtb_runtime.score_rows import failed_row
from dtb_runtime.scored_person import ScoredPerson, file_stamp
from dtb_runtime.scoring import CohortScorer, ScoreSettings
from dtb_runtime.summary import summary

EXAMPLES = Path(__file__).parents[2] / "examples"
People = Callable[[int], NDArray[np.float64]]


@pytest.fixture
def files(people: People, tmp_path: Path) -> list[Path]:
    """Twenty good connectomes."""
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"sub-{number:02d}.npy")
        np.save(paths[-1], people(number))
    return paths


@pytest.mark.parametrize("draws", [1, 3])
def test_a_row_is_what_predict_says(tiny: Bundle, files: list[Path], draws: int) -> None:
    for path, row in zip(files[:3], tiny.score(files[:3], ScoreSettings(draws=draws)), strict=True):
        twin = tiny.personalize(read_connectome(path), participant_id=path.stem)
        forecasts = [twin.forecast(task, draws=draws) for task in tiny.manifest.tasks]
        expected = summary(twin, forecasts)
        assert row.is_ok
        assert {name: row.values[name] for name in expected["indicators"]} == expected["indicators"]
        for name, found in expected["percentiles"].items():
            assert row.values[f"{name}_percentile"] == found["percent"]
        for name, interval in expected["indicator_intervals"].items():
            assert [row.values[f"{name}_low"], row.values[f"{name}_high"]] == interval
        assert (draws > 1) == any(name.endswith("_low") for name in row.values)
        strangeness = expected["strangeness"]
        assert row.values["strangeness_distance"] == strangeness["distance"]
        assert row.values["similarity_percentile"] == strangeness["similarity_percentile"]


def test_alone_or_together_numbers_are_the_same_and_columns_are_known(
    tiny: Bundle, files: list[Path]
) -> None:
    together = list(tiny.score(files))
    assert [row.participant_id for row in together] == [path.stem for path in files]
    assert [next(iter(tiny.score([path]))) for path in files] == together
    columns = CohortScorer(tiny, ScoreSettings()).columns()
    assert len(set(columns)) == len(columns)
    of_series = {"n_timepoints", "mean_fd_mm"}  # which matrices do not have
    assert all(set(row.values) == set(columns) - of_series for row in together)


def test_a_bundle_without_latent_scores_too(tiny_plain: Bundle, files: list[Path]) -> None:
    (row,) = tiny_plain.score(files[:1])
    twin = tiny_plain.personalize(read_connectome(files[0]))
    (expected,) = [
        twin.forecast(task).indicators[f"accuracy:{task}"] for task in tiny_plain.manifest.tasks[:1]
    ]
    task = tiny_plain.manifest.tasks[0]
    assert row.values[f"accuracy:{task}"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UsageError, match="nothing to draw"):
        CohortScorer(tiny_plain, ScoreSettings(draws=2))


def test_each_bad_file_costs_its_own_row(tiny: Bundle, files: list[Path], tmp_path: Path) -> None:
    good = np.load(files[0])
    bad = {
        "short.npy": files[0].read_bytes()[:200],
        "empty.npy": b"",
        "text.npy": b"no array",
        "nan.npy": np.where(np.eye(12, k=1) == 1, np.nan, good),
        "small.npy": good[:5, :5],
        "large.npy": good * 3,
        "asymmetric.npy": good + np.triu(np.full((12, 12), 0.1), 1),
        "words.csv": b"a,b\nc,d\n",
    }
    entries: list[CohortEntry | Path] = [files[0]]
    for name, content in bad.items():
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.save(path, content)
        entries.append(path)
    entries += [CohortEntry("sub-x", None, tmp_path / "gone.npy")]
    entries += [CohortEntry("sub-y", None, None, problem="Two files."), files[1]]
    rows = list(tiny.score(entries))
    assert [row.status for row in rows] == ["ok", *["failed"] * 10, "ok"]
    assert all(row.error and not row.values and "\n" not in row.error for row in rows[1:-1])
    assert len({row.error for row in rows[1:-1]}) == 10
    assert "cut short" in rows[1].error
    assert "There is no file" in rows[-3].error
    assert rows[-2].error == "Two files."
    assert [rows[0], rows[-1]] == list(tiny.score(files[:2]))


def test_a_mistake_of_ours_costs_a_row_too(
    tiny: Bundle, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, _reading: object) -> object:
        if path == files[1]:
            raise ZeroDivisionError("of all\nthings")
        return read_connectome(path)

    monkeypatch.setattr("dtb_runtime.cohort_connectomes.read_connectome", broken)
    rows = list(tiny.score(files[:3]))
    assert [row.status for row in rows] == ["ok", "failed", "ok"]
    assert rows[1].error.startswith("Unexpected ZeroDivisionError: of all\\nthings.")


def caused(error: Exception, *causes: Exception) -> Exception:
    """An error with what caused it, and what caused that."""
    below = error
    for cause in causes:
        below.__cause__ = cause
        below = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        (ConnectomeError("it is asymmetric"), True),
        (caused(ConnectomeError("damaged"), ValueError("no header")), True),
        (caused(ConnectomeError("damaged"), OSError("not a gzipped file")), True),
        (caused(ConnectomeError("damaged"), OSError(22, "Invalid argument")), True),
        (caused(ConnectomeError("denied"), PermissionError(13, "denied")), False),
        (caused(ConnectomeError("denied"), ValueError("zip"), OSError(5, "disk")), False),
        (caused(ConnectomeError("large"), MemoryError()), False),
        (UnreadConnectomeError("late"), False),
        (MissingDependencyError("h5py"), False),
        (MemoryError(), False),
        (ZeroDivisionError("ours"), False),
        (CohortError("a table"), False),
    ],
    ids=str,
)
def test_only_what_is_wrong_with_a_file_is_final(error: Exception, is_kept: bool) -> None:
    row = failed_row(CohortEntry("sub-1", None, None), error, (3, 4))
    assert row.stamp == ((3, 4) if is_kept else None)


def test_a_package_that_one_file_needs_costs_that_row(
    tiny: Bundle, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(path: Path, reading: Reading) -> Connectome:
        if path == files[1]:
            raise MissingDependencyError("Reading it needs h5py: pip install 'dtb-runtime[x]'")
        return read_connectome(path, reading)

    monkeypatch.setattr("dtb_runtime.cohort_connectomes.read_connectome", lacking)
    rows = list(tiny.score(files[:3]))
    assert [row.status for row in rows] == ["ok", "failed", "ok"]
    assert "pip install 'dtb-runtime[x]'" in rows[1].error
    assert [row.stamp for row in rows] == [file_stamp(files[0]), None, file_stamp(files[2])]


def test_people_are_taken_as_results_are(tiny: Bundle, files: list[Path]) -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield files[len(taken) % 5]

    rows = tiny.score(endless())  # type: ignore[arg-type]
    assert next(rows).is_ok
    assert len(taken) == 16


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("sub-1.npy", "Expected several people, found one path, 'sub-1.npy'"),
        (Path("sub-1.npy"), "Give a list of paths"),
        ([3], "Expected the path of a connectome, found int"),
    ],
)
def test_what_is_no_cohort_is_refused(tiny: Bundle, given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(tiny.score(given))  # type: ignore[arg-type]


def test_age_and_sex_of_a_table_go_into_percentiles(tiny: Bundle, files: list[Path]) -> None:
    own = [{"age": "31", "Sex": "F"}, {"age": "n/a", "sex": "F"}, {"age": "old", "sex": "F"}, {}]
    rows = list(tiny.score(CohortEntry("sub-1", None, files[0], cells) for cells in own))
    name = "reaction_time"
    norm = tiny.norms.indicator_percentile(name, rows[0].values[name], age=31.0, sex="female")
    assert norm is not None
    assert rows[0].values[f"{name}_percentile"] == round(norm.percent, 1)
    for row, why in ((rows[1], "age is not known."), (rows[2], "age 'old' is no number of years.")):
        assert row.values == rows[3].values
        assert row.notes == (f"Percentiles are among everybody: {why}", *rows[3].notes)


def test_an_age_that_the_norms_do_not_know_is_said() -> None:
    bundle = load_bundle("tcp434", device="cpu")
    file = EXAMPLES / "sub-example_atlas-tcp434_connectome.npy"
    cells = [{}, {"age": "8", "sex": "male"}, {"age": "30", "sex": "male"}]
    nobody, child, man = bundle.score(CohortEntry("sub-1", None, file, own) for own in cells)
    assert child.values == nobody.values
    assert any(re.search(r"age 8 is outside its \d", note) for note in child.notes)
    assert man.values["reaction_time_percentile"] != nobody.values["reaction_time_percentile"]
    assert not any("age" in note for note in man.notes)


def test_a_name_of_another_atlas_is_said(tiny: Bundle, files: list[Path]) -> None:
    other = files[0].with_name("sub-1_seg-Other_relmat.npy")
    other.write_bytes(files[0].read_bytes())
    same = files[0].with_name("sub-1_seg-Tiny12_relmat.npy")
    same.write_bytes(files[0].read_bytes())
    found = list(tiny.score([other, same]))
    assert [any("name says other" in note for note in row.notes) for row in found] == [True, False]


def test_percentiles_over_draws_are_the_mean_of_each_draws(tiny: Bundle, files: list[Path]) -> None:
    (row,) = tiny.score(files[:1], ScoreSettings(draws=5))
    twin = tiny.personalize(read_connectome(files[0]))
    drawn = [
        combine_indicators(person).values["stroop_effect"]
        for person in zip(*(f.draw_indicators for f in twin.forecast_tasks(draws=5)), strict=True)
    ]
    quantiles = tiny.norms.indicator_quantiles["stroop_effect"]
    percents = np.interp(drawn, quantiles, np.arange(101))
    assert row.values["stroop_effect_percentile"] == pytest.approx(percents.mean(), abs=0.06)


def test_what_goes_wrong_for_several_people_is_tried_for_each(
    tiny: Bundle, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(tiny.score(files[:3]))
    once = iter([True])
    whole = scoring.read_draw

    def breaks(bundle: Bundle, run: PreparedRun, *given: Any, **options: Any) -> Draw:
        if next(once, False):
            raise MemoryError
        return whole(bundle, run, *given, **options)

    monkeypatch.setattr(scoring, "read_draw", breaks)
    assert list(tiny.score(files[:3])) == expected


def test_a_row_survives_a_line_of_text(tiny: Bundle, files: list[Path]) -> None:
    (row,) = tiny.score(files[:1])
    assert ScoredPerson.from_line(row.to_line(), "here") == row
    failed = ScoredPerson.failed(CohortEntry("sub-1", "ses-2", None), "why")
    assert ScoredPerson.from_line(failed.to_line(), "here") == failed
