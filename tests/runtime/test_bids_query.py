"""Files of a data set by entities: as pybids finds them, and safe with hostile trees."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from dtb_runtime.bids_query import BidsFilters, Wanted, find_files, wanted_by
from dtb_runtime.errors import CohortError, MissingDependencyError, UsageError
from dtb_runtime.reading import Reading

from .bids_trees import describe

pybids = pytest.importorskip("bids.layout", reason="pybids is not installed: the extra bids")

NAMES = (
    "sub-01/ses-1/func/sub-01_ses-1_task-rest_run-01_seg-A_desc-x_relmat.tsv",
    "sub-01/ses-1/func/sub-01_ses-1_task-rest_run-02_seg-A_desc-x_relmat.tsv",
    "sub-01/ses-2/func/sub-01_ses-2_task-rest_seg-A_desc-y_relmat.tsv",
    "sub-01/ses-2/func/sub-01_ses-2_task-rest_seg-A_meas-PearsonCorrelation_relmat.npy",
    "sub-02/func/sub-02_task-stroop_seg-B_stat-pearsoncorrelation_relmat.tsv",
    "sub-02/func/sub-02_connectome.npy",
    "sub-02/func/sub-02_task-rest_timeseries.tsv",
    "sub-03_conmat.csv",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A data set with all of `NAMES`, and files that are none of ours."""
    root = describe(tmp_path / "tree", "somebody")
    for name in (*NAMES, "sub-02/func/sub-02_relmat.json", "derivatives/x/sub-09_relmat.tsv"):
        _touch(root / name)
    return root


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x", encoding="utf-8")


def _filters(tmp_path: Path, document: object) -> BidsFilters:
    path = tmp_path / "filter.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return BidsFilters.read(path)


def _found(root: Path, filters: BidsFilters, *subjects: str) -> list[str]:
    files = find_files(root, "connectome", filters, subjects or None).files
    assert all(file.path == root / file.inside for file in files)
    return [str(file.inside) for file in files]


def test_connectomes_are_found_by_their_suffix(tree: Path) -> None:
    found = _found(tree, BidsFilters())
    assert found == sorted(name for name in NAMES if "timeseries" not in name)
    (series,) = find_files(tree, "timeseries", BidsFilters()).files
    assert str(series.inside) == "sub-02/func/sub-02_task-rest_timeseries.tsv"
    assert series.entities["subject"] == "02"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"desc": "x"}, {"desc": "x"}),
        ({"run": 1}, {"run": 1}),
        ({"run": "02"}, {"run": "02"}),
        ({"run": None}, {"run": pybids.Query.NONE}),
        ({"run": [1, None]}, {"run": [1, pybids.Query.NONE]}),
        ({"session": "*"}, {"session": pybids.Query.ANY}),
        ({"session": "Query.NONE"}, {"session": pybids.Query.NONE}),
        ({"session": ["1", "2"], "desc": "Query.OPTIONAL"}, {"session": ["1", "2"]}),
        ({"segmentation": "B", "extension": ".tsv"}, {"segmentation": "B", "extension": ".tsv"}),
        ({"suffix": "conmat"}, {"suffix": "conmat"}),
    ],
)
def test_a_filter_means_what_pybids_means(
    tree: Path, tmp_path: Path, said: dict[str, Any], meant: dict[str, Any]
) -> None:
    indexer = pybids.BIDSLayoutIndexer(validate=False, index_metadata=False)
    layout = pybids.BIDSLayout(
        tree, validate=False, config=["bids", "derivatives"], indexer=indexer
    )
    query = {"suffix": ["connectome", "relmat", "conmat"], **meant}
    expected = sorted(
        file.relpath for file in layout.get(**query) if not file.relpath.endswith("json")
    )
    assert expected
    assert _found(tree, _filters(tmp_path, {"connectome": said})) == expected


def test_entities_of_connectivity_that_pybids_lacks_are_known(tree: Path, tmp_path: Path) -> None:
    of_giga = _filters(tmp_path, {"connectome": {"meas": "PearsonCorrelation"}})
    assert _found(tree, of_giga) == [NAMES[3]]
    of_xcp_d = _filters(tmp_path, {"connectome": {"stat": "*"}})
    assert _found(tree, of_xcp_d) == [NAMES[4]]


def test_what_only_the_filter_leaves_out_is_known(tree: Path, tmp_path: Path) -> None:
    everything = find_files(tree, "connectome", BidsFilters())
    assert everything.excluded == ()
    found = find_files(tree, "connectome", _filters(tmp_path, {"connectome": {"desc": "x"}}))
    assert [str(file.inside) for file in found.files] == list(NAMES[:2])
    others = [file for file in everything.files if file not in found.files]
    assert list(found.excluded) == others != []


def test_only_the_people_asked_for_are_looked_at(tree: Path) -> None:
    assert _found(tree, BidsFilters(), "sub-03") == ["sub-03_conmat.csv"]
    _touch(tree / "sub-011" / "sub-011_relmat.tsv")  # begins like another one
    assert len(_found(tree, BidsFilters(), "sub-01")) == 4


def test_an_entity_that_does_not_exist_is_refused_with_those_that_do(
    tree: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"names the entity 'denoise'.*It knows .*desc.*stat"):
        _found(tree, _filters(tmp_path, {"connectome": {"denoise": "x"}}))


def test_a_filter_of_other_files_only_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"says nothing of 'connectome' files.*has timeseries"):
        _found(tree, _filters(tmp_path, {"timeseries": {"desc": "x"}}))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", r"filter\.json is not valid JSON"),
        ("[]", r"filter\.json: expected a JSON object, found a list"),
        ('{"connectome": 1}', r"connectome: expected a JSON object"),
        ('{"connectomes": {}}', r"key 'connectomes'. Expected connectome, timeseries, bold"),
        ('{"connectome": {"desc": {}}}', r"desc: expected a text, a number, null or a list"),
        ('{"connectome": {"desc": [true]}}', r"desc: expected a text.*found true"),
        ('{"connectome": {"run": 1.5}}', r"run: expected a text"),
    ],
)
def test_a_bad_filter_file_is_one_sentence(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "filter.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match=match):
        BidsFilters.read(path)


@pytest.mark.skipif(os.name != "posix", reason="links and such names are POSIX matters")
def test_links_that_lead_back_and_names_that_are_no_text_do_no_harm(tree: Path) -> None:
    expected = _found(tree, BidsFilters())
    (tree / "sub-04").mkdir()
    (tree / "sub-04" / "loop").symlink_to("..")
    (tree / "sub-04" / "sub-04_relmat.tsv").symlink_to("nowhere")
    (tree / "sub-04" / ".hidden").mkdir()
    _touch(tree / "sub-04" / ".hidden" / "sub-04_relmat.tsv")
    folder = os.fsencode(tree / "sub-04")
    with open(folder + b"/sub-04_\xff_relmat.tsv", "wb"):  # noqa: PTH123
        pass
    assert _found(tree, BidsFilters()) == expected


@pytest.mark.parametrize("text", ["{", '{"DatasetType": "derivative"}', "[]"])
def test_a_damaged_description_is_no_obstacle(tree: Path, text: str) -> None:
    expected = _found(tree, BidsFilters())
    (tree / "dataset_description.json").write_text(text, encoding="utf-8")
    assert _found(tree, BidsFilters()) == expected


def test_what_pybids_stumbles_over_is_one_sentence(tree: Path) -> None:
    text = '{"DatasetType": "derivative", "GeneratedBy": {"Name": "x"}}'
    (tree / "dataset_description.json").write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match=r"pybids cannot go through .*dataset_description"):
        _found(tree, BidsFilters())


def test_without_pybids_it_says_how_to_get_it(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bids", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[bids\]'"):
        _found(tree, BidsFilters())


def test_how_files_are_read_says_which_are_wanted() -> None:
    assert wanted_by(Reading()) == "connectome"
    assert wanted_by(Reading(timeseries=True)) == "timeseries"
    assert wanted_by(Reading(atlas="regions.nii.gz")) == "bold"


OF_XCP_D = (
    "sub-01_task-rest_space-MNI152NLin2009cAsym_seg-Glasser_stat-alff_bold.tsv",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_seg-Glasser_stat-coverage_bold.tsv",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_seg-Glasser_stat-mean_timeseries.tsv",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_seg-Glasser_stat-reho_bold.tsv",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_desc-denoised_bold.nii.gz",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_stat-alff_boldmap.nii.gz",
    "sub-01_task-rest_space-fsLR_seg-Glasser_den-91k_stat-coverage_bold.pscalar.nii",
    "sub-01_task-rest_desc-filtered_motion.tsv",
    "sub-01_task-rest_outliers.tsv",
)
OF_FMRIPREP = (
    "sub-01_task-rest_desc-confounds_timeseries.tsv",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_boldref.nii.gz",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz",
    "sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz",
    "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii",
)


def _names(root: Path, wanted: Wanted, filters: BidsFilters | None = None) -> list[str]:
    return [file.path.name for file in find_files(root, wanted, filters or BidsFilters()).files]


def test_tables_do_not_compete_with_scans_or_series(tmp_path: Path) -> None:
    xcp_d, fmriprep = (describe(tmp_path / name, name) for name in ("xcp_d", "fmriprep"))
    for root, names in ((xcp_d, OF_XCP_D), (fmriprep, OF_FMRIPREP)):
        for name in names:
            _touch(root / "sub-01" / "func" / name)
            _touch(root / "sub-01" / "func" / f"{name.split('.')[0]}.json")
    assert _names(xcp_d, "bold") == [OF_XCP_D[4]]
    assert _names(fmriprep, "bold") == list(OF_FMRIPREP[3:])
    assert _names(xcp_d, "timeseries") == [OF_XCP_D[2]]
    assert _names(fmriprep, "timeseries") == []
    filters = _filters(tmp_path, {"timeseries": {"desc": "confounds"}})
    assert _names(fmriprep, "timeseries", filters) == [OF_FMRIPREP[0]]  # whoever asks gets it
