"""How much the head moved: from the sidecar of giga_connectome's series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.motion_sidecar import mean_fd_in, sidecar_of
from dtb_runtime.scored_person import stamp_of

STEM = "sub-01_ses-1_task-rest"
MATRIX = f"{STEM}_seg-A_meas-PearsonCorrelation_desc-denoiseSimple_relmat.tsv"
SERIES = f"{STEM}_seg-A_desc-denoiseSimple_timeseries.tsv"
OF_RUN = f"{STEM}_desc-denoiseSimple_timeseries.json"
OF_TABLE = f"{STEM}_seg-A_desc-denoiseSimple_timeseries.json"


def put(folder: Path, name: str, fd: object = 0.0787) -> Path:
    path = folder / name
    path.write_text(json.dumps({"SamplingFrequency": 0.5, "MeanFramewiseDisplacement": fd}))
    return path


@pytest.mark.parametrize("name", [MATRIX, SERIES])
@pytest.mark.parametrize("sidecar", [OF_RUN, OF_TABLE])
def test_the_sidecar_of_the_run_is_found(tmp_path: Path, name: str, sidecar: str) -> None:
    assert sidecar_of(tmp_path / name) is None
    path = put(tmp_path, sidecar)
    assert sidecar_of(tmp_path / name) == path
    assert mean_fd_in(path) == (0.0787, ())


@pytest.mark.parametrize(
    "name",
    [
        MATRIX.replace("Simple", "Scrubbing"),
        MATRIX.replace("sub-01", "sub-02"),
        MATRIX.replace(".tsv", ".csv"),
        "connectome.tsv",
    ],
)
def test_no_other_file_has_it(tmp_path: Path, name: str) -> None:
    put(tmp_path, OF_RUN)
    assert sidecar_of(tmp_path / name) is None


def test_what_is_read_says_it_and_changes_with_it(
    tmp_path: Path, correlations: NDArray[np.float64]
) -> None:
    np.savetxt(tmp_path / MATRIX, correlations, delimiter="\t")
    entry = CohortEntry("sub-01", None, tmp_path / MATRIX)
    stamps = {stamp_of(entry)}
    assert read_connectome(tmp_path / MATRIX).mean_fd_mm is None
    put(tmp_path, OF_RUN, 0.25)
    stamps.add(stamp_of(entry))
    assert read_connectome(tmp_path / MATRIX).mean_fd_mm == 0.25
    put(tmp_path, OF_RUN, 0.5123)
    stamps.add(stamp_of(entry))
    assert len(stamps) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"MeanFramewiseDisplacement": "0.1"}', "expected a number"),
        ('{"MeanFramewiseDisplacement": -0.5}', "says that MeanFramewiseDisplacement is -0.5"),
        ('{"MeanFramewiseDisplacement": NaN}', "NaN is not a JSON number"),
        ("{", "JSON"),
    ],
)
def test_a_damaged_sidecar_leaves_it_open_and_says_why(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / OF_RUN).write_text(content)
    mean_fd_mm, notes = mean_fd_in(tmp_path / OF_RUN)
    assert mean_fd_mm is None
    (note,) = notes
    assert note.startswith("How much the head moved is not known: ")
    assert said in note


def test_a_sidecar_that_does_not_tell_says_nothing(tmp_path: Path) -> None:
    (tmp_path / OF_RUN).write_text('{"SamplingFrequency": 0.5}')
    assert mean_fd_in(tmp_path / OF_RUN) == (None, ())
