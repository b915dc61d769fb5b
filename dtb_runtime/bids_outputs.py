"""A person's files as BIDS wants them: in folders of kinds of data, with the session in each name.

They are those of `outputs.write_forecasts`, byte for byte the same tables; sidecars also say what
each trial type is and which file it was made from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .bids_files import json_bytes
from .bids_places import BEHAVIOR, FUNCTIONAL, PersonPlaces
from .cohort_entry import CohortEntry
from .demographics import Sex
from .forecast import Forecast
from .outputs import write_forecasts
from .tasks import get_task
from .twin import Twin

SOURCE_NAME = "source"
"""What `DatasetLinks` calls the data set that connectomes come from."""
SUMMARY_END = "_summary.json"


def stage_outputs(
    staged: Path,
    places: PersonPlaces,
    entry: CohortEntry,
    twin: Twin,
    forecasts: Sequence[Forecast],
    *,
    place: str | None,
    age: float | None,
    sex: Sex | None,
) -> tuple[str, ...]:
    """Write a person's files into a folder from which `PersonPlaces.publish` takes them.

    Parameters
    ----------
    staged : pathlib.Path
        Empty.
    places : PersonPlaces
    entry : CohortEntry
    twin : Twin
    forecasts : sequence of Forecast
    place : str or None
        The person's file, as seen from the data set.
    age, sex : optional
        See `write_forecasts`.

    Returns
    -------
    tuple of str
        Where they will lie, as seen from the folder of all results.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    written = write_forecasts(staged / "raw", twin, forecasts, age=age, sex=sex, force=True)
    new_names = {path.name: _name(path.name, entry, places) for path in written}
    for path in written:
        kind, name = new_names[path.name]
        (staged / kind).mkdir(exist_ok=True)
        if path.suffix == ".json":
            document = json.loads(path.read_bytes())
            document = _sidecar(document, path.name, entry, place)
            if path.name.endswith(SUMMARY_END):
                document["files"] = ["/".join((*places.parts, *new_names[n])) for n in new_names]
            (staged / kind / name).write_bytes(json_bytes(document))
            path.unlink()
        else:
            path.replace(staged / kind / name)
    (staged / "raw").rmdir()
    return tuple("/".join((*places.parts, *new_names[path.name])) for path in written)


def _name(name: str, entry: CohortEntry, places: PersonPlaces) -> tuple[str, str]:
    """Folder of a kind of data and new name of one of `write_forecasts`' files."""
    kind = BEHAVIOR if "_events." in name else FUNCTIONAL
    return kind, places.label + name.removeprefix(entry.participant_id)


def _sidecar(
    document: Mapping[str, Any], name: str, entry: CohortEntry, place: str | None
) -> dict[str, Any]:
    """A sidecar or summary with what only the data set knows."""
    if name.endswith(SUMMARY_END):
        who = {"participant_id": document["participant_id"], "session": entry.session}
        return who | {key: value for key, value in document.items() if key != "participant_id"}
    more: dict[str, Any] = {}
    if name.endswith("_events.json"):
        task = document["TaskName"]
        more["Description"] = (
            f"Forecast of every trial of one run of the task {task}; nothing of it was measured"
        )
        more["trial_type"] = {**document["trial_type"], "Levels": _trial_types(task)}
    if document["Sources"]:
        more["ConnectomeDigest"] = document["Sources"][0]
    more["Sources"] = [] if place is None else [f"bids:{SOURCE_NAME}:{place}"]
    return {**document, **more}


def _trial_types(task: str) -> dict[str, str]:
    """Every trial type of the study's own schedule, and the kind that it counts as."""
    schedule = get_task(task).schedule()
    kinds = dict(zip(schedule.trial_type, schedule.trial_group, strict=True))
    return {name: f"Trial that counts as {kinds[name]}" for name in sorted(kinds)}
