"""On a GPU: the numbers of the CPU. Without one that ONNX Runtime can use, nothing here runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import MissingDependencyError
from dtb_runtime.inference import CUDA, PEOPLE_PER_CALL_CUDA

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.fixture(scope="module", params=["tiny", "tiny_plain"])
def on_gpu(request: pytest.FixtureRequest) -> Bundle:
    try:
        return load_bundle(BUNDLES / request.param, device="cuda")
    except MissingDependencyError as error:
        pytest.skip(f"no GPU to run on: {error}")


@pytest.fixture
def on_cpu(on_gpu: Bundle) -> Bundle:
    return load_bundle(BUNDLES / on_gpu.name, device="cpu")


def test_auto_takes_the_gpu_and_says_so(on_gpu: Bundle) -> None:
    assert on_gpu.provider == CUDA
    assert load_bundle(BUNDLES / on_gpu.name).provider == CUDA
    assert on_gpu.people_per_call == PEOPLE_PER_CALL_CUDA


def test_forecasts_are_those_of_the_cpu(
    on_gpu: Bundle, on_cpu: Bundle, correlations: NDArray[np.float64]
) -> None:
    pairs = zip(
        on_gpu.personalize(correlations).forecast_tasks(),
        on_cpu.personalize(correlations).forecast_tasks(),
        strict=True,
    )
    for found, expected in pairs:
        np.testing.assert_allclose(found.bold, expected.bold, atol=1e-3)
        for name in ("p_correct", "response_time"):
            np.testing.assert_allclose(found.trials[name], expected.trials[name], atol=1e-3)


def test_a_batch_of_people_is_everybody_alone_on_the_cpu(
    on_gpu: Bundle, on_cpu: Bundle, people: Callable[[int], NDArray[np.float64]], tmp_path: Path
) -> None:
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"sub-{number:02d}.npy")
        np.save(paths[-1], people(number))
    rows = zip(on_gpu.score(paths), on_cpu.score(paths), strict=True)
    for found, expected in rows:
        assert found.status == expected.status == "ok"
        for name, value in expected.values.items():
            if not name.endswith("percentile"):  # which jumps from one person to the next
                assert found.values[name] == pytest.approx(value, rel=1e-3, abs=1e-3)
