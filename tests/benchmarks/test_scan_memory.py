"""The measurement of a scan's memory runs, and is of the scan that it says."""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import scan_memory


def test_the_scan_is_as_large_as_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scan_memory, "VOXELS", (10, 8, 10))
    monkeypatch.setattr(scan_memory, "NOISE_EVERY", 2)
    scan_memory.write_scan(tmp_path / "scan.nii", 5)
    scan = nibabel.load(tmp_path / "scan.nii").get_fdata()
    assert scan.shape == (10, 8, 10, 5)
    np.testing.assert_array_equal(scan.any(axis=(0, 1, 2)), [True, False, True, False, True])
    assert (tmp_path / "scan.nii").stat().st_size == 352 + scan.size * 4


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_it_is_read_in_a_process_whose_memory_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_memory, "VOXELS", (20, 20, 20))
    found = scan_memory.measure(3)
    assert found["series"] == [3, scan_memory.REGIONS]
    assert 0 < found["before_mb"] <= found["peak_mb"]
