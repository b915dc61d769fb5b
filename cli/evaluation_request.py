"""What an evaluation is asked to do: refused where it makes no sense, then done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .evaluation_people import DataKind, PeopleChoice, ProtocolName, refuse
from .training_options import Preset, TrainingChoice

if TYPE_CHECKING:
    from dtb_models.protocols import Protocol

DEFAULT_FOLDS = 5
_DEFAULT_PROTOCOL = {
    DataKind.TCP: ProtocolName.CALIBRATED,
    DataKind.SIMULATED: ProtocolName.NEW_PEOPLE,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One evaluation, as the command line describes it."""

    people: PeopleChoice
    training: TrainingChoice
    protocol: ProtocolName | None
    n_folds: int | None
    direct_epochs: int | None
    leave_one_out: bool
    reuse: Path | None
    jobs: int
    out: Path | None
    resume: bool
    force: bool

    @property
    def kind(self) -> DataKind:
        """Where the people come from."""
        return self.people.kind

    @property
    def is_trained(self) -> bool:
        """Whether networks are trained for this evaluation."""
        return self.people.bundle is None

    @property
    def seed(self) -> int:
        """Decides folds, shuffles, trainings and simulated people."""
        return self.people.seed

    def trained_in(self) -> Path:
        """Return the folder of what is trained for this evaluation.

        Raises
        ------
        UsageError
            If there is no place to keep it.
        """
        from dtb_models.evaluation_files import FOLDS_FOLDER
        from dtb_runtime.errors import UsageError

        if self.out is None:
            raise UsageError(
                "A training is kept, so that it can go on after a kill: add --out DIR."
            )
        return self.out / FOLDS_FOLDER

    def chosen_protocol(self) -> Protocol:
        """Return the protocol, the data's own where none was named."""
        from dtb_models.protocols import PROTOCOLS

        return PROTOCOLS[(self.protocol or _DEFAULT_PROTOCOL[self.kind]).value]

    def folds_wanted(self) -> int | None:
        """Return how many parts the people are split into; None for no parts."""
        has_parts = (
            self.kind is DataKind.TCP
            and self.is_trained
            and not self.chosen_protocol().trains_on_judged
        )
        return (self.n_folds or DEFAULT_FOLDS) if has_parts else None

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse options that do not go together, and places that are taken.

        Parameters
        ----------
        given
            Options that have a default, as they were given.

        Raises
        ------
        DtbError
        """
        from dtb_models.evaluation_files import check_place
        from dtb_runtime.errors import UsageError

        self.people.check()
        self._check_kind(given)
        if self.is_trained:
            self._check_training()
        else:
            refuse(
                {"--folds": given["--folds"], "--preset": given["--preset"], **self._asked_for()},
                f"--bundle {self.people.bundle} is trained already",
            )
        if self.out is not None:
            check_place(self.out, resume=self.resume, force=self.force)
        elif self.resume:
            raise UsageError("--resume goes on with what lies in --out DIR. Add it.")

    def run(self) -> dict[str, Any]:
        """Do it, and return what ``metrics.json`` holds.

        Raises
        ------
        OutputError
            Another evaluation is writing to the same folder.
        """
        if self.out is None:
            return self._judge()
        from dtb_runtime.folder_lock import locked_folder

        with locked_folder(self.out):
            return self._judge()

    def _judge(self) -> dict[str, Any]:
        if self.kind is DataKind.HCP:
            from .evaluation_of_maps import judge_maps

            return judge_maps(self._reusing())
        from .evaluation_of_trials import judge_trials

        return judge_trials(self)

    def _asked_for(self) -> dict[str, Any]:
        """Return the options of a training that were given."""
        names = (
            *("loss", "hidden_size", "personal_units", "latent_size", "updates", "epochs"),
            *("batch_size", "learning_rate", "patience"),
        )
        options = {f"--{name.replace('_', '-')}": getattr(self.training, name) for name in names}
        return options | {
            "--direct-input": self.direct_epochs,
            "--leave-one-out": self.leave_one_out or None,
            "--reuse": self.reuse,
        }

    def _check_kind(self, given: Mapping[str, Any]) -> None:
        from dtb_runtime.errors import UsageError

        kind = self.kind
        if kind is DataKind.TCP:
            refuse(
                {"--people": given["--people"], "--new": given["--new"]},
                "--data tcp DIR takes everybody in DIR",
            )
        else:
            refuse({"--folds": given["--folds"]}, f"--data {kind.value} has no folds")
        if kind is DataKind.SIMULATED and self.chosen_protocol().trains_on_judged:
            refuse({"--new": given["--new"]}, "--protocol temporal judges those it trains on")
        if kind is DataKind.HCP:
            refuse({"--protocol": self.protocol}, "People of --data hcp did no trials")
            refuse({"--new": given["--new"]}, "--data hcp judges everybody in DIR")
            if self.people.bundle is not None or self.people.behavior_from is not None:
                refuse({"--people": given["--people"]}, "Nobody's behavior is simulated")
            refuse({"--direct-input": self.direct_epochs}, "It is judged on trials")
            if self.is_trained and not self.leave_one_out:
                raise UsageError(
                    "--data hcp judges a bundle (--bundle NAME), or trains without each person "
                    "(--leave-one-out). Add one of the two."
                )
        else:
            refuse(
                {"--leave-one-out": self.leave_one_out or None, "--reuse": self.reuse},
                f"Activations are left out of --data hcp, not of {kind.value}",
            )

    def _check_training(self) -> None:
        from dtb_runtime.errors import UsageError

        self.training.check()
        if self.people.regions is None:
            raise UsageError(
                "Networks are trained for this evaluation, and that needs the regions: add "
                "--regions TABLE. Or judge what is trained already: --bundle NAME."
            )
        self.trained_in()
        if self.kind is DataKind.HCP:
            if self.reuse is not None:
                refuse(
                    {k: v for k, v in self._asked_for().items() if k[2:] not in _OF_MAPS},
                    "--reuse takes the network and the settings of its checkpoint",
                )
            return
        protocol = self.chosen_protocol()
        if protocol.trains_on_judged:
            refuse({"--folds": self.n_folds}, "--protocol temporal trains on everybody")
        if not self.training.learns_from_trials and protocol.name == "calibrated":
            kind = "of the paper preset" if self.training.preset is Preset.PAPER else "of densities"
            raise UsageError(
                f"A network {kind} cannot learn from a person's trials: that takes a latent and "
                "hazards. Take --protocol temporal or new-people."
            )

    def _reusing(self) -> Request:
        """Return the same with the seed of the training whose state is taken."""
        if self.reuse is None:
            return self
        from dtb_models.population import STATE_FILE
        from dtb_models.state_file import read_identity

        state = self.reuse / STATE_FILE
        seed = int(read_identity(state)["settings"]["seed"])
        return replace(
            self,
            people=replace(self.people, seed=seed),
            training=replace(self.training, seed=seed, reuse=state),
        )


_OF_MAPS = ("leave-one-out", "reuse", "direct-input")
