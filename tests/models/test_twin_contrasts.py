"""Contrasts of twins: the mean over their draws, and one scan of one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtb_models.contrast_maps import run_contrast
from dtb_models.map_statistics import map_r
from dtb_models.simulation import SimulatedCohort
from dtb_models.twin_contrasts import contrast_pair
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle

TINY = Path(__file__).parents[1] / "bundles" / "tiny"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(TINY, device="cpu")


@pytest.fixture(scope="module")
def cohort(bundle: Bundle) -> SimulatedCohort:
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    return SimulatedCohort(parcellation, 3, seed=8, n_rest_runs=1, n_rest_frames=60)


def test_forecast_and_scan_are_in_the_units_of_the_training_data(
    bundle: Bundle, cohort: SimulatedCohort
) -> None:
    scale = replace(bundle.manifest.normalization, bold_sd=tuple(np.linspace(0.5, 2, 12)))
    scaled = replace(bundle, manifest=replace(bundle.manifest, normalization=scale))
    run = cohort.participants[0].runs[0]
    twin = scaled.population_twin(participant_id="sub-01")
    forecast = twin.forecast("hammer", run.events, draws=4)
    pair = contrast_pair(run, forecast, cohort.parcellation, (196.8, 393.6))
    assert pair is not None
    assert run.bold is not None
    own = run_contrast(run.events, forecast.bold * np.linspace(0.5, 2, 12), (196.8, 393.6))
    theirs = run_contrast(run.events, run.bold, (196.8, 393.6))
    assert own is not None
    assert theirs is not None
    np.testing.assert_allclose(pair.forecast.estimate, own.estimate, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pair.measured.t, theirs.t)
    assert pair.amygdala is not None
    # The tiny bundle's right amygdala is one region, the last.
    np.testing.assert_allclose(pair.amygdala, (own.estimate[-1], theirs.estimate[-1]), rtol=1e-4)


def test_a_scan_is_of_somebody_who_may_be_the_person(
    bundle: Bundle, cohort: SimulatedCohort
) -> None:
    run = cohort.participants[0].runs[1]
    samples = []
    for name in ("sub-01", "sub-02", "sub-01"):
        twin = bundle.population_twin(participant_id=name)
        pair = contrast_pair(run, twin.forecast("stroop", run.events), cohort.parcellation, None)
        assert pair is not None
        assert pair.amygdala is None  # conflict does not move it
        samples.append(pair)
    np.testing.assert_array_equal(samples[0].scanned.t, samples[2].scanned.t)
    np.testing.assert_array_equal(samples[0].forecast.t, samples[1].forecast.t)
    assert float(map_r(samples[0].scanned.t, samples[1].scanned.t)) < 0.999


def test_without_bold_or_regions_there_is_no_contrast(
    bundle: Bundle, cohort: SimulatedCohort
) -> None:
    run = cohort.participants[0].runs[0]
    forecast = bundle.population_twin().forecast("hammer", run.events, draws=1)
    assert contrast_pair(run, forecast, None, None) is None
    assert (
        contrast_pair(replace(run, bold_source=None), forecast, cohort.parcellation, None) is None
    )
    short = replace(run, bold_source=np.zeros((20, 12), np.float32))
    assert contrast_pair(short, forecast, cohort.parcellation, None) is None
