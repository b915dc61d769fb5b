"""Whom a cohort holds, from folders, BIDS trees and tables, good and bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_listing import CohortListing, list_cohort
from dtb_runtime.errors import CohortError
from dtb_runtime.hashed_ids import hashed
from dtb_runtime.score_rows import atlas_notes, demographics_of

from .bids_trees import xcp_d_files


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def labels(listing: CohortListing) -> list[str]:
    return [entry.label for entry in listing.entries]


def problems(listing: CohortListing) -> dict[str, str]:
    return {entry.label: entry.problem for entry in listing.entries if entry.problem}


def test_a_folder_of_files_is_named_by_them_and_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "B2.npy", "sub-A1_atlas-x_connectome.npy", "C3.csv", "notes.md", ".hidden.npy")
    touch(tmp_path, "sub-A1_task-rest_timeseries.tsv", "participants.tsv", "sub-A1_events.tsv")
    touch(tmp_path, "README.txt", "CHANGES.txt")
    listing = list_cohort(tmp_path)
    assert labels(listing) == ["sub-A1", "sub-B2", "sub-C3"]
    assert [e.path and e.path.name for e in listing.entries] == [
        "sub-A1_atlas-x_connectome.npy",
        "B2.npy",
        "C3.csv",
    ]
    assert not problems(listing)
    assert not listing.has_sessions
    series = list_cohort(tmp_path, timeseries=True)
    assert [e.path and e.path.name for e in series.entries][:1] == [
        "sub-A1_task-rest_timeseries.tsv"
    ]


def test_a_bids_tree_has_sessions_and_takes_the_bundles_atlas(tmp_path: Path) -> None:
    for ses in ("1", "2"):
        for atlas in ("tcp434", "other"):
            name = f"sub-01_ses-{ses}_seg-{atlas}_stat-pearson_relmat.tsv"
            touch(tmp_path, f"sub-01/ses-{ses}/func/{name}")
    touch(tmp_path, "dataset_description.json", "sub-02/func/sub-02_seg-other_relmat.tsv")
    listing = list_cohort(tmp_path, parcellation="TCP434")
    assert labels(listing) == ["sub-01_ses-1", "sub-01_ses-2", "sub-02"]
    assert listing.has_sessions
    assert listing.entries[0].path is not None
    assert "seg-tcp434" in listing.entries[0].path.name
    found = problems(list_cohort(tmp_path))
    assert found.keys() == {"sub-01_ses-1", "sub-01_ses-2"}
    assert "There are 2 files" in found["sub-01_ses-1"]


def test_a_table_keeps_its_own_columns_and_paths_are_its_neighbors(tmp_path: Path) -> None:
    path = tmp_path / "cohort.tsv"
    path.write_text(
        "participant_id\tpath\tage\tsession\n02\tb.npy\t30\tx\nsub-01\ta.npy\tn/a\t\n"
        "sub-03\t\t40\t1\nno id!\tc.npy\t1\t1\n02\tb2.npy\t31\tx\n04\td.npy\t2\tbad_one\n"
    )
    listing = list_cohort(path)
    assert labels(listing) == [
        "no id!_1",
        "sub-01",
        "sub-02_ses-x",
        "sub-03_ses-1",
        "sub-04_bad_one",
    ]
    first = listing.entries[1]
    assert (first.path, first.own, first.session) == (tmp_path / "a.npy", {"age": "n/a"}, None)
    assert listing.own_columns == ("age",)
    found = problems(listing)
    assert "is no participant id" in found["no id!_1"]
    assert "stands 2 times" in found["sub-02_ses-x"]
    assert "gives no path" in found["sub-03_ses-1"]
    assert "is no session" in found["sub-04_bad_one"]


def test_own_cells_are_printable(tmp_path: Path) -> None:
    path = tmp_path / "cohort.tsv"
    path.write_text("participant_id\tpath\tsite\n1\ta.npy\t\x1b[31mred\n", encoding="utf-8")
    assert list_cohort(path).entries[0].own == {"site": "\\x1b[31mred"}


def test_names_that_are_no_ids_are_a_persons_problem(tmp_path: Path) -> None:
    touch(tmp_path, "my scan.npy", "good1.npy", "sub-07.npy", "sub-07_connectome.tsv")
    touch(tmp_path, "line\nbreak.npy")
    found = problems(list_cohort(tmp_path))
    assert found.keys() == {"my scan", "sub-07", "line\\nbreak"}
    assert "rename it" in found["my scan"]
    assert "There are 2 files: sub-07.npy, sub-07_connectome.tsv" in found["sub-07"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nothing", None, "is neither a folder nor a table"),
        ("cohort.tsv", None, "There is no file at"),
        ("cohort.tsv", "participant_id\tfile\n01\ta\n", "has no column 'path'"),
        ("cohort.csv", "path,x\na,b\n", "has no column 'participant_id'"),
        ("cohort.csv", "participant_id,path\n", "holds nobody"),
        ("cohort.csv", "participant_id,path,\n1,a,b\n", "has a column named ''. Expected a name"),
        ("cohort.csv", 'participant_id,path,"a\nb"\n1,a,b\n', r"has a column named 'a\\\\nb'"),
        (
            "cohort.csv",
            "participant_id,path,session,session_id\n1,a,1,2\n",
            "has the columns 'session' and 'session_id', which mean the same",
        ),
        ("empty/", None, "holds no connectomes"),
    ],
)
def test_what_is_no_cohort_is_refused(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    elif text is not None:
        path.write_text(text)
    with pytest.raises(CohortError, match=message):
        list_cohort(path)


def test_ids_are_never_cut(tmp_path: Path) -> None:
    touch(tmp_path, "sub-A-1_connectome.npy", "sub-A-2_connectome.npy", "sub-C+D.npy")
    touch(tmp_path, "sub-n\x1b[31m.npy", "sub-E.npy", "sub-F_ses-a-b_connectome.npy")
    found = problems(list_cohort(tmp_path))
    assert len(found) == 5
    assert "sub-E" not in found
    assert "'sub-A-1' is no participant id" in found["sub-A-1"]
    assert "'ses-a-b' is no session" in found["sub-F_ses-a-b"]


def test_folders_name_the_people_whose_files_do_not(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/connectome.npy", "sub-02/ses-1/connectome.npy")
    touch(tmp_path, "sub-03/sub-04_connectome.npy", "sub-05/notes.md")
    touch(tmp_path, "sub-06_connectome.npy", "group.tsv")
    listing = list_cohort(tmp_path)
    assert labels(listing) == ["sub-01", "sub-02_ses-1", "sub-03", "sub-05", "sub-06"]
    found = problems(listing)
    assert found.keys() == {"sub-03", "sub-05"}
    assert "sub-04_connectome.npy lies in the folder sub-03, but names another" in found["sub-03"]
    assert "The folder sub-05 holds no connectome" in found["sub-05"]


def test_sessions_are_those_of_folders_where_names_have_none(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/ses-1/sub-01_connectome.npy", "sub-01/ses-2/sub-01_connectome.npy")
    touch(tmp_path, "sub-02/ses-1/sub-02_ses-2_connectome.npy")
    touch(tmp_path, "sub-03/a/sub-03_connectome.npy", "sub-03/b/sub-03_connectome.npy")
    listing = list_cohort(tmp_path)
    assert labels(listing) == ["sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1", "sub-03"]
    found = problems(listing)
    assert found.keys() == {"sub-02_ses-1", "sub-03"}
    assert "lies in the folder sub-02/ses-1, but names another" in found["sub-02_ses-1"]
    both = "sub-03/a/sub-03_connectome.npy, sub-03/b/sub-03_connectome.npy"
    assert f"There are 2 files: {both}" in found["sub-03"]


def test_age_and_sex_are_those_of_participants_tsv(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01_connectome.npy", "sub-02_connectome.npy")
    table = "participant_id\tage\tsex\tnotes\nsub-02\t31\tM\tx\nsub-09\t1\tF\ty\n"
    (tmp_path / "participants.tsv").write_text(table)
    listing = list_cohort(tmp_path)
    assert listing.own_columns == ("age", "sex")
    assert [dict(entry.own) for entry in listing.entries] == [{}, {"age": "31", "sex": "M"}]


def test_places_are_seen_from_the_cohort(tmp_path: Path) -> None:
    touch(tmp_path, "in/sub-01/sub-01_connectome.npy", "elsewhere/b.npy")
    listing = list_cohort(tmp_path / "in")
    assert listing.place(listing.entries[0]) == "sub-01/sub-01_connectome.npy"
    table = tmp_path / "in" / "cohort.tsv"
    table.write_text("participant_id\tpath\n1\t../elsewhere/b.npy\n2\t/data/c.npy\n3\t\n")
    listing = list_cohort(table)
    places = [listing.place(entry) for entry in listing.entries]
    assert places == ["../elsewhere/b.npy", "/data/c.npy", None]


def test_a_tree_without_any_connectome_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/notes.md", "sub-02/notes.md")
    with pytest.raises(CohortError, match="holds no connectomes"):
        list_cohort(tmp_path)


@pytest.mark.parametrize("text", [",,\n", '""\n', "\n,\n"])
def test_a_table_of_nothing_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cohort.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match=r"cohort\.csv holds no cell with anything in it"):
        list_cohort(path)


def test_of_several_tasks_rest_is_taken(tmp_path: Path) -> None:
    end = "seg-Glasser_stat-pearsoncorrelation_relmat.tsv"
    for task in ("rest", "nback"):
        touch(tmp_path, f"sub-01/func/sub-01_task-{task}_{end}")
    touch(tmp_path, f"sub-02/func/sub-02_task-restEyesOpen_{end}", f"sub-03_task-nback_{end}")
    touch(tmp_path, f"sub-04/func/sub-04_{end}")
    listing = list_cohort(tmp_path)
    names = [entry.path and entry.path.name for entry in listing.entries]
    assert names == [
        f"sub-01_task-rest_{end}",
        f"sub-02_task-restEyesOpen_{end}",
        None,
        f"sub-04_{end}",
    ]
    found = problems(listing)
    assert found.keys() == {"sub-03"}
    assert "of the task nback only, and a twin is made from rest" in found["sub-03"]


def test_the_atlas_of_xcp_d_is_known_by_its_name(tmp_path: Path, tiny: Bundle) -> None:
    for atlas in ("Glasser", "Gordon"):
        touch(tmp_path, f"sub-01/func/sub-01_task-rest_seg-{atlas}_relmat.tsv")
    (entry,) = list_cohort(tmp_path, parcellation="glasser360").entries
    assert entry.path is not None and "seg-Glasser" in entry.path.name
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    assert atlas_notes(entry, replace(parcellation, name="glasser360")) == ()
    (note,) = atlas_notes(entry, parcellation)
    assert "says glasser, the regions of the bundle are those of tiny12" in note


def test_confounds_are_no_series_of_regions(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv")
    touch(tmp_path, "sub-01/func/sub-01_task-rest_seg-x_stat-mean_timeseries.tsv")
    (entry,) = list_cohort(tmp_path, timeseries=True).entries
    assert entry.path is not None and "stat-mean" in entry.path.name


def test_rows_of_participants_tsv_that_disagree_are_that_persons_problem(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01_connectome.npy", "sub-02_connectome.npy", "sub-03_connectome.npy")
    rows = ["sub-01\t30\tF\tx", "sub-02\t31\tM\tx", "sub-01\t30\tF\ty", "sub-02\t32\tF\tx"]
    text = "\n".join(["participant_id\tage\tsex\tnotes", *rows]) + "\n"
    (tmp_path / "participants.tsv").write_text(text, encoding="utf-8")
    listing = list_cohort(tmp_path)
    assert dict(listing.entries[0].own) == {"age": "30", "sex": "F"}
    found = problems(listing)
    assert found.keys() == {"sub-02"}
    assert "several rows of this person, with different age and sex." in found["sub-02"]
    found = problems(list_cohort(tmp_path, columns=("notes",)))
    assert found.keys() == {"sub-01", "sub-02"}
    assert "different notes." in found["sub-01"]


# ---- names of other programs


def test_labels_before_a_suffix_are_ids(tmp_path: Path) -> None:
    touch(tmp_path, "A01_timeseries.tsv", "A02_timeseries.npy", "A03_connectome.npy")
    touch(tmp_path, "A04_relmat.tsv", "A05_boldmap.nii.gz", "A 06_timeseries.npy", "A07.npy")
    series = list_cohort(tmp_path, timeseries=True)
    assert labels(series) == ["A 06_timeseries", "sub-A01", "sub-A02", "sub-A07"]
    assert problems(series).keys() == {"A 06_timeseries"}  # no label, so nobody's
    matrices = list_cohort(tmp_path)
    assert labels(matrices) == ["A 06_timeseries", "sub-A03", "sub-A04", "sub-A07"]
    assert matrices.left_out == (
        "3 files (1 _boldmap.nii.gz, 1 _timeseries.npy, 1 _timeseries.tsv) of the folder, by "
        "their names."
    )


def test_names_of_conn_are_those_of_subjects(tmp_path: Path) -> None:
    touch(tmp_path, *(f"resultsROI_Subject00{n}_Condition001.mat" for n in (1, 2, 3)))
    touch(tmp_path, "resultsROI_Condition001.mat", "_list_conditions.mat", "_list_sources.txt")
    touch(tmp_path, "BETA_Subject001_Condition001_Source001.nii")
    listing = list_cohort(tmp_path)
    assert labels(listing) == ["sub-Subject001", "sub-Subject002", "sub-Subject003"]
    assert not problems(listing)
    assert listing.left_out == "4 files (2 .mat, 1 .nii, 1 .txt) of the folder, by their names."
    touch(tmp_path, "resultsROI_Subject002_Condition002.mat")
    (problem,) = problems(list_cohort(tmp_path)).values()
    assert problem == (
        "There are 2 files: resultsROI_Subject002_Condition001.mat, "
        "resultsROI_Subject002_Condition002.mat. They are of CONN's conditions 001, 002. Keep "
        "those of rest in a folder of their own, or say which in a table with the columns "
        "participant_id and path."
    )
    with pytest.raises(CohortError, match=r"It holds 8 files \(6 \.mat, 1 \.nii, 1 \.txt\)\."):
        list_cohort(tmp_path, timeseries=True)  # they are matrices


def test_xcp_ds_matrices_as_cifti_are_taken_where_there_is_no_table(tmp_path: Path) -> None:
    xcp_d_files(tmp_path)
    for path in tmp_path.rglob("*300volumes*"):
        path.unlink()
    (entry,) = list_cohort(tmp_path, parcellation="glasser360").entries
    assert entry.path is not None and "seg-Glasser_stat" in entry.path.name
    assert entry.path.name.endswith("_relmat.tsv")
    (entry,) = list_cohort(tmp_path, parcellation="glasser360", timeseries=True).entries
    assert entry.path is not None and "seg-Glasser_stat" in entry.path.name
    assert entry.path.name.endswith("_timeseries.tsv")
    for path in tmp_path.rglob("*_relmat.tsv"):
        path.unlink()
    for folder in ("log/20260101", "figures", "func/logs"):
        text = tmp_path / "sub-01" / folder / "crash-20260101-recon.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("1 2\n3 4\n", encoding="utf-8")  # which could be numbers
    listing = list_cohort(tmp_path, parcellation="glasser360")
    (entry,) = listing.entries
    assert entry.path is not None and "seg-Glasser_den-91k_stat" in entry.path.name
    assert entry.path.name.endswith("_stat-pearsoncorrelation_boldmap.pconn.nii")
    assert listing.kinds_left_out == {
        "_bold.tsv": 6,
        "_boldmap.dscalar.nii": 2,
        "_boldmap.pscalar.nii": 2,
        "_timeseries.tsv": 2,
        "_timeseries.ptseries.nii": 2,
        "_bold.dtseries.nii": 2,
        "_design.tsv": 1,
        "_motion.tsv": 1,
        "_outliers.tsv": 1,
        "_qc.hdf5": 1,
    }
    assert listing.left_out == (
        "20 files (6 _bold.tsv, 2 _bold.dtseries.nii, 2 _boldmap.dscalar.nii, 2 "
        "_boldmap.pscalar.nii, 2 _timeseries.ptseries.nii, 2 _timeseries.tsv, 4 others) of the "
        "folder, by their names."
    )


# ---- what is not taken


def test_what_is_left_out_is_counted_by_kind(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01_connectome.npy", "sub-01_connectome.json", "participants.tsv", ".x.md")
    touch(tmp_path, "dataset_description.json", "README.md")
    assert list_cohort(tmp_path).left_out is None
    touch(tmp_path, "a.xlsx", "b.xlsx", "John.Smith", "notes", "sub-02_timeseries.tsv")
    listing = list_cohort(tmp_path)
    assert listing.left_out == (
        "5 files (2 .xlsx, 2 without a known ending, 1 _timeseries.tsv) of the folder, by their "
        "names."
    )
    hidden = hashed(listing, b"5f0c1d7e9a8b4632")  # an ending may be part of a name
    assert hidden.left_out == "5 files of the folder, by their names."


def test_a_folder_of_series_only_says_how_to_read_them(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01_timeseries.tsv", "sub-02_timeseries.tsv")
    with pytest.raises(CohortError) as caught:
        list_cohort(tmp_path)
    hint = "It holds 2 files (2 _timeseries.tsv). For time series pass --timeseries. Give another"
    assert hint in str(caught.value)
    assert len(list_cohort(tmp_path, timeseries=True).entries) == 2


def test_what_says_another_measure_does_not_compete(tmp_path: Path) -> None:
    stem = "func/sub-01_task-rest_seg-tiny12_meas"
    touch(tmp_path / "sub-01", f"{stem}-PartialCorrelation_relmat.tsv")
    (alone,) = list_cohort(tmp_path, parcellation="tiny12").entries
    assert alone.path is not None and "Partial" in alone.path.name  # reading it says what is wrong
    touch(tmp_path / "sub-01", f"{stem}-PearsonCorrelation_relmat.tsv")
    (entry,) = list_cohort(tmp_path, parcellation="tiny12").entries
    assert entry.path is not None and "meas-PearsonCorrelation" in entry.path.name


# ---- the table of participants


@pytest.mark.parametrize("who", ["01", "sub-01"])
@pytest.mark.parametrize("columns", ["age\tsex", "Age\tSEX"])
def test_ids_without_sub_and_columns_in_any_case_are_taken(
    tmp_path: Path, who: str, columns: str
) -> None:
    touch(tmp_path, "sub-01_connectome.npy", "sub-02_connectome.npy")
    (tmp_path / "participants.tsv").write_text(f"participant_id\t{columns}\n{who}\t31\tF\n")
    listing = list_cohort(tmp_path)
    assert listing.own_columns == tuple(columns.split("\t"))
    assert demographics_of(listing.entries[0].own) == (31.0, "female", ())
    assert dict(listing.entries[1].own) == {}
    assert listing.notes == ()


def test_rows_with_and_without_sub_are_of_one_person(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01_connectome.npy")
    rows = "participant_id\tage\n01\t31\nsub-01\t32\n"
    (tmp_path / "participants.tsv").write_text(rows)
    (problem,) = problems(list_cohort(tmp_path)).values()
    assert "several rows of this person, with different age." in problem


@pytest.mark.parametrize("rows", ["participant_id\tage\nCTRL_1\t31\n", "subject\tage\n01\t3\n"])
def test_a_table_of_others_is_said(tmp_path: Path, rows: str) -> None:
    touch(tmp_path, "sub-01_connectome.npy")
    assert list_cohort(tmp_path).notes == ()
    (tmp_path / "participants.tsv").write_text(rows)
    (note,) = list_cohort(tmp_path).notes
    assert note == "participants.tsv has none of these people: check its participant_id."
