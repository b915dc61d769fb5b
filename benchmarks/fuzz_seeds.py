"""Good files to begin with, written by the libraries that people write them with."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("L_V1_ROI", "R_V1_ROI", "M1 left", "Größe", "lAMY-rh", "net/work")
N_REGIONS, N_FRAMES = len(NAMES), 12
_RNG = np.random.default_rng(20261130)
SERIES: NDArray[np.float64] = _RNG.normal(size=(N_FRAMES, 3)) @ _RNG.normal(
    size=(3, N_REGIONS)
) + _RNG.normal(size=(N_FRAMES, N_REGIONS))
MATRIX: NDArray[np.float64] = np.corrcoef(SERIES.T)
GRID = (3, 4, 2)
LABELS: NDArray[np.int16] = (np.arange(24) % (N_REGIONS + 1)).reshape(GRID).astype(np.int16)
AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])


def npy() -> Iterator[bytes]:
    """NumPy arrays."""
    for array in (MATRIX, MATRIX.astype(">f4"), np.asfortranarray(MATRIX)):
        yield _buffered(lambda file, array=array: np.save(file, array))


def npy_series() -> Iterator[bytes]:
    """A NumPy array of time by regions."""
    yield _buffered(lambda file: np.save(file, SERIES))


def csv_series() -> Iterator[bytes]:
    """A table of time by regions, with names in a comment."""
    header = ",".join("abcdef")
    yield _buffered(lambda file: np.savetxt(file, SERIES, delimiter=",", header=header))


def npz() -> Iterator[bytes]:
    """Archives of NumPy arrays, packed and not, with names of regions and without."""
    labels = np.array(NAMES)
    yield _buffered(lambda file: np.savez(file, connectome=MATRIX, labels=labels))
    yield _buffered(lambda file: np.savez_compressed(file, timeseries=SERIES, labels=labels))
    yield _buffered(lambda file: np.savez(file, MATRIX))


def text(delimiter: str) -> Callable[[], Iterator[bytes]]:
    """Tables of pandas and of numpy."""

    def seeds() -> Iterator[bytes]:
        import pandas

        names = [name.replace(" ", "_") for name in NAMES]
        frame = pandas.DataFrame(MATRIX, names, names)
        yield frame.to_csv(sep=delimiter, index=delimiter != " ").encode()
        if delimiter != " ":
            yield frame.to_csv(sep=delimiter, index=False, quoting=1).encode()
        yield _buffered(lambda file: np.savetxt(file, MATRIX, delimiter=delimiter))

    return seeds


def parquet() -> Iterator[bytes]:
    """Tables of pandas and pyarrow."""
    import pandas

    frame = pandas.DataFrame(MATRIX, NAMES, NAMES)
    for compression in ("snappy", None, "zstd"):
        yield _buffered(lambda file, how=compression: frame.to_parquet(file, compression=how))


def mat() -> Iterator[bytes]:
    """MATLAB files of scipy, packed and not; a CONN file; one of version 7.3, imitated."""
    from scipy.io import savemat

    names = np.array([*NAMES, None], dtype=object)[:-1].reshape(1, -1)
    z = np.arctanh(np.where(np.eye(N_REGIONS, dtype=np.bool_), np.nan, MATRIX))
    conn = {"Z": z, "names": names, "names2": names, "DOF": 150.0}
    for content, packed in (
        ({"connectome": MATRIX, "labels": names}, False),
        ({"fc": MATRIX}, True),
        (conn, False),
        (conn, True),
    ):
        yield _buffered(
            lambda file, c=content, packed=packed: savemat(file, c, do_compression=packed)
        )


def mat_struct() -> Iterator[bytes]:
    """MATLAB files of scipy whose matrix is the field ``sub.fc``."""
    from scipy.io import savemat

    names = np.array([*NAMES, None], dtype=object)[:-1].reshape(1, -1)
    content = {"sub": {"fc": MATRIX, "labels": names, "note": "as computed"}}
    for packed in (False, True):
        yield _buffered(lambda file, packed=packed: savemat(file, content, do_compression=packed))


def hdf5() -> Iterator[bytes]:
    """HDF5 files of h5py: contiguous and in packed chunks, with names of regions."""
    import h5py

    for how in ({}, {"chunks": (3, 3), "compression": "gzip", "shuffle": True}):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.create_dataset("group/connectome", data=MATRIX, **how)
            file["group/labels"] = list(NAMES)
        yield buffer.getvalue()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512, libver="latest") as file:
        file["timeseries"] = SERIES
        file["timeseries"].attrs["MATLAB_class"] = np.bytes_("double")
    yield buffer.getvalue()


def nifti(packed: bool) -> Callable[[], Iterator[bytes]]:
    """Scans of nibabel, of both versions."""

    def seeds() -> Iterator[bytes]:
        import gzip

        import nibabel

        data = 100.0 + _RNG.normal(size=(*GRID, N_FRAMES))
        for kind, dtype in ((nibabel.Nifti1Image, np.int16), (nibabel.Nifti2Image, np.float32)):
            image = kind(data.astype(dtype), AFFINE)
            content = image.to_bytes()
            yield gzip.compress(content, mtime=0) if packed else content

    return seeds


def label_image() -> Iterator[bytes]:
    """An atlas of voxels."""
    import nibabel

    yield nibabel.Nifti1Image(LABELS, AFFINE).to_bytes()


def cifti(kind: str) -> Callable[[], Iterator[bytes]]:
    """Matrices and series of parcels, scans of grayordinates and their atlas, of nibabel."""

    def seeds() -> Iterator[bytes]:
        from nibabel import cifti2

        def surface(vertices: list[int]) -> Any:
            return cifti2.BrainModelAxis.from_surface(np.array(vertices), 14, "CORTEX_LEFT")

        parcels = cifti2.ParcelsAxis.from_brain_models(
            [(name, surface([2 * i, 2 * i + 1])) for i, name in enumerate(NAMES)]
        )
        time = cifti2.SeriesAxis(0, 0.72, N_FRAMES)
        dense = surface(list(range(12)))
        keys = np.repeat(np.arange(1, N_REGIONS + 1), 2)[None].astype(np.float32)
        table = {i: (name, (0.0, 0.0, 0.0, 0.0)) for i, name in enumerate(("???", *NAMES))}
        content = {
            "pconn": (MATRIX, parcels, parcels),
            "ptseries": (SERIES, time, parcels),
            "dtseries": (np.repeat(SERIES, 2, axis=1), time, dense),
            "dlabel": (keys, cifti2.LabelAxis(["atlas"], [table]), dense),
        }[kind]
        image = cifti2.Cifti2Image(content[0].astype(np.float32), content[1:])
        image.update_headers()
        yield image.to_bytes()

    return seeds


def label_table() -> Iterator[bytes]:
    """Names of the regions of a label image, as BIDS and as FreeSurfer write them."""
    yield b"index\tname\n" + b"".join(
        f"{i}\t{name}\n".encode() for i, name in enumerate(NAMES, start=1)
    )


def regions_table() -> Iterator[bytes]:
    """A parcellation."""
    rows = [f"{i},{name},Vis,{'LR'[i % 2]},{i},-2.5," for i, name in enumerate(NAMES)]
    yield "\n".join(["index,label,network,hemisphere,x,y,z", *(row + "3" for row in rows)]).encode()


def cohort_table() -> Iterator[bytes]:
    """A list of people."""
    yield b"participant_id\tpath\tsession\tage\tsex\n" + b"".join(
        f"sub-{i:02}\tc{i}.npy\tses-1\t{20 + i}\tF\n".encode() for i in range(5)
    )


READER_SEEDS: Mapping[str, Callable[[], Iterator[bytes]]] = MappingProxyType(
    {
        ".npy": npy,
        ".npz": npz,
        ".tsv": text("\t"),
        ".csv": text(","),
        ".txt": text(" "),
        ".parquet": parquet,
        ".pconn.nii": cifti("pconn"),
        ".ptseries.nii": cifti("ptseries"),
        ".dtseries.nii": cifti("dtseries"),
        ".nii": nifti(False),
        ".nii.gz": nifti(True),
        ".mat": mat,
        ".h5": hdf5,
        ".hdf5": hdf5,
    }
)
"""For each reader's ending."""


def written(folder: Path, name: str, content: bytes) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(content)
    return path


def _buffered(write: Callable[[Any], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()
