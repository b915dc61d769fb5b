"""A person's sections of a report: every number is that of the files, or computed from them."""

from __future__ import annotations

import base64
import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import DataError, UsageError
from dtb_runtime.report_blocks import DataTable, Facts, Picture, Section
from dtb_runtime.report_bundle import Made, ReportBundle, find_report_bundle
from dtb_runtime.report_calibration import calibration_section
from dtb_runtime.report_connectome import connectome_section
from dtb_runtime.report_contents import make_report
from dtb_runtime.report_contrasts import contrasts_section, read_contrast
from dtb_runtime.report_courses import chosen_regions, courses_section, read_series
from dtb_runtime.report_indicators import indicators_section
from dtb_runtime.report_inputs import find_inputs
from dtb_runtime.report_numbers import label_of
from dtb_runtime.report_person import PersonReport, person_sections, read_person
from dtb_runtime.report_responses import read_trial_kinds, responses_section
from dtb_runtime.report_summary import PersonSummary, read_summary
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_worker import ServiceWorker
from dtb_runtime.twin_file import twin_bytes

from .report_files import (
    EXAMPLES,
    SUMMARY,
    TINY,
    Element,
    Folders,
    edit_json,
    made_folders,
    numbers_in,
    parsed,
    tables_of,
    whole_report,
)
from .service_requests import asked

pd = pytest.importorskip("pandas", reason="the tables are checked with pandas")
for needed in ("jinja2", "matplotlib", "nilearn"):
    pytest.importorskip(needed, reason="a report needs the extra [report]")

HAMMER = "sub-01_task-hammer_desc-twin"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return made_folders(tmp_path_factory.getbasetemp() / "report_files")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Element:
    return parsed(whole_report(tmp_path_factory.getbasetemp() / "report_files").html)


@pytest.fixture(scope="module")
def tables(page: Element) -> dict[str, list[list[str]]]:
    return tables_of(page)


@pytest.fixture
def copy(folders: Folders, tmp_path: Path) -> Path:
    """A forecast to be changed."""
    return Path(shutil.copytree(folders.predicted, tmp_path / "copy"))


@pytest.fixture(scope="module")
def bundle(tiny: Bundle) -> ReportBundle:
    found, problem = find_report_bundle(Made("tiny", tiny.digest), str(TINY))
    assert found is not None
    assert problem == ""
    return found


def read(*places: Path, participant: str | None = None) -> PersonReport:
    inputs = find_inputs(places, participant)
    found = read_person(inputs.people, inputs.answers)
    assert found is not None
    return found


def summary_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return document


def picture_of(section: Section, part: int | None = None) -> Picture:
    blocks = section.blocks if part is None else section.parts[part].blocks
    return next(block for block in blocks if isinstance(block, Picture))


def table_of(section: Section, part: int | None = None) -> DataTable:
    blocks = section.blocks if part is None else section.parts[part].blocks
    return next(block for block in blocks if isinstance(block, DataTable))


def test_indicators_are_those_of_the_summary(
    folders: Folders, tables: dict[str, list[list[str]]]
) -> None:
    summary = summary_of(folders.calibrated)
    rows = {row[0]: row[1:] for row in tables["Indicators over all trials"][1:]}
    labels = {
        "reaction_time": "Response time (s)",
        "accuracy": "Accuracy",
        "stroop_effect": "Stroop effect (s)",
        "face_shape_effect": "Face minus shape time (s)",
        "amygdala_response": "Amygdala response (t)",
    }
    assert list(rows) == list(labels.values())
    for name, label in labels.items():
        value, interval, centile = rows[label]
        assert float(value) == pytest.approx(summary["indicators"][name], abs=0.051)
        low, high = (float(end) for end in interval.split(" to "))
        assert [low, high] == pytest.approx(summary["indicator_intervals"][name], abs=0.051)
        if name in summary["percentiles"]:
            percent = summary["percentiles"][name]["percent"]
            assert float(centile) == pytest.approx(percent, abs=0.51)
        else:
            assert centile == "n/a"


def test_a_strip_says_value_interval_and_where_the_cohort_lies(
    folders: Folders, bundle: ReportBundle, tiny: Bundle
) -> None:
    summary = read_summary(folders.predicted / SUMMARY)
    alt = picture_of(indicators_section(summary, bundle, "")).alt
    strips = dict(
        each.split(" ", 2)[::2] for each in alt.removeprefix("Centile strips. ").split(". ")
    )
    assert set(strips) == {"Response", "Stroop"}  # what the bundle has norms of
    norm = tiny.norms.indicator_quantiles["reaction_time"]
    found = numbers_in(strips["Response"].replace("90 %", ""))
    own = [
        summary.forecast.values["reaction_time"],
        *summary.forecast.intervals["reaction_time"],
        round(summary.percentiles["reaction_time"][0]),
        norm[50],
        norm[5],
        norm[95],
    ]
    assert found == pytest.approx(own, abs=6e-4)


def test_a_mean_twin_stands_beside_norms_moved_by_what_such_twins_have_too_much(
    bundle: ReportBundle, tiny: Bundle
) -> None:
    norm = tiny.norms.indicator_quantiles["stroop_effect"]
    for of_mean_twin, shift in ((False, 0.0), (True, 0.05)):
        moved = bundle.norm("stroop_effect", of_mean_twin=of_mean_twin)
        np.testing.assert_allclose(moved, norm + shift)  # type: ignore[arg-type]
    # So the centile is where the value lies on the strip.
    value = float(norm[30]) + 0.05
    percentile = tiny.norms.indicator_percentile("stroop_effect", value, of_mean_twin=True)
    assert percentile is not None
    strip = bundle.norm("stroop_effect", of_mean_twin=True)
    assert percentile.percent == pytest.approx(np.interp(value, strip, np.arange(101)))  # type: ignore[arg-type]
    assert bundle.norm("no such indicator", of_mean_twin=True) is None


def test_indicators_far_out_are_named(bundle: ReportBundle, copy: Path) -> None:
    def said(stroop: float) -> str:
        percents = {"reaction_time": 50.0, "stroop_effect": stroop}

        def put(document: dict[str, Any]) -> None:
            for name, percent in percents.items():
                document["percentiles"][name]["percent"] = percent

        summary = read_summary(edit_json(copy / SUMMARY, put))
        return str(indicators_section(summary, bundle, "").blocks[0].text)  # type: ignore[union-attr]

    far = said(97.4)
    assert "Outside of the middle 90 % of the twins of the training cohort: " in far
    assert "Stroop effect (s) at centile 97." in far
    assert "Response time" not in far
    assert "All 2 main indicators lie in the middle 90 %" in said(95.0)
    assert said(95.0).startswith("Forecast from the connectome, before any trial")


def test_what_indicators_are_and_what_they_rest_on_stands_beside_them(
    folders: Folders, page: Element, bundle: ReportBundle
) -> None:
    summary = read_summary(folders.calibrated / SUMMARY)
    section = indicators_section(summary, bundle, "")
    said = section.blocks[0].text  # type: ignore[union-attr]
    assert said.startswith("Forecast after learning from 186 trials of this person. ")
    (facts,) = (block for block in section.blocks if isinstance(block, Facts))
    meanings = summary_of(folders.calibrated)["indicator_meanings"]
    assert dict(facts.rows) == {label_of(name): of["Description"] for name, of in meanings.items()}
    shown = page.all("body")[0].text
    assert "hammer: matching faces and shapes; stroop: naming the ink colors" in shown.lower()


def test_the_connectome_stands_among_the_cohort(
    folders: Folders, bundle: ReportBundle, tiny: Bundle
) -> None:
    summary = read_summary(folders.predicted / SUMMARY)
    section = connectome_section(summary, bundle, "")
    alt = picture_of(section).alt
    assert tiny.norms.edges is not None
    assert tiny.norms.latent is not None
    for what, people, name in (
        ("Correlation", tiny.norms.edges.similarity, "similarity_to_cohort"),
        ("Distance", tiny.norms.latent.distance, "distance"),
    ):
        said = next(part for part in alt.split(". ", 1)[1].split("; ") if part.startswith(what))
        low, high, person = numbers_in(said.partition("90 %")[2])
        assert [low, high] == pytest.approx(np.quantile(people, [0.05, 0.95]), abs=6e-3)
        assert person == pytest.approx(summary.strangeness[name], abs=6e-3)
    text = section.blocks[0].text  # type: ignore[union-attr]
    assert text == summary.strangeness_sentence


def test_without_a_connectome_it_says_so(copy: Path, bundle: ReportBundle) -> None:
    path = edit_json(copy / SUMMARY, lambda d: d.update(connectome=None, strangeness=None))
    section = connectome_section(read_summary(path), bundle, "")
    assert "made without a connectome" in section.blocks[0].text  # type: ignore[union-attr]
    assert len(section.blocks) == 1


def test_response_times_are_means_over_trials_of_their_quantiles(
    folders: Folders, tables: dict[str, list[list[str]]]
) -> None:
    events = pd.read_csv(folders.calibrated / f"{HAMMER}_events.tsv", sep="\t", na_values="n/a")
    names = [f"response_time{end}" for end in ("", "_low", "_lower_quartile")]
    names += [f"response_time{end}" for end in ("_upper_quartile", "_high")]
    expected = events.groupby("trial_type")[names].mean()
    rows = {row[0]: row[1:] for row in tables["Response times (s)"][1:]}
    assert list(rows) == [
        *("hammer, face", "hammer, shape", "stroop, congruent", "stroop, incongruent")
    ]
    for kind in ("face", "shape"):
        n, *values = (float(cell) for cell in rows[f"hammer, {kind}"])
        assert n == (events.trial_type == kind).sum()
        assert values == pytest.approx(expected.loc[kind].tolist(), abs=6e-4)


def test_accuracy_is_the_mean_over_trials_with_the_interval_of_the_summary(
    folders: Folders, tables: dict[str, list[list[str]]]
) -> None:
    stroop = folders.calibrated / f"{HAMMER.replace('hammer', 'stroop')}_events.tsv"
    events = pd.read_csv(stroop, sep="\t", na_values="n/a")
    kinds = events.trial_type.str.match("con").map({True: "congruent", False: "incongruent"})
    means = events.groupby(kinds)[["p_correct", "p_no_response"]].mean()
    intervals = summary_of(folders.calibrated)["indicator_intervals"]
    rows = {row[0]: row for row in tables["Accuracy and missing responses (shares of trials)"][1:]}
    for kind in ("congruent", "incongruent"):
        _, right, interval, none = rows[f"stroop, {kind}"]
        assert float(right) == pytest.approx(means.p_correct[kind], abs=6e-4)
        assert float(none) == pytest.approx(means.p_no_response[kind], abs=6e-4)
        low, high = intervals[f"accuracy:stroop:{kind}"]
        assert interval == f"{low:.3f} to {high:.3f}"


def test_somebody_who_never_answers_has_no_times(copy: Path) -> None:
    path = copy / f"{HAMMER}_events.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.loc[:, [name for name in table if name.startswith("response_time")]] = "n/a"
    table.to_csv(path, sep="\t", index=False)
    section = responses_section(None, read_trial_kinds(path, "hammer"))
    assert table_of(section, 0).rows[0] == ("hammer, face", "54", *["n/a"] * 5)
    assert section.left_out == (
        "The 90 % intervals of accuracy are left out: the summary was not given.",
    )


def test_the_strongest_regions_are_those_of_the_table(
    folders: Folders, tables: dict[str, list[list[str]]], page: Element
) -> None:
    contrasts = pd.read_csv(folders.calibrated / f"{HAMMER}_contrasts.tsv", sep="\t")
    order = contrasts.t.abs().sort_values(ascending=False, kind="stable").index[:10]
    name = "The 10 regions with the largest t, face > shape"
    header, *rows = tables[name]
    assert header == ["region", "network", "estimate (SD)", "t"]
    assert [row[0] for row in rows] == contrasts.region[order].tolist()
    found = [float(row[3]) for row in rows]
    assert found == pytest.approx(contrasts.t[order].tolist(), abs=0.051)
    assert len(tables["All 12 regions, face > shape"]) == 13
    (alt,) = (
        image.attributes["alt"]
        for image in page.all("img")
        if "Glass brain" in image.attributes["alt"] and "face > shape" in image.attributes["alt"]
    )
    assert "for each of 10 regions" in alt  # the bundle does not say where the amygdalae lie
    assert f"{(contrasts.t > 0).sum()} respond more to the first" in alt
    assert contrasts.region[contrasts.t.idxmax()] in alt


def test_regions_without_a_place_are_named_and_not_drawn(
    folders: Folders, bundle: ReportBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def brain(values: Any, places: Any, *, alt: str, caption: str) -> Picture:
        drawn.update(values=values, places=places)
        return Picture(b"", b"", "image/png", 1, 1, alt, caption)

    monkeypatch.setattr("dtb_runtime.report_contrasts.brain_picture", brain)
    contrast = read_contrast(folders.predicted / f"{HAMMER}_contrasts.tsv", "hammer")
    places = bundle.places(contrast.regions)
    places[[2, 7]] = np.nan
    monkeypatch.setattr(ReportBundle, "places", lambda *_: places)
    caption = picture_of(contrasts_section([contrast], bundle, ""), 0).caption
    assert "does not say where they lie: 4 regions (L_SomMot, R_SomMot, lAMY-lh, lAMY" in caption
    kept = [0, 1, 3, 4, 5, 6, 8, 9]
    np.testing.assert_array_equal(drawn["values"], contrast.t[kept])
    np.testing.assert_array_equal(drawn["places"], places[kept])


def test_regions_over_time_are_the_amygdala_and_the_most_different_ones(
    folders: Folders, bundle: ReportBundle
) -> None:
    series = read_series(folders.predicted / f"{HAMMER}_timeseries.tsv", "hammer")
    contrast = read_contrast(folders.predicted / f"{HAMMER}_contrasts.tsv", "hammer")
    t = pd.Series(contrast.t, contrast.regions).sort_values(ascending=False)
    expected = dict.fromkeys(["lAMY-rh", *t.index[:2], t.index[-1]])
    assert chosen_regions(series, contrast, bundle, ()) == list(expected)
    assert chosen_regions(series, None, None, ()) == list(series.regions[:3])
    assert chosen_regions(series, contrast, bundle, ["R_Vis1", "L_Vis1"]) == ["R_Vis1", "L_Vis1"]
    with pytest.raises(UsageError, match=r"no region 'nowhere'; found L_Vis1, L_Vis2"):
        chosen_regions(series, contrast, bundle, ["nowhere"])
    with pytest.raises(UsageError, match="At most 8 regions are drawn over time, asked for 9"):
        chosen_regions(series, contrast, bundle, series.regions[:9])


def test_courses_say_their_range_and_which_trials_are_shaded(
    folders: Folders, bundle: ReportBundle
) -> None:
    series = read_series(folders.predicted / f"{HAMMER}_timeseries.tsv", "hammer")
    kinds = read_trial_kinds(folders.predicted / f"{HAMMER}_events.tsv", "hammer")
    section = courses_section([series], kinds, [], bundle, ["R_Vis2"])
    bold = pd.read_csv(folders.predicted / f"{HAMMER}_timeseries.tsv", sep="\t")["R_Vis2"]
    (row,) = table_of(section, 0).rows
    assert row[0] == "R_Vis2"
    found = [float(cell) for cell in row[1:4]]
    assert found == pytest.approx([bold.mean(), bold.min(), bold.max()], abs=6e-4)
    assert "Shaded: face trials." in picture_of(section, 0).alt
    assert series.tr_s == 0.8


def test_before_and_after_from_two_folders_and_from_what_was_printed(
    folders: Folders, tables: dict[str, list[list[str]]]
) -> None:
    both = read(folders.calibrated, folders.predicted)
    printed = read(folders.printed)
    for person in (both, printed):
        assert person.summary is not None
        assert person.before is not None
        assert person.summary.n_trials == 186
        expected = summary_of(folders.predicted)["indicators"]
        assert person.before.values == expected
        assert person.summary.forecast.values == summary_of(folders.calibrated)["indicators"]
    assert both.files is not None
    assert both.files.summary == folders.calibrated / SUMMARY
    assert printed.files is None
    header, *rows = tables["Indicators before and after"]
    row = next(row for row in rows if row[0] == "Response time (s)")
    assert float(row[1]) == pytest.approx(expected["reaction_time"], abs=6e-4)
    assert header == ["indicator", "before", "90 % interval", "after", "90 % interval"]


def test_trials_seen_stand_beside_their_forecast(folders: Folders) -> None:
    person = read(folders.printed)
    assert person.summary is not None
    assert person.before is not None
    section = calibration_section(person.summary, person.before)
    assert "left 48 % of the doubt" in section.blocks[0].text  # type: ignore[union-attr]
    seen = json.loads(folders.printed.read_text(encoding="utf-8"))["seen"]
    rows = section.blocks[-1].rows  # type: ignore[union-attr]
    assert len(rows) == len(seen) == 6
    for row, line in zip(rows, seen, strict=True):
        assert row[0] == f"{line['task']}, {line['trial_type'] or 'all'}"
        assert row[1:3] == (str(line["n_trials"]), str(line["n_answered"]))
        assert float(row[3]) == pytest.approx(line["accuracy"], abs=6e-4)
        assert float(row[6]) == pytest.approx(line["forecast_response_time_s"], abs=6e-4)


def test_a_summary_alone_gives_what_it_can(folders: Folders, bundle: ReportBundle) -> None:
    person = read(folders.predicted / SUMMARY)
    keys = [section.key for section in person_sections(person, bundle, "", ())]
    assert keys == ["connectome", "indicators"]
    tables_only = read(folders.predicted / f"{HAMMER}_events.tsv")
    assert tables_only.participant_id == "sub-01"
    keys = [section.key for section in person_sections(tables_only, bundle, "", ())]
    assert keys == ["responses"]


def test_answers_of_the_service_are_read_as_what_the_commands_print(
    tiny: Bundle, folders: Folders, tmp_path: Path
) -> None:
    twin = tiny.population_twin(participant_id="sub-01")
    data = base64.b64encode(twin_bytes(twin)).decode("ascii")
    worker = ServiceWorker([tiny], ServiceLimits())
    trials = {}
    for task in ("stroop", "hammer"):
        path = EXAMPLES / f"sub-example_task-{task}AP_events.tsv"
        trials[task] = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).to_dict("list")
    asks = {"predict": {"twin": data}, "calibrate": {"twin": data, "trials": trials}}
    paths = {}
    for kind, body in asks.items():
        paths[kind] = tmp_path / f"{kind}.json"
        paths[kind].write_text(json.dumps(asked(worker, kind, **body, draws=4)), encoding="utf-8")
    predicted, learned = read(paths["predict"]), read(paths["calibrate"])
    assert predicted.summary is not None
    assert learned.summary is not None
    assert learned.before is not None
    assert learned.before.values == predicted.summary.forecast.values
    assert learned.summary.forecast.values != learned.before.values
    assert len(learned.summary.seen) == 6
    assert predicted.made[0][1] == Made("tiny", tiny.digest)
    section = calibration_section(learned.summary, learned.before)
    assert section.blocks[-1].rows[0][1] == "54"  # type: ignore[union-attr]


def test_a_folder_of_folders_is_all_of_them(folders: Folders, tmp_path: Path) -> None:
    for place in (folders.predicted, folders.calibrated, folders.intervention):
        shutil.copytree(place, tmp_path / place.name)
    found = find_inputs([tmp_path])
    assert len(found.people) == 2
    assert found.intervention is not None
    every = (folders.calibrated, folders.intervention, folders.predicted)
    assert found == find_inputs([tmp_path / place.name for place in every])


@pytest.mark.parametrize("kind", ["events", "contrasts", "timeseries"])
def test_tables_alone_carry_the_warning_of_their_bundle(
    kind: str, folders: Folders, tiny: Bundle
) -> None:
    path = folders.predicted / f"{HAMMER}_{kind}.tsv"
    text = html.unescape(make_report([path], bundle=str(TINY)).html.decode())
    assert tiny.manifest.training.warning is not None
    assert text.count(tiny.manifest.training.warning) == 1


def test_accuracy_without_an_interval_says_so(folders: Folders) -> None:
    kinds = read_trial_kinds(folders.predicted / f"{HAMMER}_events.tsv", "hammer")
    alone = picture_of(responses_section(None, kinds), 1)
    assert alone.caption.endswith("(diamond). No summary that says its interval was given.")
    summary = read_summary(folders.predicted / SUMMARY)
    assert "90 % interval (line)" in picture_of(responses_section(summary, kinds), 1).caption


def test_a_folder_of_a_bids_data_set_is_one_person(folders: Folders, tmp_path: Path) -> None:
    for kind in ("beh", "func"):
        (tmp_path / "sub-01" / "ses-a" / kind).mkdir(parents=True)
    for path in folders.predicted.iterdir():
        kind = "beh" if "_events." in path.name else "func"
        name = path.name.replace("sub-01", "sub-01_ses-a")
        shutil.copy(path, tmp_path / "sub-01" / "ses-a" / kind / name)
    person = read(tmp_path / "sub-01" / "ses-a")
    assert person.files is not None
    assert len(person.files.tables) == 6
    assert person.participant_id == "sub-01"


def refused(error: type[Exception], match: str, *places: Path, **how: Any) -> None:
    with pytest.raises(error, match=match) as caught:
        read(*places, **how)
    assert str(caught.value).isprintable()


def test_several_people_are_told_apart(copy: Path) -> None:
    for path in list(copy.iterdir()):
        shutil.copy(path, copy / path.name.replace("sub-01", "sub-02"))
    edit_json(copy / SUMMARY.replace("01", "02"), lambda d: d.update(participant_id="sub-02"))
    refused(UsageError, r"one person, found forecasts of sub-01, sub-02\. Choose one with", copy)
    assert read(copy, participant="02").participant_id == "sub-02"
    refused(UsageError, "There is no forecast of sub-03", copy, participant="sub-03")


def test_a_person_who_is_asked_for_and_not_there_is_refused(folders: Folders) -> None:
    for given in (folders.printed, folders.intervention):
        assert make_report([given], bundle=str(TINY), participant="01").title.endswith("sub-01")
        with pytest.raises(UsageError, match=r"These files are of sub-01, not of sub-02\. Leave"):
            make_report([given], bundle=str(TINY), participant="02")
    with pytest.raises(UsageError, match=r"Nothing among these files says that it is of sub-01"):
        make_report([folders.scores], bundle=str(TINY), participant="01")


def test_forecasts_that_do_not_belong_together_are_refused(folders: Folders, copy: Path) -> None:
    message = "equally many trials"
    edit_json(copy / SUMMARY, lambda d: d["indicators"].update(reaction_time=0.5))
    refused(UsageError, message, copy, folders.predicted)
    edit_json(copy / SUMMARY, lambda d: d["calibration"].update(trials=7))
    refused(
        UsageError, "that rest on 0, 7, 186 trials", copy, folders.predicted, folders.calibrated
    )
    edit_json(copy / SUMMARY, lambda d: d.update(participant_id="sub-09"))
    refused(DataError, "is named after sub-01, but is the summary of 'sub-09'", copy)
    other = copy / "printed.json"
    (copy / SUMMARY).rename(other)
    refused(UsageError, "found summaries of 'sub-01' and 'sub-09'", folders.predicted, other)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d.pop("indicators"), "is no summary of a forecast: it lacks"),
        (lambda d: d["indicators"].update(a=1e12), "indicators, a: 1e.12 is beyond all that"),
        (lambda d: d["indicators"].update(a="x"), "indicators, a: expected a number, found 'x'"),
        (lambda d: d["indicator_intervals"].update(a=[2, 1]), "two numbers, the lower one first"),
        (lambda d: d["indicator_intervals"].update(a=[1]), "two numbers, the lower one first"),
        (lambda d: d["percentiles"]["accuracy"].update(percent=101), "from 0 to 100, found 101"),
        (lambda d: d["strangeness"].update(distance=-1e12), "strangeness, distance: -1e.12 is"),
        (lambda d: d.update(participant_id="a\nb"), "participant_id: expected one line of text"),
        (lambda d: d.update(draws=0), "draws: expected a whole number of at least 1"),
    ],
)
def test_a_summary_that_is_none_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], object], match: str
) -> None:
    def both(document: dict[str, Any]) -> None:
        document["percentiles"].setdefault("accuracy", {"percent": 5.0, "compared_to": "people"})
        change(document)

    edit_json(copy / SUMMARY, both)
    refused(DataError, match, copy)


@pytest.mark.parametrize(
    ("column", "cell", "match"),
    [
        ("p_correct", "1.5", "p_correct must be probabilities from 0 to 1"),
        ("p_correct", "n/a", "p_correct must be probabilities from 0 to 1"),
        ("onset", "-3", "onset must be seconds in every row, none below 0"),
        ("duration", "n/a", "duration must be seconds in every row"),
        ("response_time", "soon", "row 1, response_time: expected a number, found 'soon'"),
        ("response_time", "inf", "row 1, response_time: expected a number, found 'inf'"),
        ("response_time_low", "1e10", "row 1, response_time_low: 1e.10 is beyond all that"),
    ],
)
def test_a_table_of_trials_that_is_none_is_refused(
    copy: Path, column: str, cell: str, match: str
) -> None:
    path = copy / f"{HAMMER}_events.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.loc[0, column] = cell
    table.to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=match):
        read_trial_kinds(path, "hammer")
    table.drop(columns=column).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=f"has no column '{column}'"):
        read_trial_kinds(path, "hammer")


def test_too_many_kinds_of_trials_are_refused(copy: Path) -> None:
    path = copy / f"{HAMMER}_events.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table["trial_type"] = [f"kind{'x' * row}" for row in range(len(table))]
    table.to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match="has 108 kinds of trials, expected at most 12"):
        read_trial_kinds(path, "hammer")


def test_other_tables_that_are_none_are_refused(copy: Path) -> None:
    contrasts, series = copy / f"{HAMMER}_contrasts.tsv", copy / f"{HAMMER}_timeseries.tsv"
    contrasts.write_text("region\testimate\tt\nx\tn/a\t1\n")
    with pytest.raises(DataError, match="must have a number of each region in estimate and t"):
        read_contrast(contrasts, "hammer")
    edit_json(series.with_suffix(".json"), lambda d: d.update(RepetitionTime=0))
    with pytest.raises(DataError, match="a RepetitionTime above 0"):
        read_series(series, "hammer")
    series.with_suffix(".json").unlink()
    with pytest.raises(DataError, match="There is no file at"):
        read_series(series, "hammer")
    for path in copy.glob("*.json"):
        path.unlink()
    refused(DataError, "Nothing says with which bundle these tables were made", contrasts)


def test_a_summary_of_the_tiny_bundle_is_read_whole(folders: Folders) -> None:
    """So that a field that is renamed there is noticed here."""
    found = read_summary(folders.printed)
    assert isinstance(found, PersonSummary)
    assert found.draws == 4
    assert found.spread_left == 0.48
    assert found.warnings[0].startswith("This is a test bundle with invented weights")
    assert not found.is_mean
    assert read_summary(folders.predicted / SUMMARY).before is None
