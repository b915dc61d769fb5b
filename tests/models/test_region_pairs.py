"""Mirrored regions and network families of the parcellations in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtb_models.network_families import family_of, network_positions
from dtb_models.region_pairs import homotopic_pairs
from dtb_runtime.parcellation import Parcellation, read_regions_table


def made(labels: list[str], places: list[list[float]] | np.ndarray) -> Parcellation:
    hemisphere = tuple("L" if "L" in label or "lh" in label else "R" for label in labels)
    return Parcellation(
        "made", tuple(labels), ("x",) * len(labels), hemisphere, np.array(places), {}
    )


def test_labels_decide_where_there_are_no_coordinates() -> None:
    labels = ["R_V1", "aHIP-lh", "L_V1", "a_L", "aHIP-rh", "a_R", "L_alone"]
    pairs = homotopic_pairs(made(labels, np.full((7, 3), np.nan)))
    assert pairs.tolist() == [[1, 4], [2, 0], [3, 5]]


def test_coordinates_decide_where_labels_do_not() -> None:
    labels = ["LH_1", "LH_2", "RH_7", "RH_8", "RH_9"]
    places = [[-30.0, 0, 0], [-50.0, 40, 0], [52.0, 38, 2], [31.0, 1, 0], [10.0, -90, 0]]
    assert homotopic_pairs(made(labels, places)).tolist() == [[0, 3], [1, 2]]


def test_a_label_is_not_believed_against_coordinates() -> None:
    labels = ["x_LH_1", "x_RH_1", "y_RH_1"]
    places = [[-30.0, 0, 0], [30.0, -80, 0], [30.0, 2, 0]]
    assert homotopic_pairs(made(labels, places)).tolist() == [[0, 2]]


def test_single_hemisphere_has_no_pairs() -> None:
    assert homotopic_pairs(made(["L_a", "L_b"], [[-1.0, 0, 0], [-9.0, 0, 0]])).shape == (0, 2)


@pytest.mark.parametrize(("table", "n_pairs"), [("tcp434_regions", 210), ("glasser360_cabnp", 180)])
def test_real_parcellations_are_mostly_pairs(shared_data: Path, table: str, n_pairs: int) -> None:
    parcellation = read_regions_table(shared_data / "parcellations" / f"{table}.csv")
    pairs = homotopic_pairs(parcellation)
    assert len(pairs) >= n_pairs
    assert len(np.unique(pairs)) == 2 * len(pairs)
    hemisphere = np.array(parcellation.hemisphere)
    assert set(hemisphere[pairs[:, 0]]) == {"L"}
    assert set(hemisphere[pairs[:, 1]]) == {"R"}


@pytest.mark.parametrize(
    ("network", "family"),
    [
        ("VisPeri", "visual"),
        ("VIS2", "visual"),
        ("ContB", "control"),
        ("FPN", "control"),
        ("CON", "salience"),
        ("SalVentAttnA", "salience"),
        ("DAN", "dorsal_attention"),
        ("DMN", "default"),
        ("DefaultC", "default"),
        ("SomMotB", "somatomotor"),
        ("medial_temporal_lobe", "medial_temporal"),
        ("cerebellum_left", "cerebellum"),
        ("TempPar", "language"),
        ("frobnicate", None),
        ("", None),
    ],
)
def test_family_of_a_network(network: str, family: str | None) -> None:
    assert family_of(network) == family


@pytest.mark.parametrize("table", ["tcp434_regions", "glasser360_cabnp"])
def test_every_network_of_the_real_parcellations_is_known(shared_data: Path, table: str) -> None:
    parcellation = read_regions_table(shared_data / "parcellations" / f"{table}.csv")
    assert {name for name in parcellation.network if family_of(name) is None} == set()


def test_an_unknown_network_has_a_place_of_its_own() -> None:
    places = network_positions(["blob", "other", "blob", "DMN"])
    assert np.all(np.abs(places) <= 1)
    assert places[0].tolist() == places[2].tolist() != places[1].tolist()
    assert places[3].tolist() == [1.0, 0.0]
