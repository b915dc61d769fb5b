"""Tables of judged trials on disk: the same numbers come back, other files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtb_models.cohorts import Participant
from dtb_models.judged_files import judged_tsv, read_judged_trials
from dtb_models.judged_trials import PREDICTED, JudgedTrials
from dtb_models.protocols import judged_people
from dtb_runtime.errors import CohortError

People = Callable[..., list[Participant]]


@pytest.fixture
def table(answering_people: People, rng: np.random.Generator) -> JudgedTrials:
    trials = judged_people(answering_people(3)).trials()
    columns = {name: rng.normal(size=len(trials)) for name in PREDICTED}
    columns["rt_q05"][::7] = np.nan
    columns["rt_log_density"][3] = -np.inf
    columns["choice_is_right"] = rng.integers(2, size=len(trials)).astype(float)
    return trials.predicting(**columns)


def test_every_number_comes_back_to_the_last_digit(table: JudgedTrials, tmp_path: Path) -> None:
    path = tmp_path / "judged.tsv"
    path.write_bytes(judged_tsv(table))
    back = read_judged_trials(path)
    for name in JudgedTrials.__dataclass_fields__:
        expected, found = getattr(table, name), getattr(back, name)
        assert found.dtype.kind == expected.dtype.kind
        np.testing.assert_array_equal(found, expected)
    assert judged_tsv(back) == judged_tsv(table)


def test_the_text_is_a_table_with_a_row_for_each_trial(table: JudgedTrials) -> None:
    lines = judged_tsv(table).decode().splitlines()
    assert lines[0].split("\t") == list(JudgedTrials.__dataclass_fields__)
    assert len(lines) == len(table) + 1
    assert "nan" not in judged_tsv(table).decode()


def test_a_table_without_a_column_is_refused(table: JudgedTrials, tmp_path: Path) -> None:
    path = tmp_path / "judged.tsv"
    path.write_bytes(judged_tsv(table).replace(b"p_no_response", b"p_nothing", 1))
    with pytest.raises(CohortError, match=r"judged\.tsv has no column 'p_no_response'"):
        read_judged_trials(path)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("rt_s", "fast", "rt_s is 'fast', expected a number"),
        ("trial", "1.5", r"trial is '1\.5', expected a whole number"),
        ("usable", "n/a", "usable is 'n/a', expected a whole number"),
    ],
)
def test_a_cell_that_is_no_number_is_named(
    table: JudgedTrials, tmp_path: Path, column: str, cell: str, message: str
) -> None:
    lines = judged_tsv(table).decode().splitlines()
    cells = lines[2].split("\t")
    cells[lines[0].split("\t").index(column)] = cell
    lines[2] = "\t".join(cells)
    path = tmp_path / "judged.tsv"
    path.write_text("\n".join(lines))
    with pytest.raises(CohortError, match=rf"judged\.tsv, row 2: {message}"):
        read_judged_trials(path)
