"""Response maps: synthetic ones, real ones, and their way to another parcellation."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dtb_models.network_families import family_of
from dtb_models.response_maps import (
    LARGEST_RESPONSE,
    TRIAL_TYPES,
    ResponseMaps,
    maps_from_betas,
    synthetic_maps,
    transfer_maps,
)
from dtb_runtime.errors import CohortError, DataError, UsageError
from dtb_runtime.parcellation import Parcellation, read_regions_table


def write_betas(folder: Path, people: Mapping[str, np.ndarray], header: str = "faces") -> Path:
    for name, betas in people.items():
        path = folder / f"sub-{name}" / f"sub-{name}_task-emotion_atlas-X_betas.tsv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t")
            writer.writerow(["region_index", header, "shapes"])
            writer.writerows([i, *row] for i, row in enumerate(betas.tolist()))
    return folder


def test_synthetic_maps_follow_the_networks(medium_parcellation: Parcellation) -> None:
    maps = synthetic_maps(medium_parcellation)
    assert set(maps.responses) == set(TRIAL_TYPES)
    family = np.array([family_of(name) for name in medium_parcellation.network])
    conflict = maps.contrast("incongruent", "congruent")
    assert conflict[family == "control"].mean() > 0.15
    assert conflict[family == "default"].mean() < -0.1
    for trial_type in TRIAL_TYPES:
        values = maps.responses[trial_type]
        assert values[family == "visual"].mean() > 0.7
        assert values[family == "somatomotor"].mean() > 0.2
        assert values[family == "default"].mean() < 0


def test_amygdala_answers_faces_more_than_shapes(medium_parcellation: Parcellation) -> None:
    maps = synthetic_maps(medium_parcellation)
    for side in ("left", "right"):
        where = medium_parcellation.indices(medium_parcellation.structures[f"{side}_amygdala"])
        assert np.all(maps.contrast("face", "shape")[where] == pytest.approx(0.4))


def test_synthetic_maps_are_the_same_every_time(small_parcellation: Parcellation) -> None:
    one, two = synthetic_maps(small_parcellation), synthetic_maps(small_parcellation)
    for trial_type in TRIAL_TYPES:
        np.testing.assert_array_equal(one.responses[trial_type], two.responses[trial_type])
    assert not one.responses["face"].flags.writeable


def test_real_maps_are_the_mean_of_people_in_response_units(
    tmp_path: Path, small_parcellation: Parcellation, rng: np.random.Generator
) -> None:
    people = {name: 5 * rng.standard_normal((26, 2)) + (4, 1) for name in ("01", "02", "03")}
    maps = maps_from_betas(write_betas(tmp_path, people), small_parcellation)
    mean = np.mean(list(people.values()), axis=0)
    scale = LARGEST_RESPONSE / np.percentile(np.abs(mean), 95)
    np.testing.assert_allclose(maps.responses["face"], scale * mean[:, 0])
    np.testing.assert_allclose(maps.responses["shape"], scale * mean[:, 1])
    stroop = synthetic_maps(small_parcellation).responses["incongruent"]
    np.testing.assert_array_equal(maps.responses["incongruent"], stroop)
    assert "3 real people" in maps.source


def test_people_to_be_judged_can_be_left_out(
    tmp_path: Path, small_parcellation: Parcellation, rng: np.random.Generator
) -> None:
    people = {name: 5 * rng.standard_normal((26, 2)) + (4, 1) for name in ("01", "02", "03")}
    folder = write_betas(tmp_path / "all", people)
    some = write_betas(tmp_path / "some", {name: people[name] for name in ("01", "03")})
    found = maps_from_betas(folder, small_parcellation, without=["sub-02"])
    expected = maps_from_betas(some, small_parcellation)
    np.testing.assert_array_equal(found.responses["face"], expected.responses["face"])
    assert found.source == expected.source
    with pytest.raises(UsageError, match=r"are of 3 people, sub-01, .* left out, found sub-04"):
        maps_from_betas(folder, small_parcellation, without=["sub-04"])
    with pytest.raises(UsageError, match=r"some of them may be left out, found sub-01, sub-02"):
        maps_from_betas(folder, small_parcellation, without=["sub-01", "sub-02", "sub-03"])


def test_activations_that_cannot_be_used_are_said_to_be(
    tmp_path: Path, small_parcellation: Parcellation
) -> None:
    with pytest.raises(CohortError, match=r"_betas\.tsv in .*, found none"):
        maps_from_betas(tmp_path, small_parcellation)
    few = write_betas(tmp_path / "few", {"01": np.ones((5, 2))})
    with pytest.raises(CohortError, match=r"26 finite rows, one per region, found 5"):
        maps_from_betas(few, small_parcellation)
    odd = write_betas(tmp_path / "odd", {"01": np.ones((26, 2))}, header="houses")
    with pytest.raises(CohortError, match=r"no column 'faces'; found region_index, houses"):
        maps_from_betas(odd, small_parcellation)
    text = write_betas(tmp_path / "text", {"01": np.array([["a", "1"]] * 26)})
    with pytest.raises(CohortError, match=r"must hold numbers: could not convert"):
        maps_from_betas(text, small_parcellation)
    empty = write_betas(tmp_path / "nan", {"01": np.full((26, 2), np.nan)})
    with pytest.raises(CohortError, match=r"26 finite rows"):
        maps_from_betas(empty, small_parcellation)


def test_transfer_takes_the_nearest_region_and_its_mirror(
    small_parcellation: Parcellation, rng: np.random.Generator
) -> None:
    values = rng.standard_normal(26)
    maps = ResponseMaps(small_parcellation.labels, dict.fromkeys(TRIAL_TYPES, values), "Made.")
    moved = transfer_maps(maps, small_parcellation, small_parcellation)
    face = moved.responses["face"]
    # Onto itself every pair of mirrored regions ends up with the mean of both.
    expected = values[:24].reshape(12, 2).mean(1)
    np.testing.assert_allclose(face[:24].reshape(12, 2), np.stack([expected] * 2, 1))
    stated = synthetic_maps(small_parcellation)
    np.testing.assert_array_equal(face[24:], stated.responses["face"][24:])
    np.testing.assert_array_equal(moved.responses["congruent"], stated.responses["congruent"])
    assert moved.source.startswith("Made. They were carried over from parcellation 'small26'")


def test_transfer_refuses_maps_of_other_regions(
    small_parcellation: Parcellation, medium_parcellation: Parcellation
) -> None:
    maps = synthetic_maps(small_parcellation)
    with pytest.raises(CohortError, match=r"26 regions that are not those of .*'medium122'"):
        transfer_maps(maps, medium_parcellation, small_parcellation)
    bare = Parcellation("bare", ("a",), ("",), ("",), np.full((1, 3), np.nan), {})
    flat = ResponseMaps(("a",), {"face": np.ones(1)}, "")
    with pytest.raises(CohortError, match=r"parcellation 'bare' has none"):
        transfer_maps(flat, bare, small_parcellation)


@pytest.mark.parametrize("values", [np.ones(3), np.full(2, np.inf)])
def test_a_map_must_fit_its_regions(values: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"response map of 'face' must hold 2 finite numbers"):
        ResponseMaps(("a", "b"), {"face": values}, "")


def test_real_activations_give_plausible_maps(shared_data: Path) -> None:
    tables = shared_data / "parcellations"
    glasser = read_regions_table(tables / "glasser360_cabnp.csv")
    tcp = read_regions_table(tables / "tcp434_regions.csv")
    maps = maps_from_betas(shared_data / "hcp_rest", glasser)
    moved = transfer_maps(maps, glasser, tcp)
    assert "10 real people" in moved.source
    visual = np.array([family_of(name) == "visual" for name in tcp.network])
    default = np.array([family_of(name) == "default" for name in tcp.network])
    face = moved.responses["face"]
    assert face[visual].mean() > 0.5 > 0.2 > face[default].mean()
    where = tcp.indices(tcp.structures["right_amygdala"])
    assert np.all(moved.contrast("face", "shape")[where] > 0)
    assert np.abs(face).max() < 4
