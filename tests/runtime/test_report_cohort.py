"""Sections of a report on cohorts, trials and interventions: numbers are those of the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import DataError, DtbError, UsageError
from dtb_runtime.report_bundle import Made, find_report_bundle, one_bundle
from dtb_runtime.report_cohort import cohort_section, read_cohort
from dtb_runtime.report_edges import edges_part
from dtb_runtime.report_inputs import find_inputs
from dtb_runtime.report_intervention import intervention_section
from dtb_runtime.report_intervention_summary import read_intervention
from dtb_runtime.report_trial import trial_section
from dtb_runtime.report_trial_summary import read_trial

from .report_files import (
    BROKEN,
    N_PEOPLE,
    TINY,
    Element,
    Folders,
    edit_json,
    made_folders,
    parsed,
    tables_of,
    whole_report,
)

pd = pytest.importorskip("pandas", reason="the tables are checked with pandas")
for needed in ("jinja2", "matplotlib", "nilearn"):
    pytest.importorskip(needed, reason="a report needs the extra [report]")

Rows = list[list[str]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return made_folders(tmp_path_factory.getbasetemp() / "report_files")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Element:
    return parsed(whole_report(tmp_path_factory.getbasetemp() / "report_files").html)


@pytest.fixture(scope="module")
def tables(page: Element) -> dict[str, Rows]:
    return tables_of(page)


def facts_of(page: Element) -> dict[str, str]:
    """Names of facts, with what they stand for."""
    return {
        row.all("dt")[0].text: row.all("dd")[0].text for d in page.all("dl") for row in d.all("div")
    }


def test_a_cohort_is_summed_up_as_pandas_does(
    folders: Folders, tables: dict[str, Rows], tiny: Bundle
) -> None:
    table = pd.read_csv(folders.scores / "cohort.tsv", sep="\t", na_values="n/a")
    caption = "Each indicator over people, beside the middle 90 % of the training cohort"
    rows = {row[0]: row[1:] for row in tables[caption][1:]}
    assert len(rows) == 5
    for name, label in (("stroop_effect", "Stroop effect (s)"), ("accuracy", "Accuracy")):
        of = table[name].dropna()
        expected = [len(of), of.mean(), of.std(), *of.quantile([0.05, 0.25, 0.5, 0.75, 0.95])]
        found = [float(cell) for cell in rows[label][:-1]]
        assert found == pytest.approx(expected, abs=6e-4)
    norm = tiny.norms.indicator_quantiles["stroop_effect"]
    assert rows["Stroop effect (s)"][-1] == f"{norm[5]:.3f} to {norm[95]:.3f}"
    assert rows["Accuracy"][-1] == "n/a"


def test_failed_and_unusual_people_are_counted_and_named(
    folders: Folders, page: Element, tables: dict[str, Rows]
) -> None:
    table = pd.read_csv(folders.scores / "cohort.tsv", sep="\t", na_values="n/a")
    outer = pd.concat(
        [table.strangeness_distance_percentile, 100 - table.similarity_percentile], axis=1
    ).max(axis=1)
    facts = facts_of(page)
    assert facts["Rows"] == f"{N_PEOPLE}, of which {N_PEOPLE - 1} were forecast"
    assert facts["Failed"] == "1"
    assert facts["With imputed regions"] == "0"
    assert facts["Unusual connectomes"].startswith(f"{(outer > 95).sum()} (farther out")
    bins = pd.cut(outer, [-1, 50, 75, 90, 95, 101]).value_counts(sort=False)
    found = [int(row[1]) for row in tables["People by how unusual their connectome is"][1:]]
    assert found == bins.tolist()
    who, reason = tables["Why there is no forecast"][-1]
    assert who == f"sub-{BROKEN:02d}"
    assert "is not a NumPy array file" in reason


def test_people_with_imputed_regions_are_named(folders: Folders, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders.scores, tmp_path / "copy"))
    table = pd.read_csv(copy / "cohort.tsv", sep="\t", dtype=str, keep_default_na=False)
    table.loc[[3, 5], "n_imputed"] = ["2", "1"]
    table.to_csv(copy / "cohort.tsv", sep="\t", index=False)
    group = find_inputs([copy]).cohort
    assert group is not None
    section = cohort_section(read_cohort(group), None, "")
    (part,) = (part for part in section.parts if part.title == "Imputed regions")
    assert part.blocks[0].rows == (("sub-03", "2"), ("sub-05", "1"))  # type: ignore[union-attr]


def test_a_cohorts_own_columns_are_no_indicators(folders: Folders, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders.scores, tmp_path / "copy"))
    table = pd.read_csv(copy / "cohort.tsv", sep="\t", dtype=str, keep_default_na=False)
    table.insert(4, "iq", "100")
    table.insert(5, "session", ["n/a", *"abcdefghijk"])
    table.to_csv(copy / "cohort.tsv", sep="\t", index=False)
    group = find_inputs([copy]).cohort
    assert group is not None
    cohort = read_cohort(group)
    assert "iq" not in cohort.indicators
    assert cohort.who[:2] == ("sub-00", "sub-01, session a")
    section = cohort_section(cohort, None, "it is not here")
    assert section.left_out == (
        "The training cohort beside the distributions is left out: it is not here.",
    )


def test_a_cohort_of_nobody_is_said_to_be_one(folders: Folders, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders.scores, tmp_path / "copy"))
    lines = (copy / "cohort.tsv").read_text().splitlines(keepends=True)
    kept = [lines[0], *(line for line in lines[1:] if "\tfailed\t" in line)]
    (copy / "cohort.tsv").write_text("".join(kept))
    group = find_inputs([copy / "cohort.tsv"]).cohort
    assert group is not None
    section = cohort_section(read_cohort(group), None, "")
    texts = [getattr(block, "text", "") for part in section.parts for block in part.blocks]
    assert "Nobody was forecast, so there is no distribution." in texts
    assert "The bundle cannot say how unusual connectomes are." in texts


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda f: (f / "cohort.json").unlink(), "needs cohort.json beside it"),
        (lambda f: edit_json(f / "cohort.json", lambda d: d.pop("GeneratedBy")), "'GeneratedBy'"),
        (
            lambda f: edit_json(f / "cohort.json", lambda d: d.update(GeneratedBy=[])),
            "the key 'Bundle' is missing",
        ),
        (
            lambda f: (f / "cohort.tsv").write_text("participant_id\tstatus\na\tgood\n"),
            "status must be ok or failed in every row",
        ),
        (
            lambda f: (f / "cohort.tsv").write_text("participant_id\nsub-01\n"),
            "has no column 'status'",
        ),
        (
            lambda f: edit_json(f / "run.json", lambda d: d["scored"]["settings"].update(draws=0)),
            "draws: expected a whole number of at least 1",
        ),
    ],
)
def test_a_cohort_that_is_none_is_refused(
    folders: Folders, tmp_path: Path, spoil: Callable[[Path], object], match: str
) -> None:
    copy = Path(shutil.copytree(folders.scores, tmp_path / "copy"))
    spoil(copy)
    group = find_inputs([copy]).cohort
    assert group is not None
    with pytest.raises(DataError, match=match):
        read_cohort(group)


def test_a_trial_says_what_its_summary_says(folders: Folders, tables: dict[str, Rows]) -> None:
    summary = json.loads((folders.trial / "trial.json").read_text())
    effects = tables["Mean change and effect in each arm, with 90 % intervals over people"]
    row = next(row for row in effects if row[0] == "common plan: Response time")
    goal = summary["arms"]["common"]["goals"]["reaction_time"]
    for cell, name in ((row[1], "change"), (row[2], "effect_sd")):
        of = goal[name]
        expected = f"{of['mean']:+.3g} ({of['low']:+.3g} to {of['high']:+.3g})"
        assert cell == expected
    responders = {(row[0], row[1]): row[2] for row in tables["Who responds"][1:]}
    for arm, label in (("common", "common plan"), ("sham_common", "sham of common plan")):
        of = summary["arms"][arm]["responders"]
        assert responders[label, "1"] == f"{of['n']} of {of['of']}"
    half = summary["doses"]["responders"][0]
    assert responders["common plan", "0.5"] == f"{half['n']} of {half['of']}"
    pair = tables["Arms beside one another: how much nearer to the goal (SD before)"][1]
    assert pair[0] == "common plan - sham of common plan: Response time"


def test_everybody_before_and_after_is_drawn_from_the_table(
    folders: Folders, page: Element
) -> None:
    table = pd.read_csv(folders.trial / "trial.tsv", sep="\t", na_values="n/a")
    known = table.dropna(subset=["reaction_time_before", "reaction_time_common"])
    before, after = known.reaction_time_before.mean(), known.reaction_time_common.mean()
    alt = next(
        image.attributes["alt"]
        for image in page.all("img")
        if "of everybody before and after" in image.attributes["alt"]
    )
    assert f"common plan: mean {before:.3f} before, {after:.3f} after." in alt


def test_what_predicts_the_response_is_listed(folders: Folders, tmp_path: Path) -> None:
    def predicted(document: dict[str, Any]) -> None:
        figures = {"r": 0.31, "r2": 0.08, "p": 0.012, "features": 3}
        document["prediction"] = {
            "common": {"reaction_time": {"n": 40, "sets": {"indicators": figures}}},
            "personal": {"size_sd": {"n": 9, "left_out": "needs 30 people"}},
        }

    path = edit_json(Path(shutil.copy(folders.trial / "trial.json", tmp_path)), predicted)
    section = trial_section(read_trial(path), None)
    (part,) = (part for part in section.parts if part.title == "What predicts the response")
    assert part.blocks[0].rows == (  # type: ignore[union-attr]
        ("common plan", "Response time", "40", "indicators", "0.310", "0.080", "0.012"),
        ("own plan", "size of the change", "9", "needs 30 people", "n/a", "n/a", "n/a"),
    )
    assert section.left_out == (
        "Everybody before and after is left out: trial.tsv is not beside the others.",
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d["arms"].update(other=d["arms"]["common"]), "must have the arms personal"),
        (lambda d: d["doses"]["doses"].pop(), "responders for each of at most 40 doses"),
        (lambda d: d["arms"]["common"]["responders"].update(share=1e12), "is beyond all that"),
        (lambda d: d.pop("rule"), "the key 'rule' is missing"),
    ],
)
def test_a_trial_that_is_none_is_refused(
    folders: Folders, tmp_path: Path, change: Callable[[dict[str, Any]], object], match: str
) -> None:
    path = edit_json(Path(shutil.copy(folders.trial / "trial.json", tmp_path)), change)
    with pytest.raises(DataError, match=match):
        read_trial(path)


def test_an_intervention_says_what_its_summary_says(
    folders: Folders, page: Element, tables: dict[str, Rows]
) -> None:
    summary = json.loads((folders.intervention / "intervention.json").read_text())
    rows = {row[0]: row[1:] for row in tables["What the plan moves"][1:]}
    for name, label in (
        ("reaction_time", "Response time (s), goal"),
        ("accuracy", "Accuracy, held"),
        ("stroop_effect", "Stroop effect (s)"),
    ):
        of = summary["indicators"][name]
        low, high = of["random_effect_sd_90"]
        n_less = of["percentile_of_random"] * summary["n_random"] / 100
        assert rows[label] == [
            f"{of['before']:.3f}",
            f"{of['after']:.3f}",
            f"{of['effect_sd']:+.2f}",
            f"{low:+.2f} to {high:+.2f}",
            f"{n_less:.0f} of {summary['n_random']}",
        ]
    doses = tables["Indicators by dose"][1:]
    found = [float(row[1]) for row in doses]
    assert found == pytest.approx(summary["doses"]["reaction_time"], abs=6e-4)
    assert facts_of(page)["Held"] == "Accuracy"
    (goal,) = [text for text in page.text.split("\n") if "-0.020 asked for, " in text]
    assert goal.endswith(" % of it reached")


def test_edges_are_averaged_over_pairs_of_networks(
    folders: Folders, tables: dict[str, Rows]
) -> None:
    edges = pd.read_csv(folders.intervention / "edges.tsv", sep="\t", keep_default_na=False)
    edges["change"] = edges.r_after.astype(float) - edges.r_before.astype(float)
    names = edges[["network_1", "network_2"]].replace("n/a", "no network")
    edges["pair"] = [tuple(sorted(pair)) for pair in names.itertuples(index=False)]
    mean = edges.groupby("pair").change.agg(["mean", "count"])
    mean = mean.reindex(mean["mean"].abs().sort_values(ascending=False).index)
    (rows,) = (rows for name, rows in tables.items() if "pairs of networks that change" in name)
    for row, ((one, other), of) in zip(rows[1:4], mean.iterrows(), strict=False):
        assert row[0] == (f"within {one}" if one == other else f"{one} - {other}")
        assert int(row[1]) == of["count"]
        assert float(row[2]) == pytest.approx(of["mean"], abs=6e-5)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([], "names no edge"),
        ([["a", "b", "n/a", "0.5"]], "must have r_before and r_after in every row"),
    ],
)
def test_edges_that_are_none_are_refused(tmp_path: Path, rows: Rows, match: str) -> None:
    path = tmp_path / "edges.tsv"
    header = ["network_1", "network_2", "r_before", "r_after"]
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")
    with pytest.raises(DataError, match=match):
        edges_part(path)


def test_an_intervention_without_random_changes_or_tables(folders: Folders, tmp_path: Path) -> None:
    def without(document: dict[str, Any]) -> None:
        for of in document["indicators"].values():
            of.update(random_effect_sd_90=None, percentile_of_random=None)
        document["doses"] = {"dose": [0.0], "share_possible": [1.0]}

    path = edit_json(
        Path(shutil.copy(folders.intervention / "intervention.json", tmp_path)), without
    )
    group = find_inputs([path]).intervention
    assert group is not None
    section = intervention_section(read_intervention(path), group)
    assert section.left_out == (
        "Edges by network are left out: edges.tsv is not beside the others.",
    )
    texts = [getattr(block, "text", "") for part in section.parts for block in part.blocks]
    assert "There are no doses of this plan." in texts


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d["doses"]["reaction_time"].pop(), "expected one value for each dose"),
        (lambda d: d["doses"].update(dose=list(np.arange(101.0))), "at most 100 doses"),
        (
            lambda d: d["indicators"]["accuracy"].update(random_effect_sd_90=[1]),
            "expected two numbers or null",
        ),
        (lambda d: d["indicators"]["accuracy"].update(after=1e12), "is beyond all that"),
        (lambda d: d["plan"].pop("goals"), "the key 'goals' is missing"),
    ],
)
def test_an_intervention_that_is_none_is_refused(
    folders: Folders, tmp_path: Path, change: Callable[[dict[str, Any]], object], match: str
) -> None:
    source = folders.intervention / "intervention.json"
    path = edit_json(Path(shutil.copy(source, tmp_path)), change)
    with pytest.raises(DataError, match=match):
        read_intervention(path)


def test_a_bundle_is_found_by_name_and_digest_or_left_out(tiny: Bundle) -> None:
    found, problem = find_report_bundle(Made("tiny", tiny.digest), None)
    assert found is None
    assert problem.startswith(f"the bundle 'tiny' (digest {tiny.digest[:12]}) is none of those")
    found, problem = find_report_bundle(Made("tcp434", tiny.digest), None)
    assert found is None
    assert "is another one than that of this name that ships" in problem
    # A name from a file is never a path.
    found, problem = find_report_bundle(Made(str(TINY), tiny.digest), None)
    assert found is None
    with pytest.raises(UsageError, match="but --bundle gives 'tiny'"):
        find_report_bundle(Made("tiny", "0" * 64), str(TINY))
    with pytest.raises(DtbError, match="no bundle 'nothing'"):
        find_report_bundle(Made("tiny", "0" * 64), "nothing")


def test_files_of_two_bundles_are_refused() -> None:
    first = Made("one", "1" * 64)
    assert one_bundle([("a.json", first), ("b.json", first)]) == first
    with pytest.raises(UsageError, match=r"b\.json was made with the bundle 'two' .digest 2{12}."):
        one_bundle([("a.json", first), ("b.json", Made("two", "2" * 64))])


def test_files_that_a_report_does_not_show_are_refused(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds nothing that a report shows: expected sub-"):
        find_inputs([tmp_path / "empty"])
    with pytest.raises(DataError, match=r"There is no file at .*gone\.json"):
        find_inputs([tmp_path / "gone.json"])
    with pytest.raises(DataError, match=r"connectome\.npy is no file that a report shows"):
        find_inputs([folders.intervention / "connectome.npy"])
    edges = Path(shutil.copy(folders.intervention / "edges.tsv", tmp_path))
    with pytest.raises(DataError, match=r"edges\.tsv belongs to intervention\.json, which is not"):
        find_inputs([edges])
    other = tmp_path / "sub-01_task-nback_desc-twin_events.tsv"
    other.write_text("onset\n")
    with pytest.raises(DataError, match="is of the task 'nback', which this version does not know"):
        find_inputs([other])
    copy = Path(shutil.copytree(folders.trial, tmp_path / "copy"))
    with pytest.raises(UsageError, match="A report shows one trial, found 2"):
        find_inputs([folders.trial, copy])
    assert find_inputs([folders.trial, folders.trial / "trial.json"]).trial is not None
    with pytest.raises(UsageError, match="There is nothing to show"):
        find_inputs([])
