"""Twins are kept by what they were made from, and the oldest leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.twin_cache import TwinCache, connectome_key


def test_whoever_was_asked_for_longest_ago_leaves(
    tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    twin = tiny.personalize(correlations)
    cache = TwinCache(2)
    cache.put("a", twin)
    cache.put("b", twin)
    assert cache.get("a") is twin
    cache.put("c", twin)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (twin, None, twin)
    cache.put("c", twin)
    assert len(cache) == 2
    assert cache.get("a") is twin


def test_a_key_is_that_of_everything_that_decides_on_the_twin() -> None:
    values = np.arange(9.0).reshape(3, 3)
    flags = {"fisher_z": False, "impute": False}
    same = connectome_key("bundle", values, None, **flags)
    assert connectome_key("bundle", np.asfortranarray(values), None, **flags) == same
    others = [
        connectome_key("other", values, None, **flags),
        connectome_key("bundle", values.T, None, **flags),
        connectome_key("bundle", values.astype(np.float32), None, **flags),
        connectome_key("bundle", values.reshape(1, 9), None, **flags),
        connectome_key("bundle", values, ["a", "b", "c"], **flags),
        connectome_key("bundle", values, ["a, b", "", "c"], **flags),
        connectome_key("bundle", values, ["\ud800", "b", "c"], **flags),
        connectome_key("bundle", values, None, fisher_z=True, impute=False),
        connectome_key("bundle", values, None, fisher_z=False, impute=True),
    ]
    assert len({same, *others}) == 10
