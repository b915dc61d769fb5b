"""Averages over regions from parts of a scan: the same in any parts and any order."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_runtime.errors import ConnectomeError
from dtb_runtime.region_averages import RegionAverages

LABELS = ("a", "b", "c")


@pytest.mark.parametrize(("n_times", "n_elements"), [(40, 90), (1, 90), (40, 1), (7, 11)])
def test_parts_of_any_size_in_any_order_add_up(
    n_times: int, n_elements: int, rng: np.random.Generator
) -> None:
    regions = rng.integers(-1, 3, 90)
    scan = rng.standard_normal((40, 90))
    parts = [
        (slice(t, min(t + n_times, 40)), slice(e, min(e + n_elements, 90)))
        for t in range(0, 40, n_times)
        for e in range(0, 90, n_elements)
    ]
    averages = RegionAverages("scan", LABELS, regions, 40)
    for i in rng.permutation(len(parts)):
        averages.add(*parts[i], scan[parts[i]])
    series, notes = averages.result()
    expected = np.array([scan[:, regions == region].mean(axis=1) for region in range(3)]).T
    np.testing.assert_allclose(series, expected, rtol=1e-11)
    assert notes == ()


def test_coverage_is_of_the_atlas_where_it_is_larger_than_the_scan(
    rng: np.random.Generator,
) -> None:
    regions = np.array([0, 0, 0, 1, 1, 1])
    averages = RegionAverages("scan", LABELS, regions, 9, np.array([3, 7, 4]))
    averages.add(slice(None), slice(None), rng.standard_normal((9, 6)))
    series, notes = averages.result()
    assert np.isnan(series).all(axis=0).tolist() == [False, False, True]
    assert notes == ("1 of 3 regions have data in less than 50% of their area in scan: b.",)


def test_the_constant_of_a_voxel_is_data() -> None:
    averages = RegionAverages("scan", ("a",), np.array([0, 0]), 3)
    averages.add(slice(None), slice(None), np.array([[1.0, 3], [1, 4], [1, 5]]))
    np.testing.assert_array_equal(averages.result()[0][:, 0], [2, 2.5, 3])


def test_averages_that_need_too_much_memory_are_refused() -> None:
    with pytest.raises(ConnectomeError, match=r"scan, averaged over regions, claims 24\.0 GB"):
        RegionAverages("scan", LABELS, np.array([0, 1, 2]), 10**9)
