"""Parcellations: read from a regions table, checked, with the deep structures their labels name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime.errors import DataError
from dtb_runtime.parcellation import Parcellation, find_structures, read_regions_table

HEADER = "index,label,network,hemisphere,x,y,z\n"
TABLE = HEADER + "0,V1_L,Vis,L,-10,-84.5,2\n1,V1_R,Vis,R,10,-84,2\n2,lAMY-rh,Limbic,R,,,\n"


def write(path: Path, text: str = TABLE) -> Path:
    """Write a regions table."""
    path.write_text(text)
    return path


def parcellation(**changes: Any) -> Parcellation:
    """Two regions, with some fields changed."""
    fields: dict[str, Any] = {
        "name": "two",
        "labels": ("a", "b"),
        "network": ("", "Vis"),
        "hemisphere": ("L", ""),
        "coordinates": np.array([[1.0, 2.0, 3.0], [np.nan] * 3]),
        "structures": {"left_amygdala": ("a",)},
    }
    return Parcellation(**(fields | changes))


def test_a_table_is_read_in_its_order(tmp_path: Path) -> None:
    regions = read_regions_table(write(tmp_path / "mine3_regions.csv"))
    assert (regions.name, regions.n_regions) == ("mine3", 3)
    assert regions.labels == ("V1_L", "V1_R", "lAMY-rh")
    assert regions.network == ("Vis", "Vis", "Limbic")
    assert regions.hemisphere == ("L", "R", "R")
    np.testing.assert_array_equal(
        regions.coordinates, [[-10, -84.5, 2], [10, -84, 2], [np.nan] * 3]
    )
    assert dict(regions.structures) == {"right_amygdala": ("lAMY-rh",)}
    assert regions.indices(["lAMY-rh", "V1_L"]).tolist() == [2, 0]


def test_tabs_another_name_and_no_index_are_fine(tmp_path: Path) -> None:
    text = "\n".join(line.split(",", 1)[1] for line in TABLE.splitlines()).replace(",", "\t")
    regions = read_regions_table(write(tmp_path / "r.tsv", text), name="other")
    assert (regions.name, regions.n_regions) == ("other", 3)


def test_a_parcellation_cannot_be_changed() -> None:
    coordinates = np.zeros((2, 3))
    regions = parcellation(coordinates=coordinates)
    coordinates[0, 0] = 5
    assert regions.coordinates[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        regions.coordinates[0, 0] = 1
    with pytest.raises(TypeError):
        regions.structures["x"] = ()  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,network\na,b\n", r"no column 'hemisphere', 'x', 'y', 'z'.*found label, network"),
        (HEADER, "has no regions"),
        (TABLE.replace("1,V1_R", "7,V1_R"), "row 2: index is '7', expected 1"),
        (TABLE.replace("-84.5", "far"), "row 1: y is 'far', expected a number in mm"),
        (TABLE.replace("10,-84,2", "10,,2"), r"coordinates of 'V1_R' are .*three numbers or none"),
        (TABLE.replace("Vis,R", "Vis,right"), "hemisphere of 'V1_R' is 'right', expected L, R"),
        (TABLE.replace("V1_R", "V1_L"), "more than one region labeled 'V1_L'"),
        (TABLE.replace("V1_R", ""), "a region without a label"),
        (TABLE + "3,x\n", "row 4 under the header has 2 cells"),
    ],
)
def test_a_bad_table_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_regions_table(write(tmp_path / "mine_regions.csv", text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": ("Vis",)}, "2 labels but 1 entries of network"),
        ({"coordinates": np.zeros((3, 3))}, r"shape \(3, 3\), expected \(2, 3\)"),
        ({"coordinates": np.full((2, 3), np.inf)}, "coordinates of 'a'"),
        ({"structures": {"left_amygdala": ("c",)}}, "'left_amygdala' names 'c'"),
    ],
)
def test_a_parcellation_checks_itself(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parcellation(**changes)


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(DataError, match=r"'two' has no region 'c'. Its labels look like 'a'"):
        parcellation().indices(["c"])


def test_structures_are_found_by_what_atlases_call_them() -> None:
    found = find_structures(
        [
            "lAMY-rh",
            "THA-DP-lh",
            "Left-Amygdala",
            "aHIP-rh",
            "pGP-lh",
            "NAc-shell-rh",
            "Brain-Stem",
        ],
        ["R", "L", "L", "R", "L", "R", ""],
    )
    assert found == {
        "right_amygdala": ("lAMY-rh",),
        "left_thalamus": ("THA-DP-lh",),
        "left_amygdala": ("Left-Amygdala",),
        "right_hippocampus": ("aHIP-rh",),
        "left_pallidum": ("pGP-lh",),
        "right_accumbens": ("NAc-shell-rh",),
    }


def test_cortical_labels_name_no_structure() -> None:
    labels = ["L_V1", "R_H", "L_PGp", "R_PHA1", "17networks_LH_TempPar_IPL_1", "L_CAUx"]
    assert find_structures(labels, ["L"] * len(labels)) == {}


def test_the_real_parcellations_are_read(shared_data: Path) -> None:
    tcp = read_regions_table(shared_data / "parcellations" / "tcp434_regions.csv")
    assert (tcp.name, tcp.n_regions) == ("tcp434", 434)
    assert tcp.structures["right_amygdala"] == ("lAMY-rh", "mAMY-rh")
    assert tcp.structures["left_amygdala"] == ("lAMY-lh", "mAMY-lh")
    # 32 subcortical and 2 cerebellar regions, each in a named structure and without coordinates.
    named = {label for members in tcp.structures.values() for label in members}
    without = np.isnan(tcp.coordinates).all(axis=1)
    assert named == {label for label, blank in zip(tcp.labels, without, strict=True) if blank}
    assert len(named) == 34

    glasser = read_regions_table(shared_data / "parcellations" / "glasser360_cabnp.csv")
    assert (glasser.name, glasser.n_regions) == ("glasser360", 360)
    assert dict(glasser.structures) == {}
    assert not np.isnan(glasser.coordinates).any()
    assert [glasser.hemisphere.count(side) for side in "LR"] == [180, 180]
