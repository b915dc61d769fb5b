"""Which of a person's files is meant, and filters that choose: on names of XCP-D and fMRIPrep."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dtb_runtime.bids_choice import chosen_file
from dtb_runtime.bids_cohort import BidsSelection, list_bids
from dtb_runtime.bids_query import BidsFilters, Wanted, find_files
from dtb_runtime.cohort_entry import CohortEntry

from .bids_trees import describe, fmriprep_files, put_names, xcp_d_files

pytest.importorskip("bids", reason="pybids is not installed: the extra bids")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "bids.md"
XCP_D = "sub-01_task-rest_acq-mb_space-fsLR"
FMRIPREP = "sub-01_task-rest_space"


def _entry(root: Path, wanted: Wanted, **selected: object) -> CohortEntry:
    """The only person."""
    selection = BidsSelection(wanted=wanted, **selected)  # type: ignore[arg-type]
    (entry,) = list_bids(root, selection).listing.entries
    return entry


def _filters(tmp_path: Path, text: str) -> BidsFilters:
    path = tmp_path / "filter.json"
    path.write_text(text, encoding="utf-8")
    return BidsFilters.read(path)


def _name(entry: CohortEntry) -> str:
    assert entry.path is not None, entry.problem
    return entry.path.name


# ---- the filters of the page


def _ready_filter(title: str) -> str:
    """The block of JSON under a title of the page."""
    section = PAGE.read_text(encoding="utf-8").partition("### Filters that are ready\n")[2]
    found = re.search(rf"^{title}:\n\n```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


@pytest.mark.parametrize(
    ("title", "wanted", "expected"),
    [
        (
            "XCP-D, tables",
            "connectome",
            f"{XCP_D}_seg-Glasser_stat-pearsoncorrelation_relmat.tsv",
        ),
        ("XCP-D, tables", "timeseries", f"{XCP_D}_seg-Glasser_stat-mean_timeseries.tsv"),
        ("XCP-D, tables", "bold", f"{XCP_D}_den-91k_desc-denoised_bold.dtseries.nii"),
        (
            "XCP-D, CIFTI-2",
            "connectome",
            f"{XCP_D}_seg-Glasser_den-91k_stat-pearsoncorrelation_boldmap.pconn.nii",
        ),
        (
            "XCP-D, CIFTI-2",
            "timeseries",
            f"{XCP_D}_seg-Glasser_den-91k_stat-mean_timeseries.ptseries.nii",
        ),
        ("XCP-D, CIFTI-2", "bold", f"{XCP_D}_den-91k_desc-denoised_bold.dtseries.nii"),
    ],
)
def test_a_ready_filter_takes_one_file_of_xcp_d(
    tmp_path: Path, title: str, wanted: Wanted, expected: str
) -> None:
    xcp_d_files(tmp_path / "xcp_d")
    filters = _filters(tmp_path, _ready_filter(title))
    entry = _entry(tmp_path / "xcp_d", wanted, filters=filters, parcellation="glasser360")
    assert _name(entry) == expected
    if wanted != "bold":  # a parcellation of its own name, and XCP-D's entity of today
        root = tmp_path / "later"
        folder = xcp_d_files(root, atlases=("mine", "other"))
        for path in folder.iterdir():
            path.rename(folder / path.name.replace("_seg-", "_atlas-"))
        later = _entry(root, wanted, filters=filters, parcellation="mine")
        assert _name(later) == expected.replace("seg-Glasser", "atlas-mine")


def test_the_ready_filter_of_fmriprep_takes_one_scan(tmp_path: Path) -> None:
    fmriprep_files(tmp_path / "fmriprep")
    filters = _filters(tmp_path, _ready_filter("fMRIPrep"))
    entry = _entry(tmp_path / "fmriprep", "bold", filters=filters, atlas="atlas.nii.gz")
    assert _name(entry) == f"{FMRIPREP}-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"


# ---- the filter that a message proposes


def _proposed(problem: str | None) -> tuple[str, str]:
    """The filter of a message, and the file that it says this takes."""
    found = re.search(
        r"Say which in a --bids-filter-file: (\{.*\}) would take (\S+)\.$", problem or ""
    )
    assert found is not None, problem
    return found[1], found[2]


def test_of_the_same_series_in_a_table_and_in_cifti_the_table_is_taken(tmp_path: Path) -> None:
    xcp_d_files(tmp_path / "xcp_d")
    entry = _entry(tmp_path / "xcp_d", "timeseries", parcellation="glasser360")
    assert _name(entry) == f"{XCP_D}_seg-Glasser_stat-mean_timeseries.tsv"


@pytest.mark.parametrize(
    ("wanted", "differ"),
    [
        ("bold", "desc (denoised, denoisedSmoothed)"),
        ("connectome", "desc (300volumes, none)"),
    ],
)
def test_what_a_message_proposes_chooses_what_it_says(
    tmp_path: Path, wanted: Wanted, differ: str
) -> None:
    root = tmp_path / "xcp_d"
    xcp_d_files(root)
    problem = _entry(root, wanted, parcellation="glasser360").problem or ""
    assert problem.startswith("There are 2 files that may be meant: sub-01/func/sub-01_task-rest_")
    assert f" They differ in {differ}. Say which" in problem
    text, place = _proposed(problem)
    assert list(json.loads(text)) == [wanted]
    entry = _entry(root, wanted, parcellation="glasser360", filters=_filters(tmp_path, text))
    assert entry.path == root / place


def test_a_proposed_filter_keeps_what_the_given_one_says(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    folder = describe(root, "somebody") / "sub-01"
    ends = [f"run-{run}_desc-{desc}" for run in "12" for desc in "xy"]
    names = [f"sub-01_task-rest_{end}_relmat.{kind}" for end in ends for kind in ("tsv", "npy")]
    put_names(folder, [*names, "sub-01_task-rest_run-1_desc-z_relmat.tsv"])
    filters = _filters(tmp_path, '{"connectome": {"desc": ["x", "y"], "space": null}}')
    problem = _entry(root, "connectome", filters=filters).problem
    assert "There are 8 files that may be meant: " in (problem or "")
    assert " and 2 more. They differ in desc (x, y), extension (.npy, .tsv)" in (problem or "")
    text, place = _proposed(problem)
    said = json.loads(text)["connectome"]
    assert said == {"desc": "x", "space": None, "extension": ".npy", "run": "1"}
    chosen = _entry(root, "connectome", filters=_filters(tmp_path, text))
    assert chosen.path == root / place


def test_files_that_no_filter_tells_apart_are_to_be_fewer(tmp_path: Path) -> None:
    root = describe(tmp_path / "tree", "somebody")
    for folder in ("a", "b"):
        put_names(root / "sub-01" / folder, ["sub-01_task-rest_relmat.tsv"])
    problem = _entry(root, "connectome").problem or ""
    assert problem == (
        "There are 2 files that may be meant: sub-01/a/sub-01_task-rest_relmat.tsv, "
        "sub-01/b/sub-01_task-rest_relmat.tsv. No filter tells them apart: keep one of them there."
    )


# ---- matrices as CIFTI-2


def test_xcp_ds_matrix_as_cifti_is_taken_where_there_is_no_table(tmp_path: Path) -> None:
    root = tmp_path / "xcp_d"
    folder = xcp_d_files(root)
    for path in folder.glob("*300volumes*"):
        path.unlink()
    entry = _entry(root, "connectome", parcellation="glasser360")
    assert _name(entry) == f"{XCP_D}_seg-Glasser_stat-pearsoncorrelation_relmat.tsv"
    for path in folder.glob("*_relmat.tsv"):
        path.unlink()
    end = "den-91k_stat-pearsoncorrelation_boldmap.pconn.nii"
    assert [file.path.name for file in find_files(root, "connectome", BidsFilters()).files] == [
        f"{XCP_D}_seg-Glasser_{end}",
        f"{XCP_D}_seg-Gordon_{end}",
    ]
    entry = _entry(root, "connectome", parcellation="glasser360")
    assert _name(entry) == f"{XCP_D}_seg-Glasser_{end}"


# ---- scans that an atlas fits


@pytest.mark.parametrize(
    ("atlas", "taken", "kind"),
    [
        ("x.dlabel.nii", "-fsLR_den-91k_bold.dtseries.nii", "grayordinates (.dtseries.nii)"),
        ("X.DLABEL.NII", "-fsLR_den-91k_bold.dtseries.nii", "grayordinates (.dtseries.nii)"),
        ("x.nii", "-MNI152NLin6Asym_res-2_desc-preproc_bold.nii.gz", "voxels (.nii, .nii.gz)"),
    ],
)
def test_the_atlas_decides_between_voxels_and_grayordinates(
    tmp_path: Path, atlas: str, taken: str, kind: str
) -> None:
    for label in ("01", "02"):
        (other,) = fmriprep_files(tmp_path / "fmriprep", label).glob("*2009cAsym_desc-preproc_*")
        other.unlink()
    selection = BidsSelection(wanted="bold", atlas=f"/data/{atlas}")
    cohort = list_bids(tmp_path / "fmriprep", selection)
    assert _name(cohort.listing.entries[0]) == f"{FMRIPREP}{taken}"
    assert cohort.notes == (
        "2 people or sessions have scans of both voxels and grayordinates: those of "
        f"{kind} were taken, as the atlas {atlas} needs.",
    )


def test_nothing_is_said_where_the_atlas_decides_nothing(tmp_path: Path) -> None:
    folder = fmriprep_files(tmp_path / "fmriprep")
    for path in folder.glob("*_space-MNI*"):
        path.unlink()
    for atlas in ("x.dlabel.nii", "x.nii.gz"):  # whether it fits shows when it is read
        cohort = list_bids(tmp_path / "fmriprep", BidsSelection(wanted="bold", atlas=atlas))
        assert cohort.notes == ()
        assert _name(cohort.listing.entries[0]).endswith("_bold.dtseries.nii")


def test_an_atlas_of_voxels_leaves_the_space_open(tmp_path: Path) -> None:
    fmriprep_files(tmp_path / "fmriprep")
    files = find_files(tmp_path / "fmriprep", "bold", BidsFilters()).files
    choice = chosen_file(files, wanted="bold", asked={}, atlas="atlas.nii.gz")
    assert choice.file is None
    differ = "res (2, none), space (MNI152NLin2009cAsym, MNI152NLin6Asym)"
    assert choice.problem.startswith("There are 2 files that may be meant: ")
    assert f"They differ in {differ}. Say which in a --bids-filter-file:" in choice.problem


# ---- other measures than correlations


def test_what_says_another_measure_does_not_compete(tmp_path: Path) -> None:
    root = describe(tmp_path / "tree", "giga_connectome")
    stem = "sub-01_task-rest_seg-tiny12"
    partial = f"{stem}_meas-PartialCorrelation_desc-a_relmat.tsv"
    put_names(root / "sub-01", [partial, f"{stem}_stat-tangent_desc-a_relmat.tsv"])
    alone = _entry(root, "connectome", parcellation="tiny12").problem or ""
    assert alone.startswith("There are 2 files that may be meant: ")
    pearson = f"{stem}_meas-PearsonCorrelation_desc-a_relmat.tsv"
    put_names(root / "sub-01", [pearson])
    assert _name(_entry(root, "connectome", parcellation="tiny12")) == pearson
    put_names(root / "sub-01", [pearson.replace("desc-a", "desc-b")])
    problem = _entry(root, "connectome", parcellation="tiny12").problem or ""
    assert "They differ in desc (a, b). Say which" in problem
    assert "Partial" not in problem and "tangent" not in problem
    for path in (root / "sub-01").glob("*Pearson*"):
        path.rename(path.with_name(path.name.replace("tiny12", "other")))
    (root / "sub-01" / f"{stem}_stat-tangent_desc-a_relmat.tsv").unlink()
    # Of another parcellation, correlations do not fit either: reading says what is wrong.
    assert _name(_entry(root, "connectome", parcellation="tiny12")) == partial
