"""The benchmark of harmonization runs, and its simulated sites are what it says."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import harmonization
import numpy as np
import pytest

from dtb_runtime.bundle_loading import load_bundle

TINY = Path(__file__).parents[1] / "bundles" / "tiny"


def test_people_are_at_sites_as_planted() -> None:
    bundle = load_bundle(TINY, device="cpu")
    own = harmonization.own_edges(bundle, 240)
    people = harmonization.at_sites(bundle, own, 0.0, seed=1)
    np.testing.assert_array_equal(people.site[:4], [0, 1, 2, 0])
    np.testing.assert_allclose(people.without, own + people.age_effect)
    moved = (people.measured - people.without) / own.std(axis=0)
    means = [moved[people.site == site].mean() for site in range(3)]
    assert means == pytest.approx(harmonization.MEAN_SHIFT, abs=0.35)  # 66 edges, four networks
    young, old, _ = (people.age[people.site == site] for site in range(3))
    assert (young.max() <= 50.0, old.min() >= 40.0) == (True, True)
    apart = harmonization.at_sites(bundle, own, 2.0, seed=1)
    assert np.abs(apart.measured - people.measured).mean() > 0.01


def test_the_benchmark_prints_its_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("neuroHarmonize") is None:
        pytest.skip("neuroHarmonize, of the extra imaging, is not installed")
    words = ["harmonization.py", "--bundle", str(TINY), "--reference", "8", "--people", "6"]
    monkeypatch.setattr(sys, "argv", words)
    harmonization.main()
    printed = capsys.readouterr().out
    assert printed.count("| harmonized, 8 a site |") == 4
    assert "18 new people of 3 sites, chance 33%" in printed
    assert re.search(r"^To harmonize a person takes [\d.]+ ms of one processor", printed, re.M)
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    harmonization.main()
    result = json.loads(capsys.readouterr().out)
    costs = result.pop("costs")
    # Of 66 edges in float64: what is given, and some copies of it.
    assert 66 * 8 < costs["mb_a_reference_person"] * 1e6 < 100_000
    assert costs["ms_a_person"] > 0
    assert result.keys() == {"0", "1"}
    for found in result.values():
        assert found["measured"]["sites"]["found_with_reference"] > 0.4
        assert found["harmonized"]["8"]["forecasts"]["reaction_time"]["r"] > 0.5
