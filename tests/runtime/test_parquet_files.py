"""Parquet files: what pandas and pyarrow wrote is read, whatever else is refused in a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import ConnectomeError, MissingDependencyError
from dtb_runtime.parquet_files import read_parquet
from dtb_runtime.raw_array import RawArray
from dtb_runtime.reading import Reading

pandas = pytest.importorskip("pandas", reason="pandas is the independent writer")
pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")

VALUES = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0]])
NAMES = ("a", "Größe", "c 1")


def read(path: Path) -> RawArray:
    """Read without a process in between."""
    return read_parquet(path, Reading())


def framed(path: Path, index: Any = None, **how: Any) -> Path:
    """A table as pandas writes it."""
    pandas.DataFrame(VALUES, columns=list(NAMES), index=index).to_parquet(path, **how)
    return path


def tabled(path: Path, columns: dict[str, Any], **how: Any) -> Path:
    """A table as pyarrow writes it, without notes of pandas."""
    parquet.write_table(pyarrow.table(columns), path, **how)
    return path


# ---- the same numbers


@pytest.mark.parametrize("compression", ["snappy", "gzip", "zstd", "brotli", "lz4", None])
def test_a_table_of_pandas_is_read(tmp_path: Path, compression: str | None) -> None:
    raw = read(framed(tmp_path / "c.parquet", compression=compression))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.values.dtype == np.float64
    assert raw.labels == NAMES
    assert (raw.row_labels, raw.kind, raw.scale, raw.notes) == (None, None, None, ())


@pytest.mark.parametrize("name", [None, "region", "Größe der Region"])
def test_an_index_of_text_names_the_rows(tmp_path: Path, name: str | None) -> None:
    index = pandas.Index([f" {each} " for each in NAMES], name=name)
    raw = read(framed(tmp_path / "c.parquet", index))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.labels == raw.row_labels == NAMES


def test_a_categorical_index_names_the_rows(tmp_path: Path) -> None:
    raw = read(framed(tmp_path / "c.parquet", pandas.CategoricalIndex(NAMES)))
    assert raw.row_labels == NAMES


@pytest.mark.parametrize("text", [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()])
def test_a_first_column_of_text_names_the_rows(tmp_path: Path, text: Any) -> None:
    columns = dict(zip(NAMES, VALUES.T, strict=True))
    first = {"region": pyarrow.array(NAMES, text)}
    raw = read(tabled(tmp_path / "c.parquet", first | columns))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.row_labels) == (NAMES, NAMES)


@pytest.mark.parametrize(
    ("index", "kind"),
    [
        (pandas.Index([0.0, 0.8, 1.6], name="time_s"), "double"),
        (pandas.date_range("2024-01-01", periods=3, name="time_s"), r"timestamp\[.*\]"),
        (pandas.Index([3, 5, 9], name="time_s"), "int64"),
    ],
)
def test_an_index_of_numbers_is_left_out_and_noted(tmp_path: Path, index: Any, kind: str) -> None:
    raw = read(framed(tmp_path / "c.parquet", index))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.labels == NAMES
    assert raw.row_labels is None
    (note,) = raw.notes
    assert note.startswith("The index 'time_s' of c.parquet (")
    assert note.endswith(") was left out.")


def test_an_index_without_a_name_and_notes_is_known(tmp_path: Path) -> None:
    columns = {"0x": VALUES[0], "__index_level_0__": list(NAMES)}
    assert read(tabled(tmp_path / "c.parquet", columns)).row_labels == NAMES


def test_columns_that_are_only_counted_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    for first in (0, 1):  # as in text files
        columns = [str(i + first) for i in range(3)]
        pandas.DataFrame(VALUES, columns=columns).to_parquet(path)
        assert read(path).labels is None
    pandas.DataFrame(VALUES, columns=["2", "3", "4"]).to_parquet(path)
    assert read(path).labels == ("2", "3", "4")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u2", "i8", "?"])
def test_numbers_of_any_type_are_read(tmp_path: Path, dtype: str) -> None:
    values = (VALUES * 8).astype(dtype)
    columns = dict(zip(NAMES, values.T, strict=True))
    raw = read(tabled(tmp_path / "c.parquet", columns))
    np.testing.assert_array_equal(raw.values, values.astype(np.float64))


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([1.0, None, 0.0]),
        pyarrow.array([1, None, 0], pyarrow.int32()),
        pyarrow.array([True, None, False]),
    ],
    ids=["numbers", "integers", "booleans"],
)
def test_what_is_null_is_nan(tmp_path: Path, column: Any) -> None:
    path = tabled(tmp_path / "c.parquet", {"a": column, "b": [1.0, 2.0, 3.0]})
    np.testing.assert_array_equal(read(path).values, [[1, 1], [np.nan, 2], [0, 3]])


def test_many_groups_of_rows_are_read(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.random((9_000, 3))
    columns = {"row": [f"t{i}" for i in range(9_000)]} | dict(zip(NAMES, values.T, strict=True))
    raw = read(tabled(tmp_path / "c.parquet", columns, row_group_size=700))
    np.testing.assert_array_equal(raw.values, values)
    assert raw.row_labels is not None
    assert raw.row_labels[-1] == "t8999"


def test_names_of_columns_may_have_points(tmp_path: Path) -> None:
    names = ["networks.DefaultMode.MPFC (1,55,-3)", "a.b", "a"]
    raw = read(tabled(tmp_path / "c.parquet", dict(zip(names, VALUES.T, strict=True))))
    assert raw.labels == tuple(names)
    np.testing.assert_array_equal(raw.values, VALUES)


# ---- other tables


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0], "b": ["x"]}, r"column 'b' holds values of type string, expected real"),
        ({"n": ["x"], "a": [1.0], "b": ["x"]}, "column 'b' holds values of type string"),
        ({"a": [[1.0]]}, r"column 'a' holds values of type list"),
        ({"a": [{"r": 1.0}]}, r"column 'a' holds values of type struct"),
        ({"a": [b"x"]}, "column 'a' holds values of type binary"),
        ({"n": ["x"]}, r"c\.parquet is 1 x 0, expected a filled table"),
        ({"a": pyarrow.array([], pyarrow.float64())}, r"c\.parquet is 0 x 1, expected a filled"),
    ],
)
def test_other_columns_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read(tabled(tmp_path / "c.parquet", columns))


def test_an_index_of_several_columns_is_refused(tmp_path: Path) -> None:
    index = pandas.MultiIndex.from_arrays([NAMES, [1, 2, 3]], names=["one", "two"])
    with pytest.raises(ConnectomeError, match=r"index of several columns \(one, two\)"):
        read(framed(tmp_path / "c.parquet", index))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    parquet.write_table(pyarrow.table([VALUES[0], VALUES[1]], names=["a", "a"]), path)
    with pytest.raises(ConnectomeError, match="more than one column 'a'"):
        read(path)


@pytest.mark.parametrize(
    "note", [b"{", b"[]", b'"x"', b"[" * 100_000, b'{"index_columns": 3}', b"\xff"]
)
def test_notes_that_pandas_did_not_write_do_not_matter(tmp_path: Path, note: bytes) -> None:
    table = pyarrow.table(dict(zip(NAMES, VALUES.T, strict=True)))
    parquet.write_table(table.replace_schema_metadata({"pandas": note}), tmp_path / "c.parquet")
    np.testing.assert_array_equal(read(tmp_path / "c.parquet").values, VALUES)


def test_a_note_of_a_column_that_is_not_there_does_not_matter(tmp_path: Path) -> None:
    note = json.dumps({"index_columns": ["gone", {"kind": "range"}]}).encode()
    table = pyarrow.table(dict(zip(NAMES, VALUES.T, strict=True)))
    parquet.write_table(table.replace_schema_metadata({"pandas": note}), tmp_path / "c.parquet")
    assert read(tmp_path / "c.parquet").labels == NAMES


# ---- damaged and hostile files


def test_what_is_no_parquet_file_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "c.parquet"
    for content in (b"hello", rng.bytes(4096), b"PAR1" + rng.bytes(64) + b"PAR1", b"PAR1"):
        path.write_bytes(content)
        with pytest.raises(ConnectomeError, match=r"^c\.parquet cannot be read as Parquet \("):
            read(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = framed(tmp_path / "c.parquet")
    whole = path.read_bytes()
    for end in (4, 12, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(
            ConnectomeError, match=r"^c\.parquet cannot be read as Parquet .*Fetch it"
        ):
            read(path)


def test_claimed_sizes_are_checked_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.raw_array.MAX_ARRAY_BYTES", 50)
    with pytest.raises(ConnectomeError, match=r"c\.parquet claims .*3 x 3\); at most"):
        read(framed(tmp_path / "c.parquet"))


@pytest.mark.parametrize("claimed", [b"\xd6\x04", b"\xda\x04"], ids=["299", "301"])
def test_a_wrong_number_of_rows_is_noticed(tmp_path: Path, claimed: bytes) -> None:
    path = tabled(tmp_path / "c.parquet", {"a": np.arange(300.0), "b": np.arange(300.0)})
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    # The third field of the footer, 300 as a zigzag varint; those of row groups come later.
    place = whole.index(b"\x16\xd8\x04", footer)
    path.write_bytes(whole[: place + 1] + claimed + whole[place + 3 :])
    assert parquet.ParquetFile(path).metadata.num_rows in (299, 301)
    with pytest.raises(ConnectomeError, match=r"^c\.parquet (says that it has|cannot be read)"):
        read(path)


def test_an_escape_in_a_name_is_never_printed(tmp_path: Path) -> None:
    path = tabled(tmp_path / "c.parquet", {"a": [1.0], "\x1b[2J": ["x"]})
    with pytest.raises(ConnectomeError) as caught:
        read(path)
    assert r"\x1b[2J" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = framed(tmp_path / "c.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[cohort\]'"):
        read(path)


# ---- real data


def test_a_real_person_is_the_same_from_parquet(tmp_path: Path, shared_data: Path) -> None:
    source = next((shared_data / "hcp_rest").glob("*/*_task-rest_*_timeseries.npy"))
    series: NDArray[np.float32] = np.load(source)
    path = tmp_path / "c.parquet"
    names = [f"region {i}" for i in range(series.shape[1])]
    pandas.DataFrame(series, columns=names).to_parquet(path)
    raw = read(path)
    assert raw.labels == tuple(names)
    np.testing.assert_allclose(
        Connectome.from_timeseries(raw.values).correlations,
        Connectome.from_timeseries(series).correlations,
        atol=1e-5,
    )
