"""Trainings of an evaluation, several at a time, each in a process of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import terminal
from .evaluation_people import PeopleChoice
from .processes import in_processes
from .training_options import OnProgress, TrainingChoice

if TYPE_CHECKING:
    from dtb_models.cohorts import Cohort

PLAN_FILE = "plan.json"
CHECKPOINT, BUNDLE, DIRECT = "checkpoint", "bundle", "direct_input"
"""Folders of one training."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One training."""

    name: str
    """Of its folder, and of its bundle."""
    train_on: tuple[str, ...] | None = None
    """Participant ids; None for everybody."""
    first_halves: bool = False
    """Whether only the first half of everybody's runs is trained on."""
    without: tuple[str, ...] = ()
    """Ids of people whose activations are not used."""

    def cohort(self, people: PeopleChoice) -> Cohort:
        """Return the people to train on."""
        from dtb_models.cohort_views import FirstHalves, SomePeople

        cohort = people.training_cohort(self.without)
        if self.train_on is not None:
            cohort = SomePeople(cohort, self.train_on)
        return FirstHalves(cohort) if self.first_halves else cohort


@dataclass(frozen=True, slots=True)
class FoldTraining:
    """All trainings of one evaluation, and where they go."""

    folds: tuple[Fold, ...]
    folder: Path
    people: PeopleChoice
    choice: TrainingChoice
    direct_epochs: int | None
    """Epochs of the direct-input control; None without it."""

    def bundle(self, fold: Fold) -> Path:
        """Folder of a fold's bundle."""
        return self.folder / fold.name / BUNDLE

    def direct_input(self, fold: Fold) -> Path:
        """Folder of a fold's direct-input control."""
        return self.folder / fold.name / DIRECT

    def is_finished(self, fold: Fold) -> bool:
        """Whether nothing of a fold is left to be done."""
        from dtb_models.checkpoint import JSON_FILE
        from dtb_runtime.bundle_layout import MANIFEST_FILE

        direct = self.direct_input(fold) / JSON_FILE
        return (self.bundle(fold) / MANIFEST_FILE).is_file() and (
            self.direct_epochs is None or direct.is_file()
        )

    def plan(self) -> dict[str, Any]:
        """Return all that decides what comes out, as JSON values."""
        values = {
            "people": asdict(self.people),
            "training": {k: v for k, v in asdict(self.choice).items() if k != "device"},
            "folds": [asdict(fold) for fold in self.folds],
            "direct_epochs": self.direct_epochs,
        }
        plan: dict[str, Any] = json.loads(json.dumps(values, default=str))
        return plan

    def facts(self, cohort: Cohort) -> dict[str, Any]:
        """Return how networks were trained on parts of a cohort, for ``metrics.json``."""
        config, _ = self.choice.network(self.people.parcellation())
        sizes = ("hidden_size", "personal_units", "latent_size", "bold_latents", "n_bold")
        return {
            "kind": cohort.kind,
            "people": cohort.description,
            "preset": config.preset,
            "action_reading": config.action_reading,
            "regions": self.people.parcellation().name,
            "sizes": {name: getattr(config, name) for name in sizes},
            "settings": self.choice.settings(config, 0.0).to_json(),
            "direct_epochs": self.direct_epochs,
        }

    def begin(self, *, resume: bool, force: bool) -> None:
        """Make the folder and write the plan, or check that it is the plan that is there.

        Raises
        ------
        OutputError
            If other trainings are there, or what is there cannot be read or replaced.
        """
        from dtb_runtime.atomic import write_files
        from dtb_runtime.errors import OutputError

        file = self.folder / PLAN_FILE
        if file.exists() and resume:
            differing = _differing(_read_plan(file), self.plan())
            if differing:
                raise OutputError(
                    f"{self.folder} was begun with other options: {differing[0]}. Go on with the "
                    "same ones, or begin again with --force."
                )
            return
        if self.folder.exists() and force:
            _remove(self.folder)
        text = json.dumps(self.plan(), indent=1) + "\n"
        write_files(self.folder, {PLAN_FILE: text.encode()}, force=False)

    def run(self, jobs: int) -> None:
        """Train whatever is not finished.

        Parameters
        ----------
        jobs : int
            Trainings at a time. One runs in this process, with all its threads; several run in
            processes of their own, with one thread each.
        """
        todo = [fold for fold in self.folds if not self.is_finished(fold)]
        if not todo:
            return
        each = self._n_steps()
        done = dict.fromkeys((fold.name for fold in todo), 0)
        with terminal.progress("Training", each * len(todo)) as progress:

            def on_progress(name: str, n_done: int, sentence: str) -> None:
                done[name] = n_done
                progress.advance(sum(done.values()), f"{name}: {sentence}")

            if jobs == 1 or len(todo) == 1:
                for fold in todo:
                    self.train(fold, _named(fold.name, on_progress))
                    on_progress(fold.name, each, "done")
            else:
                in_processes(
                    self.train, {fold.name: fold for fold in todo}, jobs, on_progress, each
                )

    def train(self, fold: Fold, on_progress: OnProgress | None) -> None:
        """Train one fold and export it."""
        from dtb_export.bundle_writer import export_bundle
        from dtb_models.checkpoint import JSON_FILE
        from dtb_models.direct_input import direct_settings, train_direct_input

        place = self.folder / fold.name
        cohort = fold.cohort(self.people)
        if not self.bundle(fold).exists():
            _begin_with(self.choice.reuse, place / CHECKPOINT)
            if not (place / CHECKPOINT / JSON_FILE).exists():
                self.choice.train(
                    cohort,
                    self.people.parcellation(),
                    place / CHECKPOINT,
                    fold.name,
                    held_out=0.0,
                    resume=True,
                    on_progress=on_progress,
                )
            export_bundle(place / CHECKPOINT, self.bundle(fold))
        if self.direct_epochs is not None:
            before = self._n_steps() - self.direct_epochs

            def later(done: int, total: int, sentence: str) -> bool | None:
                said = f"direct input: {sentence}"
                return None if on_progress is None else on_progress(before + done, total, said)

            train_direct_input(
                cohort,
                place / DIRECT,
                direct_settings(epochs=self.direct_epochs, seed=self.choice.seed),
                resume=True,
                device=self.choice.device,
                on_progress=later,
            )

    def _n_steps(self) -> int:
        config, _ = self.choice.network(self.people.parcellation())
        steps = self.choice.n_steps(self.choice.settings(config, 0.0))
        return steps + (self.direct_epochs or 0)


def _named(name: str, on_progress: Callable[[str, int, str], None]) -> OnProgress:
    def told(done: int, _total: int, sentence: str) -> bool | None:
        on_progress(name, done, sentence)
        return None

    return told


def _begin_with(state: Path | None, folder: Path) -> None:
    """Put a finished population fit where a training looks for one; whole, or not at all."""
    from dtb_models.population import STATE_FILE
    from dtb_runtime.atomic import write_files
    from dtb_runtime.errors import CheckpointError

    if state is None or (folder / STATE_FILE).exists():
        return
    try:
        content = state.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{state} cannot be read any more: {error.strerror or error}. Put it back, and go on "
            "with --resume."
        ) from error
    write_files(folder, {STATE_FILE: content}, force=False)


def _read_plan(file: Path) -> dict[str, Any]:
    """Read a plan that was written before.

    Raises
    ------
    OutputError
        If it is damaged or cannot be read.
    """
    from dtb_runtime.errors import DataError, OutputError
    from dtb_runtime.json_object import JsonObject

    try:
        return dict(JsonObject.parse(file.read_bytes(), str(file), DataError).rest())
    except OSError as error:
        raise OutputError(
            f"{file} cannot be read: {error.strerror or error}. Begin again with --force."
        ) from error
    except DataError as error:
        raise OutputError(f"{error} Begin again with --force.") from error


def _remove(folder: Path) -> None:
    """Remove a folder; a kill meanwhile leaves no trainings that lack their plan.

    Raises
    ------
    OutputError
        If it cannot be removed.
    """
    from dtb_runtime.errors import OutputError

    try:
        with tempfile.TemporaryDirectory(prefix=".removed-", dir=folder.parent) as removed:
            folder.rename(Path(removed) / folder.name)
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder} cannot be removed: {error.strerror or error}. Remove it "
            "yourself, or choose another folder."
        ) from error


def _differing(there: Any, now: Any, name: str = "") -> list[str]:
    """Say in what two plans differ."""
    if isinstance(there, dict) and isinstance(now, dict):
        keys = sorted(there.keys() | now.keys())
        return [text for key in keys for text in _differing(there.get(key), now.get(key), key)]
    return [] if there == now else [f"{name} {_short(there)} (now {_short(now)})"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else "..."
