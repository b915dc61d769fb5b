"""Age and sex of the people of a BIDS data set, read from its table and written to ours.

Our table holds exactly the people who have a folder in the results. Several processes may add
people at the same time: whoever has written it looks again whether it is still right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .bids_files import json_bytes, write_changed
from .covariates import SEXES
from .errors import CohortError
from .forecast import NOT_AVAILABLE
from .json_object import JsonObject
from .participants import is_participant_id
from .participants_table import PARTICIPANTS_FILE, ParticipantRows, column_named, rows_of
from .tables import is_missing, one_line, read_table, read_text, to_number

SIDECAR_FILE = "participants.json"
COLUMNS = ("age", "sex")
"""What is taken over."""
_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "age": {"Description": "Age of the participant", "Units": "year"},
        "sex": {"Description": "Sex of the participant"},
    }
)
_ROUNDS = 20  # of writing and looking again; as many processes would have to end at one moment


@dataclass(frozen=True, slots=True)
class SourceParticipants:
    """What a data set's table of participants says of age, sex and what else is needed."""

    columns: tuple[str, ...]
    """Those of `COLUMNS` that it has, in any case."""
    rows: Mapping[str, Mapping[str, str]]
    """Participant id to these cells, by the names in `COLUMNS`, and to those of `more`."""
    descriptions: Mapping[str, Any]
    """What its sidecar says of these columns."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Participant id to what is wrong with their rows, of whom it has several that differ."""
    more: tuple[str, ...] = ()
    """Other columns that were asked for and that it has; they are not written again."""

    @classmethod
    def read(cls, root: Path, more: Sequence[str] = ()) -> SourceParticipants | None:
        """Read the table of a derivatives data set, else that of the raw data set around it.

        Parameters
        ----------
        root : pathlib.Path
            The folder. Where it lies in a folder ``derivatives``, as ``derivatives/xcp_d``, the
            raw data set is the folder around that one.
        more : sequence of str
            Columns beside age and sex that are taken where it has them, in any case.

        Returns
        -------
        SourceParticipants or None
            None where neither has a table.

        Raises
        ------
        CohortError
            A table or sidecar cannot be read.
        """
        places = [root, *([root.parent.parent] if root.parent.name == "derivatives" else [])]
        folder = next((each for each in places if (each / PARTICIPANTS_FILE).is_file()), None)
        if folder is None:
            return None
        table = read_table(folder / PARTICIPANTS_FILE, "\t", CohortError)
        if "participant_id" not in table.columns:
            raise CohortError(
                f"{table.source} of {one_line(str(folder))} has no column 'participant_id', which "
                "BIDS requires. Add it, or move the table away."
            )
        given = {name: column_named(table, name) for name in COLUMNS}
        theirs = {column: name for name, column in given.items() if column is not None}
        lower = {name.lower() for name in more} - {"participant_id"}
        others = tuple(n for n in table.columns if n.lower() in lower and n not in theirs)
        found = rows_of(table, (*theirs, *others))
        rows = {
            who: {theirs.get(column, column): cell for column, cell in cells.items()}
            for who, cells in found.cells.items()
        }
        sidecar, said = folder / SIDECAR_FILE, {}
        if sidecar.is_file():
            text = read_text(sidecar, CohortError)
            said = dict(JsonObject.parse(text, SIDECAR_FILE, CohortError).rest())
        of_columns = {
            name: said[column]
            for column, name in theirs.items()
            if isinstance(said.get(column), dict)
        }
        return cls(tuple(theirs.values()), rows, of_columns, found.problems, others)

    def has_any(self, participant_ids: Iterable[str]) -> bool:
        """Whether any of these people has a row."""
        return ParticipantRows(self.rows, self.problems).has_any(participant_ids)

    def renamed(self, new_id: Callable[[str], str]) -> SourceParticipants:
        """The same under other participant ids."""
        rows = {new_id(who): cells for who, cells in self.rows.items()}
        return replace(self, rows=rows, problems={new_id(k): p for k, p in self.problems.items()})

    def own(self, participant_id: str) -> dict[str, str]:
        """A person's cells, as they stand in the table; nothing of somebody else."""
        return dict(self.rows.get(participant_id, {}))

    def table(self, participant_ids: Iterable[str]) -> bytes:
        """``participants.tsv`` of some people; what BIDS allows in no such cell becomes n/a."""
        lines = [("participant_id", *self.columns)]
        for who in participant_ids:
            cells = self.rows.get(who, {})
            lines.append((who, *(_cell(name, cells.get(name, "")) for name in self.columns)))
        return ("\n".join("\t".join(line) for line in lines) + "\n").encode()

    def sidecar(self) -> bytes:
        """``participants.json``."""
        return json_bytes(self.described())

    def described(self) -> dict[str, Any]:
        """What each column is, in the source's own words where it has some."""
        document: dict[str, Any] = {
            "Description": "Those of the source's participants who were forecast",
            "participant_id": {"Description": "BIDS participant id, as in the source"},
        }
        for name in self.columns:
            document[name] = {**_DEFAULTS[name], **self.descriptions.get(name, {})}
        if "sex" in document:
            document["sex"]["Levels"] = self._levels(document["sex"].get("Levels"))
        return document

    def _levels(self, said: object) -> dict[str, Any]:
        """Every value of sex that there is: BIDS takes no others once there are some."""
        levels = dict(said) if isinstance(said, dict) else {}
        values = {_cell("sex", cells.get("sex", "")) for cells in self.rows.values()}
        for value in sorted(values - {NOT_AVAILABLE}):
            levels.setdefault(value, SEXES.get(value.lower(), "not described by the source"))
        return levels


def write_participants(out: Path, source: SourceParticipants | None) -> None:
    """Write the table of everybody who has a folder in `out`; without a source there is none."""
    if source is None:
        return
    for _ in range(_ROUNDS):
        there = people_of(out)
        write_changed(out, {PARTICIPANTS_FILE: source.table(there)})
        write_changed(out, {SIDECAR_FILE: source.sidecar()})
        if people_of(out) == there and (out / PARTICIPANTS_FILE).read_bytes() == source.table(
            there
        ):
            return


def people_of(out: Path) -> list[str]:
    """Participant ids that have a folder in the results, in order."""
    return sorted(
        path.name for path in out.glob("sub-*") if path.is_dir() and is_participant_id(path.name)
    )


def _cell(name: str, text: str) -> str:
    """A cell as BIDS allows it: it takes numbers for ages alone."""
    if is_missing(text):
        return NOT_AVAILABLE
    if name == "age":
        try:
            age = to_number(text)
        except ValueError:
            return NOT_AVAILABLE
        return text if 0 <= age < 1000 else NOT_AVAILABLE
    return text
