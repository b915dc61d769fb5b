"""What an array's name says of its numbers, in every format whose arrays have names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import ConnectomeError

Matrix = NDArray[np.float64]


def _npz(path: Path, name: str, values: Matrix) -> None:
    np.savez(path, **{name: values})


def _mat(path: Path, name: str, values: Matrix) -> None:
    pytest.importorskip("scipy.io").savemat(path, {name: values})


def _h5(path: Path, name: str, values: Matrix) -> None:
    with pytest.importorskip("h5py").File(path, "w") as file:
        file[f"sub/{name}"] = values


formats = pytest.mark.parametrize(
    ("ending", "save"), [(".npz", _npz), (".mat", _mat), (".h5", _h5)], ids=["npz", "mat", "h5"]
)


@formats
@pytest.mark.parametrize("name", ["fisher_z", "FisherZ", "fc_z", "z_fc"])
def test_an_array_called_fisher_z_is_taken_for_it(
    tmp_path: Path, ending: str, save: Callable[..., None], name: str, correlations: Matrix
) -> None:
    values = np.arctanh(np.where(np.eye(len(correlations)) == 1.0, 0.0, correlations))
    save(tmp_path / f"a{ending}", name, values)
    found = read_connectome(tmp_path / f"a{ending}")
    assert found.taken_for == f"Fisher z (its name is {name})"
    np.testing.assert_allclose(found.correlations, correlations, atol=1e-6)


@formats
@pytest.mark.parametrize("name", ["z", "Z", "zMatrix"])
def test_an_array_called_z_may_hold_z_statistics(
    tmp_path: Path, ending: str, save: Callable[..., None], name: str, correlations: Matrix
) -> None:
    """Only a diagonal without numbers tells: Fisher z of 1 is infinite, a statistic is not."""
    path = tmp_path / f"a{ending}"
    values = np.arctanh(np.where(np.eye(len(correlations)) == 1.0, 0.0, correlations))
    save(path, name, values)
    with pytest.raises(ConnectomeError, match=rf"{name}, which Fisher z and z statistics are"):
        read_connectome(path)
    asked = read_connectome(path, fisher_z=True)
    np.testing.assert_allclose(asked.correlations, correlations, atol=1e-6)
    for empty in (np.nan, np.inf):
        np.fill_diagonal(values, empty)
        save(path, name, values)
        found = read_connectome(path)
        assert found.taken_for == f"Fisher z (its name is {name})"
        np.testing.assert_allclose(found.correlations, correlations, atol=1e-6)


@formats
@pytest.mark.parametrize(("name", "diagonal"), [("z", 1.0), ("zscore", 0.0), ("r", 0.0)])
def test_no_other_name_says_so_and_no_name_against_a_diagonal_of_one(
    tmp_path: Path,
    ending: str,
    save: Callable[..., None],
    name: str,
    diagonal: float,
    correlations: Matrix,
) -> None:
    values = correlations.copy()
    np.fill_diagonal(values, diagonal)
    save(tmp_path / f"a{ending}", name, values)
    found = read_connectome(tmp_path / f"a{ending}")
    why = "its diagonal is 1" if diagonal else "nothing says otherwise"
    assert found.taken_for == f"correlations r ({why})"
    np.testing.assert_allclose(found.correlations, correlations, atol=1e-6)
