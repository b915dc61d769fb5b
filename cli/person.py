"""Who a command is about: the files that stand for one person, and the twin made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .options import Sex

if TYPE_CHECKING:
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.reading import Reading
    from dtb_runtime.twin import Twin


@dataclass(frozen=True, slots=True)
class Person:
    """What the command line says of one person."""

    connectome: Path | None
    twin: Path | None
    events: tuple[Path, ...]
    """Events files recorded while this person did a task."""
    reading: Reading
    participant_label: str | None
    age: float | None
    sex: Sex | None

    def check(self) -> None:
        """Refuse what cannot go together, before anything is loaded.

        Raises
        ------
        UsageError
        """
        from dtb_runtime.demographics import check_person
        from dtb_runtime.errors import UsageError

        if self.twin is not None:
            given = [f"--{name.replace('_', '-')}" for name in self.reading.given]
            if self.connectome is not None:
                given.insert(0, str(self.connectome))
            if given:
                raise UsageError(
                    f"--twin {self.twin} is made of a connectome already, but {given[0]} was given "
                    "as well. Leave one of the two out."
                )
        if (self.age is None) != (self.sex is None):
            lacking = "--sex" if self.sex is None else "--age"
            raise UsageError(f"Percentiles by age and sex need both. Add {lacking}.")
        check_person(self.age, self.norm_sex)

    @property
    def norm_sex(self) -> Literal["female", "male"] | None:
        """The sex as the norms want it."""
        if self.sex is None:
            return None
        return "male" if self.sex is Sex.MALE else "female"

    def participant_id(self, of_twin: str | None = None) -> str | None:
        """The label given, else the one that the files have; None if they have none.

        Parameters
        ----------
        of_twin
            What the saved twin says.

        Raises
        ------
        UsageError
            Files have different labels, or the label given is none.
        """
        from dtb_runtime.errors import UsageError
        from dtb_runtime.participants import checked_participant_id, participant_id_from

        if self.participant_label is not None:
            return checked_participant_id(self.participant_label)
        file_of: dict[str, Path] = {}
        for file in (self.connectome, self.twin, *self.events):
            if file is None:
                continue
            label = of_twin if file is self.twin and of_twin else participant_id_from(file)
            if label is not None:
                file_of.setdefault(label, file)
        if len(file_of) > 1:
            (one, first), (other, second) = list(file_of.items())[:2]
            raise UsageError(
                f"{first.name} is of {one}, but {second.name} of {other}. Give the files of one "
                "person, or say who it is with --participant-label."
            )
        return next(iter(file_of), None)

    def check_has_id(self) -> None:
        """Refuse to write files of somebody without a label.

        Raises
        ------
        UsageError
        """
        from dtb_runtime.errors import UsageError

        if self.twin is None and self.participant_id() is None:
            files = [file for file in (self.connectome, *self.events) if file is not None]
            name = files[0].name if files else "no file"
            raise UsageError(
                f"--out names its files after the participant, but {name} has no 'sub-<label>' in "
                "its name. Add --participant-label LABEL."
            )

    def make_twin(self, bundle: Bundle) -> Twin:
        """The person's twin before any of the events; the population's without anything else.

        Raises
        ------
        DtbError
            A file cannot be used.
        """
        from dataclasses import replace

        from dtb_runtime.connectome_file import read_connectome

        if self.twin is not None:
            twin = bundle.load_twin(self.twin)
            return replace(twin, participant_id=self.participant_id(twin.participant_id))
        participant_id = self.participant_id()
        if self.connectome is None:
            return bundle.population_twin(participant_id=participant_id)
        connectome = read_connectome(self.connectome, self.reading)
        return bundle.personalize(connectome, participant_id=participant_id)
