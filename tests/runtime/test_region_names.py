"""Names of regions that are taken for each other, and those that are not."""

from __future__ import annotations

import pytest

from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.region_names import match_regions


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("l_v1", "L_V1"),
        ("L_V1_ROI", "L_V1"),
        ("lh.L_V1", "L_V1"),
        ("LH_VisCent_Striate", "17networks_LH_VisCent_Striate"),
        ("17Networks_LH_VisCent_Striate", "17networks_LH_VisCent_Striate"),
        ("atlas.LH-Vis-1", "LH_Vis_1"),
        ("aHIP-rh", "ahip-RH"),
        ("V1_L", "L_V1"),
        ("V1_lh", "L_V1"),
        ("V1.Left", "L_V1_ROI"),
        ("V1_L_ROI", "L_V1"),
        ("LH_V1", "L_V1"),
        ("25_r", "R_25"),
        ("viscent_striate_L", "17networks_LH_VisCent_Striate"),
        ("Left-Cerebellum", "cerebellum_left"),
        ("HCP_V1_R", "R_HCP_V1"),
        ("atlas_rh_V1", "V1_R"),
    ],
)
def test_case_and_prefix_do_not_matter(found: str, wanted: str) -> None:
    match = match_regions([found, "else"], ["other", wanted])
    assert match.order.tolist() == [-1, 0]
    assert match.renamed == ((found, wanted),)
    assert (match.missing, match.unknown) == (("other",), ("else",))
    assert match.differences == "missing other; unknown else"


def test_letters_of_every_script_tell_names_apart() -> None:
    pairs = (("Zone δ", "Zone β"), ("área_L", "rea_L"), ("视觉_L", "听觉_L"))
    for found, wanted in pairs:
        assert match_regions([found], [wanted]).unknown == (found,)
    assert match_regions(["ÁREA_L"], ["L_área"]).order.tolist() == [0]


def test_equal_names_go_first() -> None:
    match = match_regions(["V1", "L_V1"], ["L_V1", "V1"])
    assert match.order.tolist() == [1, 0]
    assert match.renamed == ()


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (["V1"], ["L_V1", "R_V1"]),  # either
        (["a_L_V1", "b_L_V1"], ["L_V1"]),  # both
        (["Vis_1"], ["Vis_11"]),  # words, not letters
        (["7"], ["LH_Vis_7"]),  # a number names nothing
        (["v1", "V1"], ["v1x", "V1X"]),
        (["V1_L", "V1_lh"], ["L_V1"]),  # both
        (["V1_R"], ["L_V1"]),  # the other side
        (["cerebellum_L"], ["cerebellum"]),  # of one side and of both
        (["L_V1_R"], ["R_L_V1"]),  # which of them is the side
        (["V1_X"], ["X_V1"]),  # no side
        (["7_L"], ["17networks_LH_Vis_7"]),
        (["rh_L_V1", "lh_R_V1"], ["L_V1", "R_V1"]),  # two sides that contradict each other
        (["Amygdala"], ["L_Amygdala"]),  # of both and of one side
        (["L_Amygdala"], ["Amygdala"]),
        (["lh", "rh"], ["lAMY-lh", "lAMY-rh"]),  # a side names nothing
    ],
)
def test_what_is_ambiguous_is_not_matched(found: list[str], wanted: list[str]) -> None:
    match = match_regions(found, wanted)
    assert (match.order == -1).all()
    assert match.unknown == tuple(found)
    assert match.missing == tuple(wanted)


def test_a_name_that_also_fits_a_taken_one_is_ambiguous() -> None:
    match = match_regions(["L_A1", "A1"], ["L_A1", "R_A1"])
    assert match.order.tolist() == [0, -1]
    assert match.differences == "missing R_A1; unknown A1"


def side_last(label: str) -> str:
    """``V1_L`` for ``L_V1``."""
    side, _, rest = label.removeprefix("17networks_").partition("_")
    return f"{rest}_{side[0]}" if side in ("L", "R", "LH", "RH") else label


@pytest.mark.parametrize("name", ["tcp434", "glasser360"])
def test_shipped_parcellations_match_themselves_under_other_names(name: str) -> None:
    parcellation = load_bundle(name).manifest.parcellation
    assert parcellation is not None
    labels = parcellation.labels
    n = len(labels)
    for changed in (
        [label.upper() for label in labels],
        [f"atlas.{label}" for label in labels],
        [f"{label}_ROI" for label in labels],
        [label.removeprefix("17networks_") for label in labels],
        [side_last(label) for label in labels],
    ):
        match = match_regions(changed[::-1], labels)
        assert match.order.tolist() == list(range(n))[::-1]
        assert match.differences == ""
