"""Text files of numbers: the quick way reads what cell by cell reads, or leaves it to that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtb_runtime import numeric_tables
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.numeric_tables import NumericTable, read_table

NUMBERS = st.one_of(
    st.floats(-1e3, 1e3).map(repr),
    st.integers(0, 9).map(str),
    st.sampled_from(["0.1", "-.5", "5.", "+1", "1e-300", "1E5", "0", "-0"]),
)
ODD = st.sampled_from(
    [
        "",
        "n/a",
        "nan",
        "inf",
        "-inf",
        "1_0",
        "0x1",
        "nan(1)",
        "1 2",
        " 3",
        "4 ",
        "a",
        "1,5",
        "²",
        "٣",
    ]
)
CELLS = st.one_of(*[NUMBERS] * 8, ODD)


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, str | None]:
    """Text of a small table, and its delimiter: mostly good, and now and then not."""
    delimiter = draw(st.sampled_from(["\t", ",", None]))
    n_rows, n_columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    cells = draw(st.sampled_from([NUMBERS, CELLS]))
    rows = [[draw(cells) for _ in range(n_columns)] for _ in range(n_rows)]
    names = draw(st.sampled_from(["", "names", "counts", "comment"]))
    if draw(st.booleans()):
        rows = [[f"region{i}", *row] for i, row in enumerate(rows)]
    width = draw(st.sampled_from([len(rows[0]), len(rows[0]), n_columns, n_columns + 1]))
    header = [f"name{i}" if names == "names" else str(i) for i in range(width)]
    if header and draw(st.booleans()):
        header[0] = ""
    if names in ("names", "counts"):
        rows = [header, *rows]
    lines = [(delimiter or draw(st.sampled_from([" ", "\t"]))).join(row) for row in rows]
    if names == "comment":
        lines = ["# " + (delimiter or " ").join(f"n{i}" for i in range(width)), *lines]
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines), delimiter


def outcome(path: Path, delimiter: str | None) -> NumericTable | str:
    try:
        return read_table(path, delimiter)
    except ConnectomeError as error:
        return str(error)


@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables())
def test_both_ways_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: tuple[str, str | None]
) -> None:
    text, delimiter = table
    path = tmp_path / "table.txt"
    path.write_text(text, encoding="utf-8", newline="")
    found = outcome(path, delimiter)
    with monkeypatch.context() as patched:
        patched.setattr(numeric_tables, "_read_quickly", lambda *_: None)
        expected = outcome(path, delimiter)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    np.testing.assert_array_equal(found.values, expected.values)
    assert (found.labels, found.row_labels) == (expected.labels, expected.row_labels)


@pytest.mark.parametrize("delimiter", ["\t", ",", None])
@pytest.mark.parametrize("header", [[], ["a", "b", "c"], ["", "a", "b", "c"]])
@pytest.mark.parametrize("is_named", [False, True])
def test_plain_tables_are_read_quickly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    delimiter: str | None,
    header: list[str],
    is_named: bool,
) -> None:
    if header[:1] == [""] and (not is_named or delimiter is None):
        pytest.skip("an empty corner is above names, and blanks cannot show it")
    expected = np.random.default_rng(1).normal(size=(3, 3))
    rows = [[repr(float(value)) for value in row] for row in expected]
    if is_named:
        rows = [[name, *row] for name, row in zip("abc", rows, strict=True)]
    lines = ([header] if header else []) + rows
    path = tmp_path / "table.txt"
    path.write_text("\n".join((delimiter or " ").join(line) for line in lines), encoding="utf-8")

    def never(*_: object) -> NumericTable:
        raise AssertionError("cell by cell")

    monkeypatch.setattr(numeric_tables, "_read_cells", never)
    found = read_table(path, delimiter)
    np.testing.assert_array_equal(found.values, expected)
    assert found.labels == (("a", "b", "c") if header else None)
    assert found.row_labels == (("a", "b", "c") if is_named else None)


@pytest.mark.parametrize("cell", ["nan(1)", "nan()"])
def test_what_only_numpy_takes_for_a_number_is_refused(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(f"1\t{cell}\n0.5\t1\n", encoding="utf-8")
    with pytest.raises(ConnectomeError, match="row 1 of the numbers, column 2, is not a number"):
        read_table(path, "\t")


@pytest.mark.parametrize(
    "text",
    [
        "# a b\n# Pearson correlation r\n{}",
        "# Pearson correlation r\n# a b\n{}",
        "# a b\n#\n{}",
        "#a\tb\n{}",
        "# a, b\n# r\n{}",
        "{}# a b\n",
        "# a\n# b\n{}",
        "# a;b\n{}",
    ],
)
@pytest.mark.parametrize("delimiter", [",", "\t", None])
def test_names_in_any_comment_are_read(tmp_path: Path, text: str, delimiter: str | None) -> None:
    rows = "".join(
        (delimiter or " ").join(f".{digit}" for digit in row) + "\n" for row in ["12", "34"]
    )
    path = tmp_path / "table.txt"
    path.write_text(text.format(rows), encoding="utf-8")
    assert read_table(path, delimiter).labels == ("a", "b")


def test_a_row_that_sums_up_a_series_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(",a,b\n0,1,2\n1,2,1\n2,3,2\nmean,2,1.7\n", encoding="utf-8")
    with pytest.raises(ConnectomeError, match="a row 'mean' among rows that are counted"):
        read_table(path, ",")


def test_numbers_may_be_names_of_regions_beside_words(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(",25,V1,V2\n25,1,.2,.3\nV1,.2,1,.4\nV2,.3,.4,1\n", encoding="utf-8")
    table = read_table(path, ",")
    assert table.labels == table.row_labels == ("25", "V1", "V2")
