"""What a bundle takes over from an evaluation, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_export.bundle_writer import export_bundle
from dtb_export.evaluation_figures import evaluations_in, read_all_figures, read_figures
from dtb_export.evaluation_sections import evaluation_sections, figures_table
from dtb_export.map_figures import maps_table
from dtb_models.checkpoint import Checkpoint
from dtb_models.evaluation_hcp import HcpBundles, evaluate_hcp
from dtb_models.evaluation_report import Facts
from dtb_models.hcp import HcpCohort
from dtb_runtime import load_bundle
from dtb_runtime.errors import DataError

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
Write = Callable[..., Path]


def figure(value: float | None, n: int = 31) -> dict[str, float | int | None]:
    return {"value": value, "low": None, "high": None, "n": n}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a report with some parts changed, by default of real people after their first half."""

    def written(name: str = "metrics.json", **changes: Any) -> Path:
        report = {
            "data": {"kind": "real", "connectomes": "none"},
            "protocol": "calibrated",
            "bundle": None,
            "training": {"preset": "compact"},
            "folds": 5,
            "in_sample": 0,
            "planted": None,
            "methods": {
                "twin": {
                    "meaning": "",
                    "figures": {
                        "rt_r:hammer": figure(0.93),
                        "rt_r:stroop": figure(0.9, 29),
                        "rt_bias_s:hammer": figure(0.01),
                    },
                },
                "rule/own_mean": {"meaning": "", "figures": {"rt_r:hammer": figure(0.92)}},
                "rule/demographics": {"meaning": "", "figures": {"rt_r:hammer": figure(None)}},
                "rule/position_mean": {"meaning": "", "figures": {"rt_r:hammer": figure(0.1)}},
            },
        }
        path = tmp_path / name
        path.write_text(json.dumps(report | changes), encoding="utf-8")
        return path

    return written


def simulated(**changes: Any) -> dict[str, Any]:
    """What differs where people were made up."""
    return {
        "data": {"kind": "simulated", "connectomes": "simulated"},
        "protocol": "new-people",
        "folds": None,
        "planted": {"n_training": 228, "n_new": 200},
        **changes,
    }


@pytest.fixture
def maps_report(tmp_path: Path) -> dict[str, Any]:
    """A real report of made-up maps, said to be of people left out."""
    rng = np.random.default_rng(3)
    for number in range(1, 6):
        folder = tmp_path / "hcp" / f"sub-{number}"
        folder.mkdir(parents=True)
        series = rng.standard_normal((80, 12)).astype(np.float32)
        np.save(folder / f"sub-{number}_task-rest_atlas-T_timeseries.npy", series)
        rows = [f"{i}\t{face:.5f}\t{shape:.5f}" for i, (face, shape) in enumerate(series[:12, :2])]
        table = folder / f"sub-{number}_task-emotion_atlas-T_betas.tsv"
        table.write_text("\n".join(["region_index\tfaces\tshapes", *rows, ""]), encoding="utf-8")
    bundle = load_bundle(TINY, device="cpu")
    cohort = HcpCohort(tmp_path / "hcp", bundle.manifest.parcellation)
    own = {person.participant_id: bundle for person in cohort.participants}
    facts = Facts({"kind": "real", "connectomes": "real"}, None, {"preset": ""}, 5, 0, ())
    return evaluate_hcp(cohort, HcpBundles(own, is_left_out=True), facts)


def test_the_card_s_figures_are_taken_over_and_no_others(write: Write) -> None:
    # Nor rules where they tell nothing: position_mean stands beside no r over people.
    assert read_figures(write()) == {
        "calibrated/connectomes": 0.0,
        "calibrated/folds": 5.0,
        "calibrated/n:hammer": 31.0,
        "calibrated/n:stroop": 29.0,
        "calibrated/twin/rt_r:hammer": 0.93,
        "calibrated/twin/rt_r:stroop": 0.9,
        "calibrated/rule/own_mean/rt_r:hammer": 0.92,
    }


def test_the_table_has_a_column_for_every_method_that_was_measured(write: Write) -> None:
    measured = read_figures(write())
    assert evaluations_in(measured) == ("calibrated",)
    assert figures_table(measured, "calibrated") == [
        ["figure", "n", "twin", "own mean"],
        ["rt_r:hammer", "31", "0.930", "0.920"],
        ["rt_r:stroop", "29", "0.900", ""],
    ]


def test_simulated_people_have_names_and_a_sentence_of_their_own(write: Write) -> None:
    measured = read_figures(write(**simulated()))
    assert all(name.startswith("simulated-new-people/") for name in measured)
    assert measured["simulated-new-people/n_training"] == 228
    title, who, how, table, _ = evaluation_sections(measured)
    assert title == "### Simulated people, no trial seen"
    assert who.startswith("**The people judged here were simulated**")
    assert "was trained on 228 simulated people" in who
    assert "no cross-validated figures of real people" in who
    assert "ross-validation" not in how
    assert table.startswith("| figure | n | twin |")
    unknown = evaluation_sections(read_figures(write(**simulated(planted=None))))
    assert "was trained on simulated people." in unknown[1]


@pytest.mark.parametrize("kind", ["semi-synthetic", "real"])
def test_connectomes_simulated_around_behavior_are_said(write: Write, kind: str) -> None:
    data = {"kind": kind, "connectomes": "simulated"}
    measured = read_figures(write(data=data, protocol="new-people"))
    assert evaluations_in(measured) == ("semi-synthetic-new-people",)
    title, who, how, *_ = evaluation_sections(measured)
    assert title == "### Real people, simulated connectomes, no trial seen"
    assert "the judged ones included. These figures say nothing about real connectomes." in who
    assert "Cross-validation over people in 5 parts" in how


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, ("saw its person's trials", "It began without a connectome.", "in 5 parts")),
        (
            {"folds": None, "training": None, "bundle": "mine"},
            ("One bundle judged all of them; it was not trained on them.",),
        ),
        (
            {"data": {"kind": "real", "connectomes": "real"}},
            ("choices and response times", "It began with a connectome."),
        ),
        ({"protocol": "temporal", "in_sample": 31, "folds": None}, ("first halves of these",)),
    ],
)
def test_the_card_says_how_real_people_were_judged(
    write: Write, changes: dict[str, Any], sentences: tuple[str, ...]
) -> None:
    text = "\n".join(evaluation_sections(read_figures(write(**changes))))
    assert "**Real people:**" in text
    assert [sentence for sentence in sentences if sentence not in text] == []


def test_rows_and_columns_are_explained_once(write: Write) -> None:
    paths = [write("a.json"), write("b.json", **simulated())]
    *_, legend = evaluation_sections(read_all_figures(paths))
    assert legend.count("- `rt_r`: r over people") == 1
    assert legend.count("- own mean: the person's own mean response time") == 1


@pytest.mark.parametrize("protocol", ["calibrated", "new-people"])
@pytest.mark.parametrize(
    ("in_sample", "message"),
    [
        (5, "judges 5 people on whom its bundle was trained"),
        (None, "does not say whether its bundle was trained on the judged people"),
    ],
)
def test_people_whom_the_bundle_may_know_are_refused(
    write: Write, protocol: str, in_sample: int | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_figures(write(protocol=protocol, in_sample=in_sample))


def test_a_bundle_that_was_not_trained_for_the_temporal_protocol_is_refused(write: Write) -> None:
    path = write(protocol="temporal", in_sample=31, training=None, bundle="mine")
    with pytest.raises(DataError, match="'mine', which was not trained for the protocol"):
        read_figures(path)


def test_two_evaluations_of_one_kind_are_refused(
    write: Write, compact_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    one, other = write("one.json"), write("other.json", folds=4)
    with pytest.raises(DataError, match=r"one\.json and .*other\.json both hold .* 'calibrated'"):
        export_bundle(compact_checkpoint, tmp_path / "bundle", figures=[one, other])
    assert not (tmp_path / "bundle").exists()
    both = read_all_figures([one, write("third.json", **simulated(protocol="calibrated"))])
    assert evaluations_in(both) == ("calibrated", "simulated-calibrated")


def test_maps_of_people_left_out_enter(maps_report: dict[str, Any], write: Write) -> None:
    measured = read_figures(write(**maps_report))
    people, told = maps_report["maps"]["people"], maps_report["maps"]["identification"]["maps"]
    assert measured["maps/n:hammer"] == 5
    for method in ("twin", "rule/mean_of_others", "control/other_connectomes"):
        for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
            expected = people[f"{method}_r"][part]
            assert measured[f"maps/{method}/map_r{suffix}:hammer"] == pytest.approx(
                expected, abs=1e-6
            )
    assert measured["maps/twin/identification:hammer"] == pytest.approx(told["pairwise_rate"])
    assert measured["maps/twin/identification_p:hammer"] == pytest.approx(
        told["pairwise_p"], abs=1e-6
    )
    text = "\n\n".join(evaluation_sections(measured))
    assert "### Real people, face > shape maps" in text
    assert "**Real people:** resting connectomes and measured maps." in text
    assert "without the measured map of the person judged" in text


def test_the_table_of_maps_has_intervals_and_p() -> None:
    measured = {
        "maps/n:hammer": 10.0,
        "maps/twin/map_r:hammer": 0.58,
        "maps/twin/map_r_low:hammer": 0.5,
        "maps/twin/map_r_high:hammer": 0.65,
        "maps/rule/mean_of_others/map_r:hammer": 0.6,
        "maps/twin/unseen_half_r:hammer": 0.8,
        "maps/rule/mean_of_others/unseen_half_r:hammer": 0.84,
        "maps/twin/identification:hammer": 0.52,
        "maps/twin/identification_p:hammer": 0.4,
    }
    assert maps_table(measured, "maps") == [
        ["figure", "n", "twin", "mean of others"],
        ["own map, mean r [95 %]:hammer", "10", "0.580 [0.500, 0.650]", "0.600"],
        ["mean map of the half that is not known, r:hammer", "10", "0.800", "0.840"],
        ["own map closer than another's (chance 0.5):hammer", "10", "0.520, p 0.4", ""],
    ]


def test_maps_that_the_bundle_may_know_are_refused(
    maps_report: dict[str, Any], write: Write
) -> None:
    maps_report["maps"]["leave_one_out"] = False
    with pytest.raises(DataError, match=r"must be of people left out\. .* --leave-one-out"):
        read_figures(write(**maps_report))


@pytest.mark.parametrize("content", ["", "[1]", '{"protocol": "x"}', "[" * 5000])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"is not the metrics\.json of an evaluation"):
        read_figures(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "other"},
        {"data": {"kind": "invented", "connectomes": "none"}},
        {"data": {"kind": "real", "connectomes": "invented"}},
        {"methods": {"twin": []}},
    ],
)
def test_an_unknown_kind_of_evaluation_is_refused(write: Write, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"is not the metrics\.json of an evaluation"):
        read_figures(write(**changes))
