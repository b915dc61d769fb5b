"""Connectomes and time series that are refused: as files, as arrays and text, and as numbers."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.reading import Reading

from .refused_case import Case

TINY = Path(__file__).resolve().parents[1] / "bundles" / "tiny"
SQUARE = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0]])
_SERIES = np.arange(36.0).reshape(12, 3) % 7


def connectome_of(name: str, content: bytes = b"", **options: Any) -> Callable[[], object]:
    """Write these bytes and read them."""

    def refuse() -> object:
        Path(name).write_bytes(content)
        return read_connectome(name, Reading(**options))

    return refuse


def _saved(array: NDArray[Any], **options: Any) -> Callable[[], object]:
    """Save an array as .npy and read it."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return connectome_of("c.npy", buffer.getvalue(), **options)


def _changed(at: tuple[int, int], value: float) -> NDArray[np.float64]:
    changed = SQUARE.copy()
    changed[at] = value
    return changed


def _header(shape: str, descr: str = "'<f8'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _zipped(how: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npz_of(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _folder() -> object:
    Path("c.npy").mkdir()
    return read_connectome("c.npy")


def _dangling() -> object:
    Path("c.npy").symlink_to("nowhere")
    return read_connectome("c.npy")


def _pickled() -> object:
    np.save("c.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return read_connectome("c.npy")


ANY = (
    Case("it is not there", lambda: read_connectome("c.npy")),
    Case("a link to nothing", _dangling),
    Case("a folder", _folder),
    Case("a device, a pipe or a socket", lambda: read_connectome("/dev/null")),
    Case("an ending without a reader", connectome_of("c.docx", b"x")),
    Case("a packed file", connectome_of("c.csv.gz", b"x")),
    Case(
        "another measure by its BIDS name",
        connectome_of("sub-1_stat-partialcorrelation_relmat.tsv", b"1\t0\n0\t1\n"),
    ),
    Case("an empty file", connectome_of("c.npy")),
)
NUMPY = (
    Case("something else than its ending says", connectome_of("c.npy", b"hello, world")),
    Case("cut short", connectome_of("c.npy", _header("(100, 100)") + bytes(80))),
    Case("a header that is code", connectome_of("c.npy", _header("(9**6, exit())"))),
    Case("a size beyond all", connectome_of("c.npy", _header("(1000000, 1000000)"))),
    Case("too many regions", connectome_of("c.npy", _header("(6000, 6000)"))),
    Case("too many time points", connectome_of("c.npy", _header("(200000, 10)"), timeseries=True)),
    Case("pickled objects, which could run code", _pickled),
    Case("other dimensions", _saved(np.zeros((2, 3, 4)))),
    Case("one triangle of a matrix as a list", _saved(np.zeros(64620))),
    Case("numbers that are not real", _saved(np.zeros((3, 3), np.complex128))),
    Case("an archive of several arrays", connectome_of("c.npz", npz_of(a=SQUARE, b=SQUARE))),
    Case(
        "two connectomes in one archive",
        connectome_of("c.npz", npz_of(connectome=SQUARE, correlations=SQUARE)),
    ),
    Case(
        "an array that is not there",
        connectome_of("c.npz", npz_of(a=SQUARE), variable="connectome"),
    ),
    Case("an array that stands twice in an archive", lambda: _twice()),
    Case(
        "region names under another name",
        connectome_of("c.npz", npz_of(connectome=SQUARE, roi_names=np.array(["a", "b", "c"]))),
    ),
    Case(
        "region names that are no text",
        connectome_of("c.npz", npz_of(connectome=SQUARE, labels=np.arange(3))),
    ),
    Case("an archive that unpacks to more than is read", lambda: _bomb()),
    Case(
        "an archive packed in another way than numpy's",
        connectome_of("c.npz", _zipped(zipfile.ZIP_BZIP2, connectome=_npy(SQUARE))),
    ),
)


def _twice() -> object:
    with zipfile.ZipFile("c.npz", "w") as archive:
        archive.writestr("connectome.npy", _npy(SQUARE))
        archive.writestr("connectome", _npy(SQUARE))
    return read_connectome("c.npz")


def _bomb() -> object:
    data = bytearray(_zipped(connectome=_npy(SQUARE)))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 2_000_000_000)
    Path("c.npz").write_bytes(data)
    return read_connectome("c.npz")


def _csv(text: str, **options: Any) -> Callable[[], object]:
    return connectome_of("c.csv", text.encode(), **options)


TEXT = (
    Case("no UTF-8, such as UTF-16", connectome_of("c.csv", "1,0.5\n0.5,1\n".encode("utf-16"))),
    Case("zero bytes", _csv("1,0.5\n0.5,1\0\n")),
    Case("nothing but blanks", _csv(" \n\t\n")),
    Case("nothing but comments", _csv("# only\n# this\n")),
    Case("a header without numbers", _csv("a,b,c\n")),
    Case("a cell that is no number", _csv("1,0.5\n0.5,x\n")),
    Case("a decimal comma", connectome_of("c.tsv", b"1,0\t0,5\n0,5\t1,0\n")),
    Case("semicolons and decimal commas", _csv("1,0;0,5\n0,5;1,0\n")),
    Case("rows of different lengths", _csv("1,0.5\n0.5\n")),
    Case("a header that does not fit", _csv("a,b,c\n1,2\n3,4\n")),
    Case("a quote that is never closed", _csv('a,b,"c\n1,0,0\n0,1,0\n')),
    Case("a line of very many columns", _csv("0.5," * 6000)),
    Case("very many lines", _csv("1\n" * 500_001)),
)
NUMBERS = (
    Case("not square", _saved(_SERIES)),
    Case("one triangle alone is filled", _saved(np.triu(SQUARE))),
    Case("not symmetric", _saved(_changed((0, 1), 0.3))),
    Case("a value that is no number", _saved(_changed((0, 1), np.nan))),
    Case("Fisher z that nobody announced", _saved(_changed((0, 1), 1.2))),
    Case("neither correlations nor Fisher z", _saved(SQUARE * 1000)),
    Case("another diagonal", _saved(_changed((1, 1), 0.5))),
    Case("region names that stand twice", _csv("a,a,b\n1,0,0\n0,1,0\n0,0,1\n")),
    Case("a region without a name", _csv("a,,b\n1,0,0\n0,1,0\n0,0,1\n")),
    Case("a very long region name", _csv(f"{'a' * 300},b,c\n1,0,0\n0,1,0\n0,0,1\n")),
    Case("rows and columns in different orders", _csv(",a,b\nb,1,0\na,0,1\n")),
    Case("a connectome given as time series", _saved(SQUARE, timeseries=True)),
    Case("two time points", _saved(_SERIES[:2], timeseries=True)),
    Case(
        "a region that never changes", _saved(_SERIES * np.array([1.0, 0.0, 1.0]), timeseries=True)
    ),
    Case("regions of another parcellation", lambda: _aligned([f"x{i}" for i in range(12)])),
    Case("another number of regions", lambda: _aligned(None)),
    Case("time series by region and time", lambda: _aligned(None, n_timepoints=12)),
    Case("columns that are no regions", lambda: _aligned(["time", *_tiny_labels()], 20)),
)


def _tiny_labels() -> tuple[str, ...]:
    parcellation = load_bundle(TINY, device="cpu").manifest.parcellation
    assert parcellation is not None
    return parcellation.labels


def _aligned(names: Sequence[str] | None, n_timepoints: int | None = None) -> object:
    """Read a connectome, or series, of these regions (else 20) and give it to a bundle of 12."""
    n = 20 if names is None else len(names)
    values = np.eye(n)
    if n_timepoints is not None:
        values = np.random.default_rng(1).normal(size=(n_timepoints, n))
    lines = [",".join(map(repr, row)) for row in values.tolist()]
    header = [] if names is None else [",".join(names)]
    Path("c.csv").write_text("\n".join([*header, *lines]), encoding="utf-8")
    found = read_connectome("c.csv", Reading(timeseries=n_timepoints is not None))
    return load_bundle(TINY, device="cpu").personalize(found)
