"""Variants of the settings are trained and judged on people whom none of them saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ablations
import pytest
from ablation_judging import RULES, Judged, rules
from ablation_variants import BUNDLE, CHECKPOINT, VARIANTS, Length, Variant, train_variant
from results_ablations import METRICS_SHOWN, MODES
from results_page import render

from dtb_models.cohorts import Cohort
from dtb_models.config import compact_config
from dtb_models.judged_files import read_judged_trials
from dtb_models.population_settings import PopulationSettings
from dtb_runtime.bundle_loading import load_bundle

N_PEOPLE = 25
"""In the small data folder."""
SHORT = Length(updates=2, paper_epochs=1, direct_epochs=1)
SIZES = {"personal_units": 6, "slow_units": 4, "latent_size": 4, "bold_latents": 2}
EPOCH = {"slow_epochs": 1}


def short(variant: Variant) -> Variant:
    """Return a variant that trains within seconds."""
    if variant.preset != "compact":
        return variant
    return replace(
        variant, config={**SIZES, **variant.config}, settings={**EPOCH, **variant.settings}
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_a_variant_differs_in_can_be_set(variant: Variant) -> None:
    if variant.preset == "compact":
        compact_config(100, 10, **variant.config)
        PopulationSettings(**variant.settings)
    assert variant.learns is (variant.name not in ("density", "paper", "direct_input"))


def test_names_are_told_apart() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    assert VARIANTS[0].config == VARIANTS[0].settings == {}


@pytest.fixture(scope="module", autouse=True)
def two_judged() -> Iterator[None]:
    """Only two people are judged: learning from trials takes seconds a person."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablations, "N_PARTS", N_PEOPLE // 2)
        yield


@pytest.fixture(scope="module")
def base_and_density(
    small_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[Variant, ...]]:
    """The folder of two trained variants, and the variants."""
    work = tmp_path_factory.mktemp("ablations")
    variants = tuple(short(v) for v in VARIANTS if v.name in ("base", "density"))
    for variant in variants:
        ablations.work_on(variant, small_data / "data", work / variant.name, SHORT)
    return work, variants


def test_nobody_who_is_judged_was_trained_on(
    base_and_density: tuple[Path, tuple[Variant, ...]], small_data: Path
) -> None:
    work, _ = base_and_density
    people = ablations.cohort(small_data / "data")
    parts = ablations.parts_of(people)
    judged = read_judged_trials(work / "base" / "judged" / "calibrated.tsv")
    assert set(judged.participant_id) <= set(parts[0])
    training = load_bundle(work / "base" / BUNDLE, device="cpu").manifest.training
    assert training.n_train == sum(len(part) for part in parts[1:])


def test_a_variant_that_cannot_learn_is_judged_without_trials(
    base_and_density: tuple[Path, tuple[Variant, ...]],
) -> None:
    work, _ = base_and_density
    modes = {
        name: {file.stem for file in (work / name / "judged").iterdir()}
        for name in ("base", "density")
    }
    assert modes["base"] == {"calibrated", "no_trials", "connectome", "shuffled"}
    assert modes["density"] == {"no_trials", "connectome", "shuffled"}


def test_the_report_makes_a_section(
    base_and_density: tuple[Path, tuple[Variant, ...]], small_data: Path
) -> None:
    work, variants = base_and_density
    report = ablations.report(small_data / "data", work, variants, SHORT)
    assert list(report["variants"]) == ["base", "density"]
    assert set(RULES) == set(MODES) == set(report["rules"]) == set(report["controls"])
    base = report["variants"]["base"]
    assert base["minus_base"] == {}
    assert {name.partition(":")[0] for name in base["modes"]["calibrated"]} <= set(METRICS_SHOWN)
    difference = report["variants"]["density"]["minus_base"]["connectome"]["rt_rmse_s:stroop"]
    values = [
        report["variants"][name]["modes"]["connectome"]["rt_rmse_s:stroop"]["value"]
        for name in ("density", "base")
    ]
    assert difference["value"] == pytest.approx(values[0] - values[1])
    page = render({"ablations": report})
    assert "| `density` |" in page
    assert "| own mean |" in page and "| shuffled connectomes |" in page


def test_a_finished_training_is_not_trained_again(
    base_and_density: tuple[Path, tuple[Variant, ...]],
    small_data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, (base, _) = base_and_density
    monkeypatch.setattr("ablation_variants.train", None)
    people: Cohort = ablations.cohort(small_data / "data")
    assert people.parcellation is not None
    folder = work / "base"
    minutes = train_variant(base, people, people.parcellation, folder, SHORT, seed=1)
    assert minutes == float((folder / "minutes.txt").read_text(encoding="utf-8"))
    assert (folder / CHECKPOINT / "checkpoint.json").is_file()


def test_rules_know_the_people_of_the_other_parts(small_data: Path) -> None:
    people = ablations.cohort(small_data / "data")
    parts = ablations.parts_of(people)
    judged = Judged.of(people.participants, parts)
    for found in rules(judged).values():
        assert found
        for table in found.values():
            assert table.has_rows_of(judged.people.trials())


def test_small_variants_stand_for_every_kind_of_network() -> None:
    variants, length = ablations.chosen(smoke=True)
    assert {variant.preset for variant in variants} == {"compact", "paper", "direct"}
    assert length.updates < 10
    assert ablations.chosen(smoke=False) == (VARIANTS, Length())


def test_a_variant_that_does_not_exist(
    small_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DTB_SHARED", str(small_data))
    words = ["ablations.py", "--work", str(tmp_path), "--variant", "larger"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        ablations.main()
    assert "--variant is one of base, latents_4" in capsys.readouterr().err
