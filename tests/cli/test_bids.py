"""`dtb-run bids` as a person runs it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtb_runtime.folder_lock import locked_folder
from dtb_runtime.hashed_ids import hashed_id

from .conftest import TINY, Outcome

pytest.importorskip("bids", reason="pybids is not installed: the extra bids")

Run = Callable[..., Outcome]
SETTINGS = ("--bundle", TINY, "--draws", "1", "--nprocs", "1", "--device", "cpu")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three people in our own naming, one of them broken."""
    rng = np.random.default_rng(3)
    root = tmp_path / "secretstudy"
    for label in ("101", "102", "103"):
        folder = root / f"sub-{label}" / "func"
        folder.mkdir(parents=True)
        matrix = np.corrcoef(rng.normal(size=(200, 12)).T)
        np.save(folder / f"sub-{label}_task-rest_atlas-tiny12_connectome.npy", matrix)
    (root / "sub-102/func/sub-102_task-rest_atlas-tiny12_connectome.npy").write_bytes(b"broken")
    return root


def test_people_and_then_the_group(dtb_run: Run, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = dtb_run("bids", source, out, "participant", *SETTINGS)
    assert done.code == 1
    assert "Forecast 3 people with tiny on CPU: 2 ok, 1 failed." in done.out
    assert f"crash file for each of them in {out / 'logs'}." in done.err
    assert "Warning: This is a test bundle" in done.err
    again = dtb_run("bids", source, out, "participant", *SETTINGS, "--json")
    assert again.code == 1
    result = json.loads(again.out)
    assert (result["people"], result["ok"], result["done_before"]) == (3, 2, 3)
    assert result["crash_files"] == str(out / "logs")
    group = dtb_run("bids", source, out, "group", "--bundle", TINY)
    assert group.code == 0
    assert "A table of 3 people: 2 with a result of tiny, 1 without." in group.out
    assert "group_twins.tsv, group_twins.json, group_summary.json" in group.err
    as_json = json.loads(dtb_run("bids", source, out, "group", "--bundle", TINY, "--json").out)
    assert (as_json["people"], as_json["without_result"]) == (3, 1)


def test_who_is_left_to_another_process_has_not_failed(
    dtb_run: Run, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("bids", source, out, "participant", *SETTINGS, "--participant-label", "101", "103")
    with locked_folder(out / ".dtb-run" / "sub-103"):
        done = dtb_run(*words)
        as_json = dtb_run(*words, "--json")
    assert (done.code, as_json.code) == (0, 0)
    assert "Forecast 2 people with tiny on CPU: 1 ok, 0 failed, 1 left to another" in done.out
    assert "crash file" not in done.err
    result = json.loads(as_json.out)
    assert (result["ok"], result["failed"], result["busy"]) == (1, 0, 1)
    assert result["crash_files"] is None


def test_a_table_of_other_people_is_said(dtb_run: Run, source: Path, tmp_path: Path) -> None:
    (source / "participants.tsv").write_text("participant_id\tage\nCTRL_1\t30\n")
    words = ("--participant-label", "101", *SETTINGS)
    done = dtb_run("bids", source, tmp_path / "out", "participant", *words)
    assert "participants.tsv has none of these people: check its participant_id." in done.err


def test_messages_name_nobody(dtb_run: Run, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcomes = [
        dtb_run("bids", source, out, "participant", *SETTINGS),
        dtb_run("bids", source, out, "participant", *SETTINGS, "--json", "--force"),
        dtb_run("bids", source, out, "participant", *SETTINGS, "--stop-on-first-crash"),
        dtb_run("bids", source, out, "participant", *SETTINGS, "--participant-label", "101", "77"),
        dtb_run("bids", source, out, "group", "--bundle", TINY),
        dtb_run("bids", source, out, "group", "--bundle", TINY, "--json"),
    ]
    assert [outcome.code for outcome in outcomes] == [1, 1, 1, 2, 0, 0]
    said = "".join(outcome.out + outcome.err for outcome in outcomes)
    said = re.sub(r"pytest-\d+", "", said)  # the folders of tests are numbered, too
    assert not re.search(r"sub-|\b10[123]\b|\b77\b", said)
    assert "1 of the 2 participant labels given fit nobody" in said


def test_several_labels_stand_after_one_option(dtb_run: Run, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--participant-label", "101", "sub-103", *SETTINGS)
    assert dtb_run("bids", source, out, "participant", *words).code == 0
    assert sorted(path.name for path in out.glob("sub-*")) == ["sub-101", "sub-103"]
    # As the BIDS Apps specification writes it, and one option each.
    words = ("--participant_label", "101", "--participant_label", "103", "--json", *SETTINGS)
    assert json.loads(dtb_run("bids", source, out, "participant", *words).out)["people"] == 2
    words = ("--participant-label=101", "103", "--json", *SETTINGS)
    assert json.loads(dtb_run("bids", source, out, "participant", *words).out)["people"] == 2
    lacking = dtb_run("bids", source, out, "participant", "--participant-label")
    assert lacking.code == 2
    assert "requires an argument" in lacking.err


def test_a_filter_file_chooses(dtb_run: Run, source: Path, tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    path.write_text('{"connectome": {"atlas": "tiny12"}}', encoding="utf-8")
    words = ("--bids-filter-file", path, "--participant-label", "101", *SETTINGS)
    assert dtb_run("bids", source, tmp_path / "out", "participant", *words).code == 0
    path.write_text('{"connectome": {"desc": "x"}}', encoding="utf-8")
    done = dtb_run("bids", source, tmp_path / "other", "participant", *words)
    assert done.code == 1
    excluded = "1 connectome file is there, but filter.json excludes it: found desc (none)."
    assert excluded in done.err
    assert not (tmp_path / "other").exists()


def test_the_scans_that_the_atlas_fits_are_taken_and_it_says_so(
    dtb_run: Run, tmp_path: Path
) -> None:
    for end in ("space-MNI_desc-preproc_bold.nii.gz", "space-fsLR_den-91k_bold.dtseries.nii"):
        path = tmp_path / "source" / "sub-101" / "func" / f"sub-101_task-rest_{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no image")
    atlas = tmp_path / "regions.dlabel.nii"
    atlas.write_bytes(b"no atlas")
    words = ("bids", tmp_path / "source", tmp_path / "out", "participant", "--atlas", atlas)
    done = dtb_run(*words, *SETTINGS)
    note = "1 person or session has scans of both voxels and grayordinates: those of grayordinates"
    assert f"{note} (.dtseries.nii) were taken, as the atlas regions.dlabel.nii needs." in done.err
    (crash,) = (tmp_path / "out" / "logs").glob("*_crash.txt")
    assert "_bold.dtseries.nii" in crash.read_text(encoding="utf-8")
    (told,) = json.loads(dtb_run(*words, *SETTINGS, "--json").out)["notes"]
    assert told.startswith(note)


@pytest.mark.parametrize(
    ("words", "code", "match"),
    [
        (("group", "--bundle", TINY), 1, "holds no results of the participant level yet"),
        (("everybody", *SETTINGS), 2, "is not one of"),
        (("participant", *SETTINGS, "--mem-mb", "100"), 2, "100 MB are too little"),
        (("participant", *SETTINGS, "--fisher-z", "--timeseries"), 2, "exclude each other"),
        (("participant", *SETTINGS, "--timeseries"), 1, "holds nobody's timeseries file"),
        (("participant", *SETTINGS, "--bids-filter-file", "nowhere"), 1, "There is no file at"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    dtb_run: Run, source: Path, tmp_path: Path, words: tuple[str, ...], code: int, match: str
) -> None:
    done = dtb_run("bids", source, tmp_path / "out", *words)
    assert done.code == code
    assert match in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_help_says_what_it_does(dtb_run: Run) -> None:
    done = dtb_run("bids", "--help")
    assert done.code == 0
    for option in ("--participant-label", "--session-label", "--bids-filter-file", "--nprocs"):
        assert option in done.out
    for option in ("--mem-mb", "--stop-on-first-crash", "--timeseries", "--draws", "--json"):
        assert option in done.out


def test_hashed_ids_leave_no_id_behind(dtb_run: Run, tmp_path: Path) -> None:
    labels, root, out = ("MRN4711", "MRN4712", "MRN4713"), tmp_path / "study", tmp_path / "out"
    rng = np.random.default_rng(3)
    for label in labels:
        (root / f"sub-{label}" / "func").mkdir(parents=True)
        matrix = np.corrcoef(rng.normal(size=(200, 12)).T)
        name = f"sub-{label}_task-rest_atlas-tiny12_connectome.npy"
        np.save(root / f"sub-{label}" / "func" / name, matrix)
    (root / "sub-MRN4712/func/sub-MRN4712_task-rest_atlas-tiny12_connectome.npy").write_bytes(b"no")
    people = "participant_id\tage\tsex\n" + "".join(f"sub-{label}\t30\tF\n" for label in labels)
    (root / "participants.tsv").write_text(people)
    about = {"Name": "MRN4711 and others", "BIDSVersion": "1.9.0", "DatasetDOI": "doi:10.1234/x.y"}
    (root / "dataset_description.json").write_text(json.dumps(about))
    key = tmp_path / "study.key"
    key.write_bytes(b"5f0c1d7e9a8b4632")
    key.chmod(0o600)
    hidden = ("--hash-ids", "--hash-key", key)
    outcomes = [
        dtb_run("bids", root, out, "participant", *SETTINGS, *hidden),
        dtb_run("bids", root, out, "participant", *SETTINGS, *hidden),
        dtb_run("bids", root, out, "group", "--bundle", TINY, *hidden),
    ]
    assert [outcome.code for outcome in outcomes] == [1, 1, 0]
    assert "(3 of them before)" in outcomes[1].out
    assert "MRN47" not in "".join(outcome.out + outcome.err for outcome in outcomes)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert not [path for path in files if "MRN47" in str(path.relative_to(out))]
    assert not [path for path in files if b"MRN47" in path.read_bytes()]
    said = json.loads((out / "dataset_description.json").read_bytes())
    assert said["Name"] == "Digital twin brain forecasts from a BIDS data set"
    assert said["SourceDatasets"] == [{"DOI": "doi:10.1234/x.y"}]
    assert "DatasetLinks" not in said and root.name not in json.dumps(said)
    (root / "dataset_description.json").unlink()
    dtb_run("bids", root, out, "participant", *SETTINGS, *hidden)
    assert "SourceDatasets" not in json.loads((out / "dataset_description.json").read_bytes())
    ids = {hashed_id(f"sub-{label}", key.read_bytes()) for label in labels}
    table = (out / "group_twins.tsv").read_text().splitlines()
    assert {row.split("\t")[0] for row in table[1:]} == ids
    assert "needs a key" in dtb_run("bids", root, out, "participant", "--hash-ids").err
