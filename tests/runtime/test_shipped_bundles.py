"""The bundles that ship: whole, small, honest about their people, and sane on real connectomes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dtb_runtime import Bundle, available_bundles, load_bundle, read_connectome
from dtb_runtime.bundle_loading import DEFAULT_BUNDLE

NAMES = ("glasser360", "tcp434")
LIMIT_BYTES = 20 * 10**6
TABLES = {"tcp434": "tcp434_regions.csv", "glasser360": "glasser360_cabnp.csv"}
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    name: str = request.param
    return load_bundle(name, device="cpu")


def test_two_bundles_ship_and_fit_into_twenty_megabytes() -> None:
    shipped = available_bundles()
    assert tuple(info.name for info in shipped) == NAMES
    assert DEFAULT_BUNDLE == "tcp434"
    assert sum(info.size for info in shipped) <= LIMIT_BYTES


def test_every_output_says_that_connectomes_were_simulated(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.preset == "compact"
    assert manifest.training.kind == "semi-synthetic"
    assert manifest.training.warning is not None
    assert bundle.warnings == (manifest.training.warning,)
    assert "behavior of 180 real people" in manifest.training.warning
    twin = bundle.personalize(example_of(bundle))
    assert manifest.training.warning in twin.forecast("stroop").warnings


def test_the_model_card_begins_with_what_was_real_and_what_was_simulated(bundle: Bundle) -> None:
    first = "\n".join(bundle.model_card.splitlines()[:12])
    assert "**Real:** the behavior" in first
    assert "**Simulated:** their connectomes and their BOLD" in first
    assert "not a medical device" in bundle.model_card
    assert "Human Connectome Project" in bundle.model_card
    assert "ds005237" in bundle.model_card


def test_regions_are_those_of_the_published_tables(bundle: Bundle, shared_data: Path) -> None:
    table = shared_data / "parcellations" / TABLES[bundle.name]
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    assert list(parcellation.labels) == [row["label"] for row in rows]
    assert list(parcellation.network) == [row["network"] for row in rows]
    assert bundle.manifest.bold_regions == parcellation.labels


def example_of(bundle: Bundle) -> np.ndarray:
    path = EXAMPLES / f"sub-example_atlas-{bundle.name}_connectome.npy"
    return np.asarray(np.load(path, allow_pickle=False), np.float32)


def test_the_example_connectome_is_labeled_as_simulated(bundle: Bundle) -> None:
    path = EXAMPLES / f"sub-example_atlas-{bundle.name}_connectome.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    assert about["Simulated"] is True
    assert about["Description"].startswith("Simulated connectome")
    assert about["Bundle"] == bundle.name


def test_the_example_person_is_nothing_unusual_and_behaves_like_people(bundle: Bundle) -> None:
    twin = bundle.personalize(example_of(bundle), participant_id="example")
    strangeness = twin.strangeness
    assert strangeness is not None
    assert strangeness.distance_percentile is not None
    assert strangeness.distance_percentile < 99
    hammer, stroop = twin.forecast("hammer"), twin.forecast("stroop")
    # The ranges are two SDs of real people around their means.
    assert 0.54 < hammer.indicators["reaction_time:hammer:face"] < 1.21
    assert 0.48 < stroop.indicators["reaction_time:stroop:congruent"] < 1.13
    assert 0.0 < stroop.indicators["stroop_effect"] < 0.38
    assert hammer.indicators["accuracy:hammer"] > 0.8
    assert stroop.indicators["accuracy:stroop"] > 0.7
    assert np.isfinite(hammer.bold).all()
    assert hammer.bold.shape == (493, len(bundle.manifest.bold_regions))


def test_the_amygdala_answers_faces_where_there_is_one() -> None:
    bundle = load_bundle("tcp434", device="cpu")
    forecast = bundle.personalize(example_of(bundle)).forecast("hammer")
    assert forecast.indicators["amygdala_response"] > 0
    assert "amygdala_response" not in (
        load_bundle("glasser360", device="cpu")
        .personalize(example_of(load_bundle("glasser360", device="cpu")))
        .forecast("hammer")
        .indicators
    )


def test_ten_real_connectomes_give_ten_different_plausible_twins(shared_data: Path) -> None:
    bundle = load_bundle("glasser360", device="cpu")
    latents, contrasts = [], []
    for path in sorted((shared_data / "hcp_rest").glob("sub-*/*_timeseries.npy")):
        twin = bundle.personalize(read_connectome(path, timeseries=True))
        forecast = twin.forecast("hammer")
        assert 0.3 < forecast.indicators["reaction_time"] < 1.8
        assert twin.latent is not None
        latents.append(twin.latent)
        contrasts.append(forecast.contrasts["face_shape"].estimate)
    assert len(latents) == 10
    distance = np.linalg.norm(np.array(latents)[:, None] - np.array(latents)[None], axis=-1)
    assert (distance[~np.eye(10, dtype=bool)] > 1e-3).all()
    assert np.std(contrasts, axis=0).max() > 1e-4
