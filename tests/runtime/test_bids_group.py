"""The group level, and the whole data set in the eyes of BIDS' own validator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dtb_runtime.bids_cohort import BidsSelection, list_bids
from dtb_runtime.bids_dataset import DESCRIPTION_FILE
from dtb_runtime.bids_group import GroupRun, run_group
from dtb_runtime.bids_query import Wanted
from dtb_runtime.bids_run import ParticipantRun, run_participants
from dtb_runtime.bids_scoring import BidsSettings
from dtb_runtime.bids_texts import NO_PLACE
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import CohortError
from dtb_runtime.reading import Reading

from .bids_trees import giga_connectome, put_matrix, put_participants, xcp_d

pytest.importorskip("bids", reason="pybids is not installed: the extra bids")

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
needs_validator = pytest.mark.skipif(
    find_spec("bids_validator_deno") is None or not VALIDATOR.exists(),
    reason="BIDS' validator is not installed: pip install bids-validator-deno",
)
ROWS = [
    ["participant_id", "age", "sex"],
    ["sub-A1", "34", "F"],
    ["sub-B2", "89+", "m"],
    ["sub-C3", "n/a", "X"],
    ["sub-D4", "20", "F"],
]


@pytest.fixture
def labels(tiny: Bundle) -> tuple[str, ...]:
    """Regions of the test bundle."""
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    return parcellation.labels


@pytest.fixture
def source(tmp_path: Path, labels: tuple[str, ...]) -> Path:
    """Four people of XCP-D: one with two sessions, one whose only file is broken, one without."""
    people = {"A1": ("1", "2"), "B2": ("1",), "C3": ("1",)}
    root = xcp_d(tmp_path / "xcp_d", labels, people)
    next((root / "sub-C3").rglob("*rest*_relmat.tsv")).write_text("x\n", encoding="utf-8")
    (root / "sub-D4").mkdir()
    put_participants(root, ROWS)
    return root


def _participants(
    bundle: Bundle, root: Path, out: Path, wanted: Wanted = "connectome", *labels: str
) -> ParticipantRun:
    selection = BidsSelection(wanted, parcellation="tiny12", participant_labels=labels)
    reading = Reading(timeseries=wanted == "timeseries")
    settings = BidsSettings.of(bundle, out, root, draws=2, reading=reading)
    return run_participants(bundle, list_bids(root, selection), out, settings, nprocs=2)


def _group(bundle: Bundle, root: Path, out: Path, *labels: str) -> GroupRun:
    selection = BidsSelection(parcellation="tiny12", participant_labels=labels)
    return run_group(bundle, list_bids(root, selection), out, selection)


def _table(out: Path) -> pd.DataFrame:
    return pd.read_csv(out / "group_twins.tsv", sep="\t", na_values="n/a", keep_default_na=False)


def test_everybody_stands_in_the_table_with_numbers_or_a_reason(
    tiny: Bundle, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _participants(tiny, source, out, "connectome", "A1", "C3", "D4")
    done = _group(tiny, source, out)
    assert (done.n_people, done.n_rows, done.n_ok, done.n_changed) == (4, 5, 2, 0)
    table = _table(out)
    who = list(zip(table["participant_id"], table["session"].fillna(""), strict=True))
    assert who == [
        ("sub-A1", "ses-1"),
        ("sub-A1", "ses-2"),
        ("sub-B2", "ses-1"),
        ("sub-C3", "ses-1"),
        ("sub-D4", ""),
    ]
    assert list(table["status"]) == ["ok", "ok", "failed", "failed", "failed"]
    assert "has not been run for this person" in table["error"][2]
    assert "relmat.tsv" in table["error"][3]
    assert "no file of this person" in table["error"][4]
    assert list(table["age"].fillna("")) == ["34", "34", "89+", "", "20"]
    for row in (0, 1):
        name = f"sub-A1/ses-{row + 1}/func/sub-A1_ses-{row + 1}_desc-twin_summary.json"
        summary = json.loads((out / name).read_bytes())
        for indicator, value in summary["indicators"].items():
            assert table[indicator][row] == pytest.approx(value, rel=1e-5)
    described = json.loads((out / "group_twins.json").read_bytes())
    assert set(table.columns) <= set(described)
    assert described["sex"]["Levels"] == {
        "F": "female",
        "X": "not described by the source",
        "m": "male",
    }
    assert described["stroop_effect"]["Units"] == "s"
    assert described["Warnings"] == list(tiny.warnings)


def test_the_summary_counts_and_describes(tiny: Bundle, tmp_path: Path, labels: Any) -> None:
    root = giga_connectome(tmp_path / "giga", labels, [f"{n:02d}" for n in range(12)])
    next((root / "sub-03").rglob("*tiny12*_relmat.tsv")).write_text("x\n", encoding="utf-8")
    out = tmp_path / "out"
    _participants(tiny, root, out)
    _group(tiny, root, out)
    summary = json.loads((out / "group_summary.json").read_bytes())
    counts = ("n_people", "n_rows", "n_ok", "n_failed", "n_changed_since")
    assert [summary[name] for name in counts] == [12, 12, 11, 1, 0]
    (failed,) = summary["failed"]
    assert failed["participant_id"] == "sub-03" and "relmat.tsv" in failed["reason"]
    values = _table(out)["stroop_effect"].dropna().to_numpy()
    found = summary["distributions"]["stroop_effect"]
    assert found["n"] == 11
    assert found["mean"] == pytest.approx(values.mean(), rel=1e-4)
    assert found["sd"] == pytest.approx(values.std(ddof=1), rel=1e-4)
    assert found["low"] < found["mean"] < found["high"]
    quartiles = [found[name] for name in ("lower_quartile", "median", "upper_quartile")]
    assert quartiles == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]), rel=1e-4)
    assert summary["made_with"]["provider"] == ["CPUExecutionProvider"]
    assert summary["settings"]["draws"] == 2


def test_a_file_that_changed_since_is_said(
    tiny: Bundle, source: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    _participants(tiny, source, out)
    put_matrix(next((source / "sub-B2").rglob("*rest*_relmat.tsv")), 99, labels)
    assert _group(tiny, source, out).n_changed == 1
    notes = _table(out).set_index("participant_id")["notes"]
    assert "has changed since it was forecast" in notes["sub-B2"]


def test_who_left_the_data_set_stays_with_the_result(
    tiny: Bundle, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    _participants(tiny, source, out)
    (source / "sub-B2").rename(tmp_path / "gone")
    done = _group(tiny, source, out)
    assert (done.n_ok, done.n_changed) == (3, 1)
    notes = _table(out).set_index("participant_id")["notes"].fillna("")
    assert "is not in the data set any more" in notes["sub-B2"]
    assert json.loads((out / "group_summary.json").read_bytes())["n_changed_since"] == 1
    done = _group(tiny, source, out, "A1")
    assert (done.n_people, done.n_rows, done.n_changed) == (1, 2, 0)


def test_rows_that_are_not_current_are_said(
    tiny: Bundle, source: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    _participants(tiny, source, out)
    assert _group(tiny, source, out).n_changed == 0
    put_participants(source, [*ROWS[:2], ["sub-B2", "40", "m"], *ROWS[3:]])  # another age
    folder = source / "sub-A1" / "ses-1" / "func"
    # Beside what was forecast, which is as it was.
    put_matrix(folder / "sub-A1_ses-1_task-rest_seg-tiny12_desc-x_relmat.tsv", 3, labels)
    next((source / "sub-C3").rglob("*rest*_relmat.tsv")).write_text("y\nz\n", encoding="utf-8")
    assert _group(tiny, source, out).n_changed == 2
    table = _table(out)
    notes = dict(
        zip(
            zip(table["participant_id"], table["session"], strict=True), table["notes"], strict=True
        )
    )
    changed = {key for key, note in notes.items() if "has changed since" in str(note)}
    assert changed == {("sub-B2", "ses-1"), ("sub-C3", "ses-1")}
    assert list(table["age"].fillna(""))[2] == "89+"  # of which its percentiles are
    assert _participants(tiny, source, out).n_failed == 3
    assert _group(tiny, source, out).n_changed == 0


def test_without_results_it_refuses(
    tiny: Bundle, source: Path, tmp_path: Path, tiny_copy: Path, edit_manifest: Callable[..., None]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(CohortError, match=r"holds no results of the participant level yet"):
        _group(tiny, source, out)
    _participants(tiny, source, out, "connectome", "A1")
    with pytest.raises(CohortError, match=r"no results of the people asked for"):
        _group(tiny, source, out, "B2")
    edit_manifest(tiny_copy, lambda document: document.update(name="other"))
    other = load_bundle(tiny_copy, device="cpu")
    with pytest.raises(CohortError, match=r"made with the bundle tiny .* and this is other"):
        _group(other, source, out)
    _participants(other, source, out, "connectome", "B2")
    with pytest.raises(CohortError, match=r"of 2 different bundles or settings"):
        _group(tiny, source, out)


def _validated(out: Path, cache: Path) -> list[dict[str, Any]]:
    """What BIDS' own validator finds, all rows looked at; warnings are not errors."""
    done = subprocess.run(
        [str(VALIDATOR), str(out), "--format", "json", "--max-rows", "-1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DENO_DIR": str(cache), "DENO_NO_UPDATE_CHECK": "1"},
    )
    document = json.loads(done.stdout)
    assert document["summary"]["dataTypes"]
    issues: list[dict[str, Any]] = document["issues"]["issues"]
    assert (done.returncode == 0) == (not any(i["severity"] == "error" for i in issues))
    return issues


@needs_validator
def test_the_results_are_a_valid_data_set(tiny: Bundle, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _participants(tiny, source, out)
    _group(tiny, source, out)
    issues = _validated(out, tmp_path / "deno")
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    # Nobody is named as an author: whoever runs this knows who they are.
    assert {issue["code"] for issue in issues} == {"TOO_FEW_AUTHORS"}
    assert sorted(path.name for path in out.glob("sub-*")) == ["sub-A1", "sub-B2"]


@needs_validator
def test_results_of_series_without_sessions_are_valid(
    tiny: Bundle, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    root = giga_connectome(tmp_path / "giga", labels)
    out = tmp_path / "out"
    assert _participants(tiny, root, out, "timeseries").n_failed == 0
    issues = _validated(out, tmp_path / "deno")
    assert {issue["code"] for issue in issues} == {"TOO_FEW_AUTHORS"}


@needs_validator
def test_only_what_bids_has_no_place_for_is_passed_over(
    tiny: Bundle, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    """Without `.bidsignore`, errors are of the files that it names, and of each pattern some."""
    root = giga_connectome(tmp_path / "giga", labels, ("01",))
    out = tmp_path / "out"
    _participants(tiny, root, out)
    _group(tiny, root, out)
    (out / ".bidsignore").unlink()
    issues = _validated(out, tmp_path / "deno")
    wrong = {Path(i["location"]).name for i in issues if i["severity"] == "error"}
    assert all(any(Path(name).match(form) for form in NO_PLACE) for name in wrong)
    assert [form for form in NO_PLACE if not any(Path(name).match(form) for name in wrong)] == []


def test_the_page_at_the_top_says_what_it_is_not_for(tiny: Bundle, tmp_path: Path) -> None:
    root = tmp_path / "source"
    put_matrix(root / "sub-01_connectome.tsv", 0, tiny.manifest.bold_regions)
    out = tmp_path / "out"
    _participants(tiny, root, out)
    text = (out / "README.md").read_text(encoding="utf-8")
    assert "research software, not a medical device" in text
    assert all(warning in text for warning in tiny.warnings)
    assert all(f"`{name}`" in text for name in NO_PLACE)
    description = json.loads((out / DESCRIPTION_FILE).read_bytes())
    assert description["Name"] == "Digital twin brain forecasts from source"
    assert description["DatasetType"] == "derivative"
    (made_by,) = description["GeneratedBy"]
    assert made_by["Name"] == "dtb-runtime" and tiny.digest in made_by["Description"]
    assert "License" not in description and "CodeURL" not in made_by  # there is none to name


def test_options_that_choose_files_need_not_be_given_again(
    tiny: Bundle, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    root, out = giga_connectome(tmp_path / "giga", labels), tmp_path / "out"
    _participants(tiny, root, out, "timeseries")
    done = _group(tiny, root, out)  # of connectomes
    assert (done.n_ok, done.n_changed) == (done.n_rows, 0)
    for file in root.rglob("*_relmat.tsv"):
        file.unlink()
    selection = BidsSelection(parcellation="tiny12")
    with pytest.raises(CohortError, match="nobody's connectome"):
        list_bids(root, selection)
    cohort = list_bids(root, selection, needs_files=False)
    assert cohort.listing.entries == ()
    done = run_group(tiny, cohort, out, selection)
    assert (done.n_ok, done.n_changed) == (done.n_rows, 0)
    series = next((root / "sub-01").rglob("*_timeseries.tsv"))
    series.write_text(series.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = run_group(tiny, cohort, out, selection)
    assert done.n_changed == 1
    assert "has changed since" in _table(out).set_index("participant_id")["notes"]["sub-01"]
    next((root / "sub-02").rglob("*_timeseries.tsv")).unlink()
    assert run_group(tiny, cohort, out, selection).n_changed == 2


def test_sessions_of_one_person_are_no_people(
    tiny: Bundle, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    people = {f"{n:02d}": ("1", "2", "3", "4") for n in range(1, 4)}
    root, out = xcp_d(tmp_path / "xcp_d", labels, people), tmp_path / "out"
    _participants(tiny, root, out)
    done = _group(tiny, root, out)
    assert (done.n_people, done.n_rows) == (3, 12)
    found = json.loads((out / "group_summary.json").read_bytes())["distributions"]["stroop_effect"]
    means = _table(out).groupby("participant_id")["stroop_effect"].mean().to_numpy()
    assert found["n"] == 3
    assert found["mean"] == pytest.approx(means.mean(), rel=1e-4)
    assert found["sd"] == pytest.approx(means.std(ddof=1), rel=1e-3)
    assert (found["low"], found["high"]) == (None, None)  # of fewer than ten people
