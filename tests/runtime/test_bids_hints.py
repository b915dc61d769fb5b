"""What BIDS names say of the numbers in a file."""

from __future__ import annotations

import pytest

from dtb_runtime.bids_hints import entities_of, hints_of
from dtb_runtime.errors import ConnectomeError

GIGA = "sub-1_task-rest_seg-MIST7_meas-PearsonCorrelation_desc-denoiseSimple_relmat"
XCP_D = "sub-1_ses-V01_task-rest_space-fsLR_seg-Glasser_stat-pearsoncorrelation_relmat"


@pytest.mark.parametrize(
    ("stem", "kind", "scale", "why"),
    [
        (GIGA, "connectome", "r", "its name has meas-PearsonCorrelation"),
        (XCP_D, "connectome", "r", "its name has stat-pearsoncorrelation"),
        ("sub-1_meas-FisherZ_relmat", "connectome", "z", "its name has meas-FisherZ"),
        ("sub-1_seg-Glasser_relmat", "connectome", None, ""),
        ("sub-1_atlas-Glasser_connectome", "connectome", None, ""),
        ("sub-1_seg-Glasser_stat-mean_timeseries", "timeseries", None, ""),
        ("sub-1_bold", None, None, ""),
        ("sub-1_stat-fisherz_cormat", None, "z", "its name has stat-fisherz"),
        ("sub-1_stat-reho_cormat", None, None, ""),
        ("relmat", None, None, ""),
        ("my_timeseries", None, None, ""),  # no BIDS name: nobody is
    ],
)
def test_names_say_what_a_file_holds(
    stem: str, kind: str | None, scale: str | None, why: str
) -> None:
    assert hints_of(stem, "file") == (kind, scale, why)


@pytest.mark.parametrize("measure", ["meas-PartialCorrelation", "stat-covariance", "meas-Tangent"])
def test_another_measure_is_refused(measure: str) -> None:
    message = rf"holds {measure} by its name, expected full Pearson .* or its time series"
    with pytest.raises(ConnectomeError, match=message):
        hints_of(f"sub-1_{measure}_relmat", "sub-1.tsv")


def test_a_name_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ConnectomeError, match="meas-PearsonCorrelation and stat-fisherz by its"):
        hints_of("sub-1_meas-PearsonCorrelation_stat-fisherz_relmat", "file")


def test_entities_are_taken_apart() -> None:
    assert entities_of("sub-1_seg-A_relmat") == ({"sub": "1", "seg": "A"}, "relmat")
    assert entities_of("sub-1_seg-A") == ({"sub": "1", "seg": "A"}, "")
