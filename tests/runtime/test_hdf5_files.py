"""HDF5 files: what h5py wrote is read; what leads out of the file or is damaged is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import ConnectomeError, MissingDependencyError
from dtb_runtime.hdf5_files import TCP_REGIONS, read_hdf5
from dtb_runtime.hdf5_objects import MAX_DEPTH
from dtb_runtime.raw_array import RawArray
from dtb_runtime.reading import Reading

h5py = pytest.importorskip("h5py", reason="h5py is an extra")

VALUES = np.array([[1.0, 0.25, -0.5], [0.3, 1.0, 0.125], [-0.5, 0.125, 1.0], [0.0, 2.5e-3, 7.0]])
NAMES = ("a", "Größe", "c 1")
TCP_NAME = "task-restAP_run-01_bold_Atlas_hp2000_clean_GSR_parcellated.h5"

Write = Callable[[Any], object]


def read(path: Path, variable: str | None = None) -> RawArray:
    """Read without a process in between."""
    return read_hdf5(path, Reading(variable=variable))


def written(path: Path, write: Write) -> Path:
    """A file with what `write` puts into it."""
    with h5py.File(path, "w") as file:
        write(file)
    return path


def holding(path: Path, **arrays: Any) -> Path:
    """A file with these data sets; ``__`` in a name is a group."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
    return path


# ---- a matrix by its path


@pytest.mark.parametrize("name", ["c.h5", "c.hdf5"])
def test_the_only_matrix_is_read(tmp_path: Path, name: str) -> None:
    path = holding(tmp_path / name, deep__er__fc=VALUES, tr=0.8, onsets=np.arange(9), note="hello")
    raw = read(path)
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.values.dtype == np.float64
    assert (raw.labels, raw.kind, raw.scale, raw.notes) == (None, None, None, ())


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "u2", "i8", ">i4"])
def test_numbers_of_any_type_are_read(tmp_path: Path, dtype: str) -> None:
    values = (VALUES * 8).astype(dtype)
    raw = read(holding(tmp_path / "c.h5", fc=values))
    np.testing.assert_array_equal(raw.values, values.astype(np.float64))


@pytest.mark.parametrize(
    "how",
    [
        {"chunks": (2, 3)},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"compression": "lzf"},
        {"compression": "szip"},
        {"maxshape": (None, 3)},
    ],
)
def test_built_in_filters_are_read(tmp_path: Path, how: dict[str, Any]) -> None:
    values = np.random.default_rng(1).random((40, 3))
    path = tmp_path / "c.h5"
    try:
        written(path, lambda file: file.create_dataset("fc", data=values, **how))
    except ValueError as cause:
        pytest.skip(f"this h5py cannot write szip ({cause})")
    np.testing.assert_array_equal(read(path).values, values)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("connectome", "connectome"), ("correlations", "connectome"), ("timeseries", "timeseries")],
)
def test_data_sets_are_found_by_name(tmp_path: Path, name: str, kind: str) -> None:
    arrays: dict[str, Any] = {f"person__{name}": VALUES, "other": np.ones((5, 5))}
    raw = read(holding(tmp_path / "c.h5", **arrays))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.kind == kind


def test_a_named_data_set_is_read(tmp_path: Path) -> None:
    path = holding(tmp_path / "c.h5", one__connectome=VALUES, two__connectome=VALUES * 2)
    for name in ("two/connectome", "/two/connectome", "two//./connectome"):
        raw = read(path, name)
        np.testing.assert_array_equal(raw.values, VALUES * 2)
        assert raw.kind == "connectome"
    with pytest.raises(ConnectomeError, match="holds both 'one/connectome' and 'two/connectome'"):
        read(path)
    with pytest.raises(
        ConnectomeError,
        match=r"no data set 'two/c' in c\.h5: 'two/c' is not .* "
        r"--variable: one/connectome \(data set of numbers, 4 x 3\), two/connectome \(.*\)\.$",
    ):
        read(path, "two/c")
    with pytest.raises(ConnectomeError, match=r"'two/connectome/x' is not there"):
        read(path, "two/connectome/x")
    for name in ("two", "/"):
        with pytest.raises(ConnectomeError, match="is a group, not a data set"):
            read(path, name)
    with pytest.raises(ConnectomeError, match=r"in it with --variable: two/connectome \(.*\)\.$"):
        read(path, "two")
    many = holding(tmp_path / "many.h5", **{f"c{i:03d}": VALUES for i in range(500)})
    with pytest.raises(ConnectomeError, match=r"c009 \(.*\) and 490 more\.$"):
        read(many, "c")
    both = holding(tmp_path / "both.h5", a=VALUES, b__c=VALUES)
    with pytest.raises(ConnectomeError, match=r"b/c \(data set of numbers, 4 x 3\); expected"):
        read(both)


@pytest.mark.parametrize("kind", ["variable", "fixed", "column"])
def test_labels_beside_it_are_read(tmp_path: Path, kind: str) -> None:
    path = holding(tmp_path / "c.h5", group__fc=VALUES, labels=["other", "labels", "here", "x"])
    with h5py.File(path, "a") as file:
        if kind == "fixed":
            fixed = h5py.string_dtype("utf-8", 12)
            file["group/labels"] = np.array([name.encode() for name in NAMES], dtype=fixed)
        else:
            texts = np.array(NAMES, dtype=object)
            file["group/labels"] = texts.reshape(-1, 1) if kind == "column" else texts
    assert read(path).labels == NAMES
    assert read(path, "group/fc").labels == NAMES


@pytest.mark.parametrize(
    "beside",
    [
        {"roi_names": list(NAMES)},
        {"whatever": list(NAMES)},
        {"regions": np.arange(3)},
        {"labels_of_regions": list(NAMES)},
    ],
)
def test_labels_under_another_name_are_not_ignored(tmp_path: Path, beside: dict[str, Any]) -> None:
    (name,) = beside
    path = holding(tmp_path / "c.h5", fc=VALUES, **beside)
    for variable in (None, "fc"):
        with pytest.raises(ConnectomeError, match=f"may be in '{name}', but labels are read from"):
            read(path, variable)
    elsewhere = holding(tmp_path / "e.h5", fc=VALUES, **{f"atlas__{name}": beside[name]})
    with pytest.raises(ConnectomeError, match=f"order of regions may be in 'atlas/{name}'"):
        read(elsewhere)
    np.testing.assert_array_equal(read(elsewhere, "fc").values, VALUES)


def test_tables_of_pandas_are_not_taken_without_their_names(tmp_path: Path) -> None:
    # As DataFrame.to_hdf lays them out: the names stand in axis0.
    path = holding(
        tmp_path / "c.h5",
        df__axis0=np.array([b"a", b"b", b"c"]),
        df__axis1=np.arange(4),
        df__block0_items=np.array([b"a", b"b", b"c"]),
        df__block0_values=VALUES,
    )
    with pytest.raises(ConnectomeError, match="order of regions may be in 'df/"):
        read(path)


# ---- the TCP release


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("prefix", ["", "sub-NDARINVAG023WG3_"])
def test_series_of_the_tcp_are_turned_to_time_by_regions(
    tmp_path: Path, turned: bool, prefix: str, rng: np.random.Generator
) -> None:
    series = rng.standard_normal((488, TCP_REGIONS))
    path = holding(tmp_path / f"{prefix}{TCP_NAME}", some_key=series.T if turned else series)
    for variable in (None, "some_key"):
        raw = read(path, variable)
        np.testing.assert_array_equal(raw.values, series)
        assert raw.kind == "timeseries"


@pytest.mark.parametrize("shape", [(1, TCP_REGIONS, 60), (60, TCP_REGIONS, 1)])
def test_series_of_the_tcp_may_have_an_axis_of_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    raw = read(holding(tmp_path / TCP_NAME, x=np.zeros(shape), tr=0.8))
    assert raw.values.shape == (60, TCP_REGIONS)


@pytest.mark.parametrize("shape", [(488, 360), (434, 434)])
def test_series_of_the_tcp_without_their_axis_are_refused(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    path = holding(tmp_path / TCP_NAME, x=np.zeros(shape))
    with pytest.raises(ConnectomeError, match=r"in a file of this name one axis, and only one"):
        read(path)


def test_other_files_are_taken_as_they_are(tmp_path: Path) -> None:
    values = np.zeros((TCP_REGIONS, 60))
    raw = read(holding(tmp_path / "c.h5", x=values))
    assert raw.values.shape == (TCP_REGIONS, 60)
    assert raw.kind is None


# ---- what leads out of the file


def secret(folder: Path) -> Path:
    """Another file, which must not be read."""
    path = holding(folder / "secret.h5", fc=VALUES)
    (folder / "secret.raw").write_bytes(VALUES.tobytes())
    return path


def virtual(file: Any, source: Path) -> None:
    """A data set that takes its numbers from another file."""
    layout = h5py.VirtualLayout(VALUES.shape, "f8")
    layout[:] = h5py.VirtualSource(source, "fc", VALUES.shape)
    file.create_virtual_dataset("x", layout)


def external(file: Any, source: Path) -> None:
    """A data set whose numbers are in another file, as they are."""
    place = [(str(source.with_suffix(".raw")), 0, VALUES.nbytes)]
    file.create_dataset("x", VALUES.shape, "f8", external=place)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (virtual, r"c\.h5\[x\] is a virtual data set, which takes its numbers from other files"),
        (external, r"c\.h5\[x\] keeps its numbers in another file, which is not read"),
        (
            lambda file, source: file.__setitem__("x", h5py.ExternalLink(source, "/fc")),
            r"'x' in c\.h5 is a link to elsewhere",
        ),
        (
            lambda file, source: file.__setitem__("x", h5py.SoftLink("/fc")),
            r"'x' in c\.h5 is a link to elsewhere",
        ),
    ],
    ids=["virtual data set", "external storage", "external link", "soft link"],
)
@pytest.mark.parametrize("variable", [None, "x"])
def test_nothing_outside_of_the_file_is_read(
    tmp_path: Path, write: Callable[[Any, Path], None], message: str, variable: str | None
) -> None:
    source = secret(tmp_path)
    path = written(tmp_path / "c.h5", lambda file: write(file, source))
    with pytest.raises(ConnectomeError, match=message):
        read(path, variable)


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    source = secret(tmp_path)
    path = written(
        tmp_path / "c.h5", lambda file: file.__setitem__("group", h5py.ExternalLink(source, "/"))
    )
    with pytest.raises(ConnectomeError, match=r"'group' in c\.h5 is a link to elsewhere"):
        read(path, "group/fc")


def test_a_link_beside_a_named_data_set_is_left_alone(tmp_path: Path) -> None:
    path = holding(tmp_path / "c.h5", fc=VALUES)
    with h5py.File(path, "a") as file:
        file["elsewhere"] = h5py.ExternalLink("none.h5", "/fc")
    np.testing.assert_array_equal(read(path, "fc").values, VALUES)
    with pytest.raises(ConnectomeError, match="is a link"):
        read(path)
    with pytest.raises(ConnectomeError, match=r"'c' is not there\. Name one .* --variable\.$"):
        read(path, "c")


def test_a_link_in_the_place_of_labels_is_refused(tmp_path: Path) -> None:
    path = holding(tmp_path / "c.h5", fc=VALUES)
    with h5py.File(path, "a") as file:
        file["labels"] = h5py.ExternalLink("none.h5", "/labels")
    with pytest.raises(ConnectomeError, match=r"'labels' in c\.h5 is a link to elsewhere"):
        read(path, "fc")


# ---- what is no matrix of numbers


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(3, [("r", "f8"), ("g", "f4")]), r"\[x\] is a compound data set, expected"),
        (VALUES + 1j, r"\[x\] is a (compound data set|data set of another type)"),
        (["a", "b"], r"\[x\] is a data set of text"),
        (np.array([b"a"], dtype="V5"), r"\[x\] is a data set of opaque values"),
        (h5py.Empty("f8"), r"\[x\] is a data set without values"),
        (VALUES > 0, r"\[x\] is a data set of named values"),
        (np.ones((2, 3, 4)), r"is 2 x 3 x 4 \(3-dimensional\)"),
        (np.ones(4), r"is 4 \(1-dimensional\)"),
        (1.5, r"is scalar \(0-dimensional\)"),
        (np.ones((0, 4)), "is 0 x 4"),
    ],
)
def test_what_is_no_matrix_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read(holding(tmp_path / "c.h5", x=value), "x")


def test_references_and_lists_are_refused(tmp_path: Path) -> None:
    path = holding(tmp_path / "c.h5", fc=VALUES)
    with h5py.File(path, "a") as file:
        file.create_dataset("refs", (2, 2), h5py.ref_dtype)[0, 0] = file["fc"].ref
        file.create_dataset("lists", (2,), h5py.vlen_dtype(np.float64))
    for name, what in (("refs", "references"), ("lists", "lists")):
        with pytest.raises(ConnectomeError, match=f"is a data set of {what}, expected a matrix"):
            read(path, name)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(3), r"c\.h5\[labels\] is a data set of integers of size 3, expected text"),
        (
            np.array([["a", "b"]] * 2, dtype=object),
            r"\[labels\] holds 2 x 2 texts, expected",
        ),
        (np.array([b"\xff\xfe", b"b", b"c"]), r"\[labels\] cannot be read as text \(.*utf"),
    ],
)
def test_labels_that_are_no_list_of_text_are_refused(
    tmp_path: Path, labels: Any, message: str
) -> None:
    path = holding(tmp_path / "c.h5", fc=VALUES)
    with h5py.File(path, "a") as file:
        if labels.dtype.kind == "S":  # marked as UTF-8, which it is not
            labels = labels.astype(h5py.string_dtype("utf-8", 2))
        file["labels"] = labels
    with pytest.raises(ConnectomeError, match=message):
        read(path)


def test_filters_that_are_not_built_in_are_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path / "c.h5",
        lambda file: file.create_dataset("fc", (4, 3), "f4", scaleoffset=3, chunks=True),
    )
    with pytest.raises(ConnectomeError, match=r"c\.h5\[fc\] is packed with filter 6 .*not read"):
        read(path)


# ---- damaged and hostile files


def test_what_is_no_hdf5_file_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "c.h5"
    for content in (b"hello", rng.bytes(4096), b"\x89HDF\r\n\x1a\n" + rng.bytes(4096)):
        path.write_bytes(content)
        with pytest.raises(ConnectomeError, match=r"^c\.h5 cannot be read as HDF5 \("):
            read(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = holding(tmp_path / "c.h5", fc=np.random.default_rng(0).random((50, 50)))
    whole = path.read_bytes()
    for end in (8, 48, 96, 200, 800, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ConnectomeError, match=r"^c\.h5 cannot be read as HDF5 .*cut short"):
            read(path)


@pytest.mark.parametrize(
    ("shape", "chunks", "message"),
    [
        ((100_000, 5_000), (10, 10), r"c\.h5\[fc\] claims 4\.0 GB \(100000 x 5000\)"),
        ((2**31, 2**31), (10, 10), r"c\.h5\[fc\] is 2147483648 x .*at most 5000 columns"),
        ((2, 2), (20_000, 20_000), r"A chunk of c\.h5\[fc\] claims 3\.2 GB"),
    ],
)
def test_claimed_sizes_are_checked_before_memory_is_asked_for(
    tmp_path: Path, shape: tuple[int, int], chunks: tuple[int, int], message: str
) -> None:
    path = written(
        tmp_path / "c.h5",
        lambda file: file.create_dataset(
            "fc", shape, "f4", chunks=chunks, maxshape=(None, None), compression="gzip"
        ),
    )
    with pytest.raises(ConnectomeError, match=message):
        read(path)


def test_very_many_objects_are_refused(tmp_path: Path) -> None:
    def write(file: Any) -> None:
        for number in range(10_001):
            file.create_group(str(number))
        file["fc"] = VALUES

    path = written(tmp_path / "c.h5", write)
    with pytest.raises(ConnectomeError, match="more than 10,000 groups and data sets"):
        read(path)


def test_very_deep_groups_are_refused(tmp_path: Path) -> None:
    place = "/".join("g" * (MAX_DEPTH + 1))
    path = holding(tmp_path / "c.h5", **{f"{place}/fc".replace("/", "__"): VALUES})
    with pytest.raises(ConnectomeError, match="groups more than 16 deep"):
        read(path)
    with pytest.raises(ConnectomeError, match="There is no data set"):
        read(path, f"{place}/fc")


def test_groups_that_hold_each_other_come_to_an_end(tmp_path: Path) -> None:
    def write(file: Any) -> None:
        file["a/fc"] = VALUES
        file["a/self"] = file["a"]
        file["a/root"] = file["/"]
        file["again"] = file["a/fc"]

    np.testing.assert_array_equal(read(written(tmp_path / "c.h5", write)).values, VALUES)


def test_an_escape_in_a_name_is_never_printed(tmp_path: Path) -> None:
    path = written(tmp_path / "c.h5", lambda file: file.__setitem__("\x1b[2J", [1.0]))
    with pytest.raises(ConnectomeError) as caught:
        read(path)
    assert r"\x1b[2J" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = holding(tmp_path / "c.h5", fc=VALUES)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[imaging\]'"):
        read(path)


# ---- real data


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_real_person_is_the_same_from_hdf5(
    tmp_path: Path, shared_data: Path, compression: str | None
) -> None:
    source = next((shared_data / "hcp_rest").glob("*/*_task-rest_*_timeseries.npy"))
    series: NDArray[np.float32] = np.load(source)
    path = written(
        tmp_path / "c.h5",
        lambda file: file.create_dataset("timeseries", data=series, compression=compression),
    )
    raw = read(path)
    assert raw.kind == "timeseries"
    np.testing.assert_allclose(
        Connectome.from_timeseries(raw.values).correlations,
        Connectome.from_timeseries(series).correlations,
        atol=1e-5,
    )
