"""What all measuring programs share: figures kept from run to run, aims, and what pages say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from interventions_aims import aims as interventions_aims
from page_aims import aims_markdown, judged
from page_section import Section, tiny, where_measured, written
from results_claims import Verdict
from results_data import REPOSITORY
from section_runs import indented, measured, parsed, parser_of, read_figures
from serving_aims import aims as serving_aims
from speed_aims import aims as speed_aims

SECTIONS = tuple(
    Section(name, name.title(), lambda n, name=name: {name: n}, lambda of: f"found {dict(of)}")  # type: ignore[misc]
    for name in ("first", "second")
)
ABOUT, STAMP = {"sizes": "full"}, {"date": "2031-02-03"}


def last(only: list[str], known: dict[str, Any] | None = None, n: int = 1) -> dict[str, Any]:
    *_, figures = measured(SECTIONS, n, only, ABOUT, STAMP, known)
    return figures


def test_figures_come_after_each_section() -> None:
    runs = list(measured(SECTIONS, 1, [], ABOUT, STAMP, None))
    assert [list(each["sections"]) for each in runs] == [["first"], ["first", "second"]]
    assert runs[-1] == STAMP | ABOUT | {
        "sections": {"first": {"first": 1}, "second": {"second": 1}}
    }


def test_a_section_joins_others_that_are_about_the_same() -> None:
    known = last([]) | {"date": "2031-01-01"}
    again = last(["first"], known, n=2)
    assert again["sections"] == {"first": {"first": 2}, "second": {"second": 1}}
    assert again["date"] == "2031-01-01"  # of the oldest
    assert list(last(["second"], known | {"sizes": "quick"})["sections"]) == ["second"]
    assert last([], known, n=3)["date"] == STAMP["date"]


def test_figures_are_read_back(tmp_path: Path) -> None:
    assert read_figures(tmp_path, "a.json") is None
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    figures = last([]) | {"word": "é"}
    (tmp_path / "benchmarks" / "results" / "a.json").write_bytes(indented(figures))
    assert read_figures(tmp_path, "a.json") == figures


def test_tiny_sizes_are_refused_where_figures_in_earnest_lie(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = parser_of("What it does.\n\nMore.", ["first"])
    monkeypatch.setattr(sys, "argv", ["program", "--quick", "--root", str(REPOSITORY)])
    with pytest.raises(SystemExit):
        parsed(parser)
    assert "--quick makes figures that mean nothing: give --root DIR" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["program", "--only", "first"])
    assert parsed(parser).only == ["first"]


def test_the_table_of_aims_counts_what_was_measured() -> None:
    rows = [
        (name, name, "more than 1", lambda of: Verdict("more than 1", of["n"] > 1, str(of["n"])))
        for name in ("a", "b", "c")
    ]
    found = judged(rows, {"a": {"n": 2}, "b": {"n": 1}})
    text = aims_markdown(found)
    assert text.startswith("1 of 2 measured aims are reached; 1 were not measured.\n")
    assert "| a | more than 1 | 2 | reached |" in text
    assert "|  | aim | seen | reached? |" in aims_markdown(found, "seen")


@pytest.mark.parametrize("aims", [serving_aims, interventions_aims, speed_aims])
def test_nothing_measured_is_nothing_reached(aims: Any) -> None:
    found = aims({})
    assert found
    assert all(verdict.is_reached is None for _, verdict in found)
    assert aims_markdown(found).startswith("0 of 0 measured aims are reached; ")


def test_a_page_says_what_was_not_measured_and_where_the_rest_was() -> None:
    first, second = written(SECTIONS, {"first": {"n": 1}}, "target")
    assert first == "## First\n\nfound {'n': 1}"
    assert second == '## Second\n\nNot measured: `make target ARGS="--only second"`.'
    machine = {"processor": "A", "usable_cores": 1, "memory_gb": 8.0, "system": "Linux"}
    figures = STAMP | {"machine": machine, "versions": {"numpy": "9"}, "load": 0.4}
    said = where_measured(figures, "bundle b; ")
    assert said.startswith(
        "Measured on 2031-02-03: A, 1 usable core, 8 GB of memory, Linux; bundle"
    )
    assert said.endswith("0.4 processes had wanted a core during the minute before.")
    assert "**the machine was busy" in where_measured(figures | {"load": 0.6})
    assert tiny("full") == ""
    assert "mean nothing" in tiny("quick")
