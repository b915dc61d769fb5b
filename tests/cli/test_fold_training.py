"""Trainings of an evaluation: what a plan holds, what is reused, what is finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dtb_cli.evaluation_people import DataKind, PeopleChoice
from dtb_cli.fold_training import Fold, FoldTraining, _begin_with
from dtb_cli.training_options import Preset, TrainingChoice
from dtb_models.config import compact_config
from dtb_models.population import STATE_FILE
from dtb_models.population_settings import PopulationSettings
from dtb_models.state_file import StateFile
from dtb_runtime.errors import CheckpointError, OutputError


def choice(**changes: Any) -> TrainingChoice:
    values: dict[str, Any] = {
        "preset": Preset.COMPACT,
        "loss": None,
        "hidden_size": None,
        "personal_units": 4,
        "latent_size": 4,
        "bold_regions": None,
        "updates": 7,
        "epochs": None,
        "batch_size": None,
        "learning_rate": None,
        "patience": None,
        "seed": 3,
        "device": "cpu",
    }
    return TrainingChoice(**{**values, **changes})


@pytest.fixture
def people(regions: Path) -> PeopleChoice:
    return PeopleChoice(
        kind=DataKind.SIMULATED,
        folder=None,
        derivatives=None,
        regions=regions,
        parcellation_name=None,
        bundle=None,
        n_people=6,
        n_new=2,
        share=0.18,
        behavior_from=None,
        activations=None,
        activations_regions=None,
        seed=3,
    )


def test_folds_are_parts_of_the_people(people: PeopleChoice) -> None:
    everybody = Fold("all").cohort(people)
    ids = [person.participant_id for person in everybody.participants]
    assert len(ids) == 8
    some = Fold("some", train_on=tuple(ids[:3])).cohort(people)
    assert [person.participant_id for person in some.participants] == ids[:3]
    halves = Fold("halves", first_halves=True).cohort(people)
    assert max(run.events.onset_s.max() for p in halves.participants for run in p.runs) < 196.8


def test_a_plan_is_kept_and_another_one_refused(people: PeopleChoice, tmp_path: Path) -> None:
    folder = tmp_path / "folds"
    training = FoldTraining((Fold("a"),), folder, people, choice(), None)
    training.begin(resume=False, force=False)
    training.begin(resume=True, force=False)
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert plan["training"]["updates"] == 7
    assert "device" not in plan["training"]  # it may go on elsewhere
    FoldTraining((Fold("a"),), folder, people, choice(device="cuda"), None).begin(
        resume=True, force=False
    )
    other = FoldTraining((Fold("a"), Fold("b")), folder, people, choice(), None)
    with pytest.raises(OutputError, match="begun with other options: folds"):
        other.begin(resume=True, force=False)
    with pytest.raises(OutputError, match=r"plan.json exists already"):
        other.begin(resume=False, force=False)
    (folder / "a").mkdir()
    other.begin(resume=False, force=True)
    assert not (folder / "a").exists()


@pytest.mark.parametrize("content", ['{"people": ', "[1]", '{"a": 1, "a": 1}', "\xff"])
def test_a_damaged_plan_is_said(people: PeopleChoice, tmp_path: Path, content: str) -> None:
    training = FoldTraining((Fold("a"),), tmp_path, people, choice(), None)
    (tmp_path / "plan.json").write_text(content, encoding="latin-1")
    with pytest.raises(OutputError, match=r"plan\.json.*Begin again with --force"):
        training.begin(resume=True, force=False)


def test_what_cannot_be_removed_is_said(
    people: PeopleChoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folds"
    training = FoldTraining((Fold("a"),), folder, people, choice(), None)
    training.begin(resume=False, force=False)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="folds cannot be removed: Permission denied"):
        training.begin(resume=False, force=True)
    assert (folder / "plan.json").is_file()
    assert not list(tmp_path.glob(".removed-*"))


def test_trainings_are_removed_with_their_plan(people: PeopleChoice, tmp_path: Path) -> None:
    folder = tmp_path / "folds"
    (folder / "a" / "bundle").mkdir(parents=True)  # of a plan that is gone
    FoldTraining((Fold("a"),), folder, people, choice(), None).begin(resume=False, force=True)
    assert [path.name for path in folder.iterdir()] == ["plan.json"]
    assert not list(tmp_path.glob(".removed-*"))


def test_a_reused_fit_is_copied_whole(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "checkpoint"
    with pytest.raises(CheckpointError, match="state cannot be read any more"):
        _begin_with(state, folder)
    assert not folder.exists()
    state.write_bytes(b"fitted")
    _begin_with(state, folder)
    _begin_with(state, folder)
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [
        (STATE_FILE, b"fitted")
    ]


def test_a_fold_is_finished_with_its_bundle_and_its_control(
    people: PeopleChoice, tmp_path: Path
) -> None:
    fold = Fold("a")
    training = FoldTraining((fold,), tmp_path, people, choice(), None)
    with_control = FoldTraining((fold,), tmp_path, people, choice(), 5)
    assert not training.is_finished(fold)
    training.bundle(fold).mkdir(parents=True)
    (training.bundle(fold) / "manifest.json").touch()
    assert training.is_finished(fold)
    assert not with_control.is_finished(fold)
    with_control.direct_input(fold).mkdir()
    (with_control.direct_input(fold) / "checkpoint.json").touch()
    assert with_control.is_finished(fold)


def test_facts_name_what_was_trained(people: PeopleChoice, tmp_path: Path) -> None:
    training = FoldTraining((Fold("a"),), tmp_path, people, choice(), 5)
    facts = training.facts(people.training_cohort())
    assert facts["kind"] == "simulated"
    assert facts["people"].startswith("8 simulated people")
    assert facts["sizes"]["latent_size"] == 4
    assert facts["settings"]["updates"] == 7
    assert facts["settings"]["held_out_fraction"] == 0
    assert facts["direct_epochs"] == 5
    json.dumps(facts)


def test_a_reused_fit_brings_its_network_and_settings(people: PeopleChoice, tmp_path: Path) -> None:
    config = compact_config(28, 8, personal_units=5, latent_size=7)
    settings = PopulationSettings(updates=11, seed=9)
    module = torch.nn.Linear(1, 1)
    identity = {"config": config.to_json(), "settings": settings.to_json(), "people": "digest"}
    state = StateFile(tmp_path / STATE_FILE, identity, {"population": module}, {})
    state.save({"update": 11})
    reusing = choice(reuse=tmp_path / STATE_FILE)
    network, labels = reusing.network(people.parcellation())
    assert network == config
    assert labels == people.parcellation().labels
    assert reusing.settings(network, held_out=0.3) == settings
    with pytest.raises(CheckpointError, match="is not a readable training state"):
        choice(reuse=tmp_path / "nothing").network(people.parcellation())
