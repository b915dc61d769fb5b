"""The card says first what was real, and credits what entered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dtb_export.model_card import NOT_A_DEVICE, model_card
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.manifest import Manifest

HCP = "Data were provided in part by the Human Connectome Project, WU-Minn Consortium"


def card(manifest: Manifest, **training: Any) -> str:
    return model_card(replace(manifest, training=replace(manifest.training, **training)))


@pytest.mark.parametrize(
    ("kind", "warning", "sentence"),
    [
        ("simulated", "Careful.", "**Real:** nothing that this bundle learned from."),
        (
            "semi-synthetic",
            "Careful.",
            "**Real:** the behavior (choices and response times) of the 40 people",
        ),
        ("real", None, "**Real:** connectomes, behavior and BOLD of the 40 people"),
    ],
)
def test_the_first_lines_say_what_was_real_and_what_simulated(
    manifest: Manifest, kind: str, warning: str | None, sentence: str
) -> None:
    text = card(manifest, kind=kind, warning=warning, description="What it was.")
    title, real, description, *rest = text.split("\n\n")
    assert title == f"# {manifest.name}"
    assert real.startswith(sentence)
    assert "**Simulated:**" in real
    assert description == "What it was."
    assert ("> Careful." in rest) == (warning is not None)
    assert NOT_A_DEVICE in rest[:2]


def test_hcp_is_credited_only_where_its_data_entered(manifest: Manifest) -> None:
    maps = "Face and shape maps are the mean activations of 10 real people (Human Connectome "
    with_hcp = card(manifest, description=f"Behavior of 180 real people. {maps}Project, emotion).")
    assert HCP in with_hcp
    assert "do not try to re-identify anybody" in with_hcp
    assert HCP not in card(manifest, description="40 simulated people.")


def test_the_behavior_of_real_people_is_credited(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The cohort's own sentence: a card that waits for other words would credit nobody.
    assert manifest.parcellation is not None
    cohort = SimulatedCohort(manifest.parcellation, 3)
    assert "ds005237" not in card(manifest, description=cohort.description)
    monkeypatch.setattr(SimulatedCohort, "kind", "semi-synthetic")
    text = card(manifest, description=cohort.description)
    assert "Behavior of 3 real people" in text
    assert "ds005237 (CC0)" in text


def test_the_method_is_always_credited(manifest: Manifest) -> None:
    assert "doi 10.34133/bmef.0231" in model_card(manifest)


@pytest.mark.parametrize(
    ("name", "credit"), [("tcp434", "Yan et al. 2023"), ("glasser360", "Glasser et al. 2016")]
)
def test_the_parcellation_is_credited(manifest: Manifest, name: str, credit: str) -> None:
    assert manifest.parcellation is not None
    text = model_card(replace(manifest, parcellation=replace(manifest.parcellation, name=name)))
    assert credit in text
    assert credit not in model_card(manifest)


def test_figures_and_counts_stand_in_tables(manifest: Manifest) -> None:
    text = model_card(manifest)
    assert "| reaction_time_r:hammer | 0.4000 |" in text
    assert "| held out | 6 |" in text
    steps = "updates" if manifest.preset == "compact" else "epochs"
    assert f"seed 3; 2 {steps}" in text
    assert "None were measured." in model_card(replace(manifest, measured={}))


def test_limits_name_simulated_connectomes_only_where_there_were_some(manifest: Manifest) -> None:
    sentence = "learned from simulated connectomes"
    assert sentence in model_card(manifest)
    assert sentence not in card(manifest, kind="real", warning=None)


def test_the_same_manifest_gives_the_same_card(manifest: Manifest) -> None:
    assert model_card(manifest) == model_card(replace(manifest))


def test_rules_and_exchanged_connectomes_stand_beside_the_figures(manifest: Manifest) -> None:
    measured = {
        "choice_concordance:hammer": 0.97,
        "rule/choice_concordance:hammer": 0.9712,
        "shuffled/choice_concordance:hammer": 0.96,
    }
    text = model_card(replace(manifest, measured=measured))
    row = "| choice_concordance:hammer | 0.9700 | 0.9600 | 0.9712 | always the correct option |"
    assert row in text
    assert "rule/" not in text


def test_a_compact_card_says_that_its_settings_had_seen_the_figures(manifest: Manifest) -> None:
    text = model_card(manifest)
    assert ("shipped bundles' people in view" in text) == (manifest.preset == "compact")


def test_figures_of_simulated_people_are_not_those_of_real_ones(manifest: Manifest) -> None:
    measured = {
        "simulated-new-people/n:stroop": 200.0,
        "simulated-new-people/n_training": 228.0,
        "simulated-new-people/twin/rt_r:stroop": 0.385,
    }
    text = model_card(replace(manifest, measured=measured))
    before, _, _ = text.partition("| rt_r:stroop | 200 | 0.385 |")
    section = before.partition("## Measured figures")[2]
    assert "**The people judged here were simulated**" in section
    assert "trained on 228 simulated people" in section
    assert "None were measured." not in text


def test_real_maps_are_credited_and_named_among_the_limits(manifest: Manifest) -> None:
    text = model_card(replace(manifest, measured={"maps/twin/map_r:hammer": 0.58}))
    assert HCP in text
    assert "for real people was measured for face > shape maps only." in text
    assert "for real people has not been measured." in model_card(manifest)


def test_nobody_held_out_is_nobody_measured(manifest: Manifest) -> None:
    kinds = {"kind": "semi-synthetic", "warning": "Careful."}
    assert "of the 34 people it was trained on." in card(manifest, n_test=0, **kinds)
    assert "of the 40 people it was trained and measured on." in card(manifest, **kinds)
