"""Whom a data set holds: one file each, in the naming of giga_connectome and XCP-D."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtb_runtime.bids_cohort import BidsSelection, list_bids
from dtb_runtime.bids_query import BidsFilters
from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.errors import CohortError, UsageError

from .bids_trees import (
    describe,
    giga_connectome,
    put_matrix,
    put_participants,
    put_series,
    xcp_d,
)

pytest.importorskip("bids", reason="pybids is not installed: the extra bids")

TINY = BidsSelection(parcellation="tiny12")


@pytest.fixture
def labels(tiny: Bundle) -> tuple[str, ...]:
    """Regions of the test bundle."""
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    return parcellation.labels


@pytest.fixture
def giga(tmp_path: Path, labels: tuple[str, ...]) -> Path:
    """Three people, as giga_connectome leaves them."""
    return giga_connectome(tmp_path / "giga", labels)


def _entries(root: Path, selection: BidsSelection = TINY) -> list[CohortEntry]:
    return list(list_bids(root, selection).listing.entries)


def _filter(tmp_path: Path, **entities: object) -> BidsFilters:
    path = tmp_path / "filter.json"
    path.write_text(json.dumps({"connectome": entities}), encoding="utf-8")
    return BidsFilters.read(path)


def test_of_several_atlases_the_one_of_the_bundle_is_taken(giga: Path) -> None:
    entries = _entries(giga)
    assert [entry.key for entry in entries] == [("sub-01", ""), ("sub-02", ""), ("sub-03", "")]
    assert all(entry.path is not None and "seg-tiny12" in entry.path.name for entry in entries)
    assert all(entry.path is not None and "relmat" in entry.path.name for entry in entries)


def test_time_series_are_another_kind(giga: Path) -> None:
    entries = _entries(giga, BidsSelection("timeseries", parcellation="tiny12"))
    assert all(entry.path is not None and "timeseries" in entry.path.name for entry in entries)


def test_sessions_are_apart_and_tasks_other_than_rest_are_passed_over(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    root = xcp_d(tmp_path / "xcp_d", labels, {"A1": ("pre", "post"), "B2": ("pre",)})
    entries = _entries(root)
    keys = [("sub-A1", "ses-post"), ("sub-A1", "ses-pre"), ("sub-B2", "ses-pre")]
    assert [entry.key for entry in entries] == keys
    assert all(entry.path is not None and "task-rest" in entry.path.name for entry in entries)
    pre = _entries(root, BidsSelection(parcellation="tiny12", session_labels=("pre",)))
    assert [entry.key for entry in pre] == keys[1:]
    both = BidsSelection(
        parcellation="tiny12", session_labels=("ses-post",), participant_labels=("B2", "sub-A1")
    )
    first, second = _entries(root, both)
    assert first.key == keys[0]
    assert second.problem == (
        "There is no file of this person of the session that --session-label asks for. 2 files "
        "are there, with session (pre). Check the label."
    )
    with pytest.raises(CohortError) as caught:
        _entries(root, BidsSelection(session_labels=("9",)))
    said = "of the session that --session-label asks for. 6 files are there, with session (post, "
    assert f"has a connectome file {said}pre). Check the label." in str(caught.value)


def test_a_task_is_taken_where_the_filter_names_it(tmp_path: Path, labels: tuple[str, ...]) -> None:
    root = xcp_d(tmp_path / "xcp_d", labels, {"A1": ("1",)}, tasks=("stroop", "hammer"))
    (entry,) = _entries(root)
    assert entry.problem is not None
    assert "of the task hammer, stroop only, and a twin is made from rest" in entry.problem
    filters = _filter(tmp_path, task="stroop")
    (entry,) = _entries(root, BidsSelection(filters=filters))
    assert entry.path is not None and "task-stroop" in entry.path.name


def test_the_atlas_of_xcp_d_is_known_by_its_name(tmp_path: Path) -> None:
    root = xcp_d(tmp_path / "xcp_d", ["a", "b"], {"1": ("1",)}, tasks=("rest",), atlas="Glasser")
    put_matrix(
        root / "sub-1/ses-1/func/sub-1_ses-1_task-rest_seg-Gordon_relmat.tsv", 0, ["a", "b", "c"]
    )
    (entry,) = _entries(root, BidsSelection(parcellation="glasser360"))
    assert entry.path is not None and "seg-Glasser" in entry.path.name


def test_several_that_fit_are_that_persons_problem(
    giga: Path, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    folder = giga / "sub-02" / "func"
    name = "sub-02_task-rest_seg-tiny12_meas-PearsonCorrelation_desc-denoiseScrubbing_relmat.tsv"
    put_matrix(folder / name, 1, labels)
    entries = _entries(giga)
    assert [entry.problem is None for entry in entries] == [True, False, True]
    problem = entries[1].problem or ""
    assert "There are 2 files that may be meant: sub-02/func/" in problem
    assert "They differ in desc (denoiseScrubbing, denoiseSimple)." in problem
    advice = 'Say which in a --bids-filter-file: {"connectome": {"desc": "denoiseScrubbing"}} would'
    assert f"{advice} take sub-02/func/{name}." in problem
    filters = _filter(tmp_path, desc="denoiseScrubbing")
    with_filter = _entries(giga, BidsSelection(filters=filters, parcellation="tiny12"))
    assert with_filter[1].path == folder / name
    assert with_filter[0].problem == (
        "Of this person: 2 connectome files are there, but filter.json excludes all of them: "
        "found desc (denoiseSimple). Change the filter."
    )


def test_a_filter_that_excludes_everybody_says_what_is_there(giga: Path, tmp_path: Path) -> None:
    filters = _filter(tmp_path, desc=["x", "y"], run=2, subject="01")
    with pytest.raises(CohortError) as caught:
        _entries(giga, BidsSelection(filters=filters))
    assert str(caught.value) == (
        f"{giga}: 6 connectome files are there, but filter.json excludes all of them: found desc "
        "(denoiseSimple), run (none). Change the filter."
    )


def test_labels_that_fit_nobody_are_counted_and_not_named(giga: Path) -> None:
    with pytest.raises(UsageError) as caught:
        _entries(giga, BidsSelection(participant_labels=("01", "77", "sub-88")))
    message = str(caught.value).replace(str(giga), "")  # whose folders have numbers, too
    assert "2 of the 3 participant labels given fit nobody" in message
    assert "77" not in message and "88" not in message


@pytest.mark.parametrize(
    ("selection", "match"),
    [
        (BidsSelection(participant_labels=("a b",)), "participant label must be letters"),
        (BidsSelection(session_labels=("1_2",)), "session label must be letters"),
    ],
)
def test_a_label_that_is_none_is_refused(giga: Path, selection: BidsSelection, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        _entries(giga, selection)


def test_files_without_folders_and_names_without_entities_are_found(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    root = tmp_path / "own"
    put_matrix(root / "sub-01_connectome.tsv", 0, labels)
    put_matrix(root / "sub-02" / "ses-1" / "connectome.tsv", 1, labels)
    put_matrix(root / "sub-03.4_connectome.tsv", 1, labels)
    (root / "sub-04").mkdir()
    (root / "sub-05_x").mkdir()
    by_key = {entry.key: entry for entry in _entries(root)}
    assert by_key["sub-01", ""].path == root / "sub-01_connectome.tsv"
    assert by_key["sub-02", "ses-1"].path == root / "sub-02" / "ses-1" / "connectome.tsv"
    assert "no file of this person" in (by_key["sub-04", ""].problem or "")
    assert "is no participant id" in (by_key["sub-05_x", ""].problem or "")
    assert set(by_key) == {
        ("sub-01", ""),
        ("sub-02", "ses-1"),
        ("sub-03", ""),
        ("sub-04", ""),
        ("sub-05_x", ""),
    }


def test_a_file_in_somebody_elses_folder_is_nobodys(giga: Path, labels: tuple[str, ...]) -> None:
    put_matrix(giga / "sub-03" / "func" / "sub-04_task-rest_seg-tiny12_relmat.tsv", 5, labels)
    problem = _entries(giga)[2].problem or ""
    assert "sub-04_task-rest_seg-tiny12_relmat.tsv lies in a folder of another person" in problem


def test_age_and_sex_come_from_the_data_set_or_the_raw_one_around(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    root = giga_connectome(tmp_path / "raw" / "derivatives" / "giga", labels)
    rows = [["participant_id", "sex", "age", "site"], ["sub-02", "F", "31", "x"]]
    put_participants(tmp_path / "raw", rows)
    cohort = list_bids(root, TINY)
    assert cohort.listing.own_columns == ("age", "sex")
    assert [dict(e.own) for e in cohort.listing.entries] == [{}, {"age": "31", "sex": "F"}, {}]
    put_participants(root, [["participant_id", "age"], ["sub-01", "50"]])
    assert list_bids(root, TINY).listing.own_columns == ("age",)
    put_participants(root, [["subject", "age"], ["sub-01", "50"]])
    with pytest.raises(CohortError, match=r"has no column 'participant_id'"):
        list_bids(root, TINY)


def test_a_folder_with_nothing_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"is no folder"):
        _entries(tmp_path / "nowhere")
    root = describe(tmp_path / "empty", "somebody")
    put_series(root / "sub-01" / "func" / "sub-01_task-rest_timeseries.tsv", 0, ["a", "b"])
    with pytest.raises(CohortError, match=r"holds nobody's connectome file.*pass --timeseries"):
        _entries(root)


def test_a_raw_data_set_is_pointed_to_its_derivatives(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    giga_connectome(tmp_path / "raw" / "derivatives" / "giga", labels)
    (tmp_path / "raw" / "sub-01").mkdir()
    with pytest.raises(CohortError, match=r"holds no connectome files itself, and has derivatives"):
        _entries(tmp_path / "raw")


def test_rows_that_disagree_are_that_persons_problem(giga: Path) -> None:
    rows = [["participant_id", "age", "sex"], ["sub-01", "30", "F"], ["sub-02", "31", "M"]]
    put_participants(giga, [*rows, ["sub-02", "32", "M"], ["sub-01", "30", "F"]])
    first, second, third = _entries(giga)
    assert (first.problem, dict(first.own)) == (None, {"age": "30", "sex": "F"})
    assert third.problem is None
    assert second.problem is not None and dict(second.own) == {}
    assert "several rows of this person, with different age. Keep one row" in second.problem


def test_the_tree_of_a_task_is_taken_by_neither_command(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    root = xcp_d(tmp_path / "xcp_d", labels, {"A1": ("1",)}, tasks=("stroop",))
    (ours,) = _entries(root)
    (theirs,) = list_cohort(root, parcellation="tiny12").entries
    for entry in (ours, theirs):
        assert entry.path is None
        assert "of the task stroop only, and a twin is made from rest" in (entry.problem or "")


def test_a_table_of_other_people_is_said(giga: Path) -> None:
    put_participants(giga, [["participant_id", "age"], ["CTRL_1", "30"]])
    (note,) = list_bids(giga, TINY).notes
    assert note == "participants.tsv has none of these people: check its participant_id."
    put_participants(giga, [["participant_id", "Age"], ["02", "30"]])
    cohort = list_bids(giga, TINY)
    assert cohort.notes == ()
    assert [dict(entry.own) for entry in cohort.listing.entries] == [{}, {"age": "30"}, {}]
