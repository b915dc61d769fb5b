"""Age and sex of those who were forecast: what BIDS allows, also where several processes write."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from dtb_runtime import bids_files
from dtb_runtime.bids_participants import SourceParticipants, write_participants

from .bids_trees import put_participants

ROWS = [
    ["participant_id", "group", "sex", "age"],
    ["sub-01", "x", "F", "31.5"],
    ["sub-02", "x", "1", "thirty"],
    ["sub-03", "x", "n/a", ""],
]


@pytest.fixture
def source(tmp_path: Path) -> SourceParticipants:
    """Three people, some of whose cells BIDS does not allow."""
    put_participants(
        tmp_path / "source", ROWS, age={"Description": "Age at scan", "Units": "year"}, other=1
    )
    found = SourceParticipants.read(tmp_path / "source")
    assert found is not None
    return found


def test_those_forecast_stand_in_the_table_and_nobody_else(
    source: SourceParticipants, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for name in ("sub-03", "sub-01", "sub-99", "logs", "sub-x_y"):
        (out / name).mkdir(parents=True)
    write_participants(out, source)
    table = pd.read_csv(
        out / "participants.tsv", sep="\t", dtype=str, keep_default_na=False, index_col=0
    )
    assert list(table.columns) == ["age", "sex"]
    assert table.T.to_dict() == {
        "sub-01": {"age": "31.5", "sex": "F"},
        "sub-03": {"age": "n/a", "sex": "n/a"},
        "sub-99": {"age": "n/a", "sex": "n/a"},
    }
    described = json.loads((out / "participants.json").read_text(encoding="utf-8"))
    assert described["age"] == {"Description": "Age at scan", "Units": "year"}
    assert described["sex"]["Levels"] == {"1": "not described by the source", "F": "female"}


def test_an_age_that_is_no_number_is_not_taken_over(source: SourceParticipants) -> None:
    assert source.table(["sub-02"]).decode().splitlines()[1] == "sub-02\tn/a\t1"
    assert source.own("sub-02") == {"age": "thirty", "sex": "1"}  # notes say what is wrong with it


def test_the_sources_own_levels_stay(tmp_path: Path) -> None:
    put_participants(tmp_path, ROWS, sex={"Levels": {"1": "man", "2": "woman"}})
    source = SourceParticipants.read(tmp_path)
    assert source is not None
    assert source.described()["sex"]["Levels"] == {"1": "man", "2": "woman", "F": "female"}


def test_whoever_comes_while_it_is_written_gets_a_row(
    source: SourceParticipants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    (out / "sub-01").mkdir(parents=True)
    real = bids_files.write_files

    def slow(*args: object, **named: object) -> object:
        done = real(*args, **named)  # type: ignore[arg-type]
        (out / "sub-02").mkdir(exist_ok=True)  # another process has published somebody
        return done

    monkeypatch.setattr(bids_files, "write_files", slow)
    write_participants(out, source)
    assert (out / "participants.tsv").read_bytes() == source.table(["sub-01", "sub-02"])


def test_an_older_list_that_comes_late_does_not_stay(
    source: SourceParticipants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    (out / "sub-01").mkdir(parents=True)
    (out / "sub-02").mkdir()
    real = bids_files.write_files
    others = [source.table(["sub-01"])]

    def late(*args: object, **named: object) -> object:
        done = real(*args, **named)  # type: ignore[arg-type]
        if others:
            (out / "participants.tsv").write_bytes(others.pop())  # of a slower process
        return done

    monkeypatch.setattr(bids_files, "write_files", late)
    write_participants(out, source)
    assert (out / "participants.tsv").read_bytes() == source.table(["sub-01", "sub-02"])


def test_new_ids_take_their_cells_along(source: SourceParticipants) -> None:
    renamed = source.renamed(lambda who: who.replace("sub-", "sub-x"))
    assert renamed.own("sub-x01") == {"age": "31.5", "sex": "F"}


def test_without_a_table_there_is_none(tmp_path: Path) -> None:
    assert SourceParticipants.read(tmp_path) is None
    write_participants(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_ids_without_sub_and_columns_in_any_case_are_taken(tmp_path: Path) -> None:
    rows = [["participant_id", "Sex", "Age", "Site"], ["01", "F", "31.5", "A"]]
    put_participants(tmp_path, rows, Age={"Description": "At scan"})
    source = SourceParticipants.read(tmp_path, ("site", "age"))
    assert source is not None
    assert (source.columns, source.more) == (("age", "sex"), ("Site",))
    assert source.own("sub-01") == {"age": "31.5", "sex": "F", "Site": "A"}
    assert source.described()["age"]["Description"] == "At scan"
    assert source.table(["sub-01"]) == b"participant_id\tage\tsex\nsub-01\t31.5\tF\n"
    assert source.has_any(["sub-00", "sub-01"]) and not source.has_any(["01"])
