"""Files of nibabel, scipy, h5py and pandas that are refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.reading import Reading

from .refused_case import Case
from .refused_connectomes import SQUARE, connectome_of

_NAMES = np.array(["a", "b"], dtype=object)
_GRID, _AFFINE = (2, 2, 2), np.diag([3.0, 3.0, 3.0, 1.0])


def _nifti(name: str, shape: tuple[int, ...], change: bytes | None = None, **options: Any) -> Any:
    def refuse() -> object:
        import nibabel

        data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        content = bytearray(nibabel.Nifti1Image(data, _AFFINE).to_bytes())
        if change is not None:
            content[42:50] = change
        Path(name).write_bytes(content)
        return read_connectome(name, Reading(**options))

    return refuse


def _label_image(values: NDArray[Any]) -> Callable[[], object]:
    def refuse() -> object:
        import nibabel

        nibabel.save(nibabel.Nifti1Image(values, _AFFINE), "atlas.nii")
        return _nifti("scan.nii", (*_GRID, 12), atlas="atlas.nii")()

    return refuse


def _counted_from_0() -> object:
    import nibabel

    regions = np.arange(1, 9, dtype=np.int16).reshape(_GRID)
    nibabel.save(nibabel.Nifti1Image(regions, _AFFINE), "atlas.nii")
    rows = [f"{i}\tregion{i}" for i in range(8)]
    Path("atlas.tsv").write_text("\n".join(["index\tname", *rows]), encoding="utf-8")
    return _nifti("scan.nii", (*_GRID, 12), atlas="atlas.nii", atlas_labels="atlas.tsv")()


def _mat(variable: str | None = None, **variables: Any) -> Callable[[], object]:
    def refuse() -> object:
        from scipy.io import savemat

        savemat("c.mat", variables)
        return read_connectome("c.mat", Reading(variable=variable))

    return refuse


def _h5(write: Callable[[Any], object], variable: str | None = None) -> Callable[[], object]:
    def refuse() -> object:
        import h5py

        with h5py.File("c.h5", "w") as file:
            write(file)
        return read_connectome("c.h5", Reading(variable=variable))

    return refuse


def _external(file: Any) -> None:
    import h5py

    file["connectome"] = h5py.ExternalLink("/etc/passwd", "x")


def _parquet(**columns: Any) -> Callable[[], object]:
    def refuse() -> object:
        import pandas

        pandas.DataFrame(columns).to_parquet("c.parquet")
        return read_connectome("c.parquet")

    return refuse


LIBRARIES = (
    Case("NIfTI by its ending alone", connectome_of("scan.nii", b"hello, world")),
    Case("gzip by its ending alone", connectome_of("scan.nii.gz", b"hello, world")),
    Case("a scan without an atlas", _nifti("scan.nii", (*_GRID, 12))),
    Case("an image that is no scan", _nifti("scan.nii", _GRID)),
    Case(
        "a scan that claims more than it has",
        _nifti("scan.nii", (*_GRID, 12), struct.pack("<4h", 200, 2, 2, 12)),
    ),
    Case("a label image without labels", _label_image(np.zeros(_GRID, np.int16))),
    Case("a label image of fractions", _label_image(np.full(_GRID, 0.5, np.float32))),
    Case("a label image on another grid", _label_image(np.ones((3, 2, 2), np.int16))),
    Case("a table of labels that counts from 0", _counted_from_0),
    Case("MATLAB by its ending alone", connectome_of("c.mat", b"hello, world" * 20)),
    Case("a MATLAB file of several matrices", _mat(a=SQUARE, b=SQUARE)),
    Case("a cell array in place of a matrix", _mat(connectome=np.array(["x", 1], dtype=object))),
    Case("a struct in place of a matrix", _mat("sub", sub={"fc": SQUARE})),
    Case("a field that is not in a struct", _mat("sub.x", sub={"fc": SQUARE})),
    Case("CONN's file of a group", _mat(Z=np.zeros((2, 2, 9)), names=_NAMES, names2=_NAMES)),
    Case("HDF5 by its ending alone", connectome_of("c.h5", b"hello, world" * 20), r"\(.*\)"),
    Case(
        "an HDF5 data set that is not there",
        _h5(lambda file: file.create_dataset("rest/fc", data=SQUARE), "fc"),
    ),
    Case("a link out of an HDF5 file", _h5(_external)),
    Case(
        "an HDF5 data set of other things",
        _h5(lambda file: file.create_dataset("connectome", data=["a", "b"])),
    ),
    Case(
        "Parquet by its ending alone", connectome_of("c.parquet", b"hello, world" * 20), r"\(.*\)"
    ),
    Case("a Parquet table of text", _parquet(a=["x", "y"], b=["z", "w"])),
)
