"""What each column of a scored cohort is, in the words of a BIDS sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .connectome_facts import FACTS
from .score_rows import STRANGENESS
from .summary import MEANINGS

if TYPE_CHECKING:
    from .bundle import Bundle
    from .cohort_table import CohortTable

_ENDS = {
    "_percentile": "twins of the training cohort with a lower value, in percent; of the same age "
    "and sex where the cohort's table gives both and the bundle knows what they do",
    "_low": "lower end of the 90 % interval over what is not known of the person",
    "_high": "upper end of the 90 % interval over what is not known of the person",
}
_OTHERS: dict[str, dict[str, Any]] = {
    "participant_id": {"Description": "BIDS participant id"},
    "session": {"Description": "BIDS session"},
    "path": {"Description": "file of the connectome, as seen from the cohort's folder or table"},
    "status": {
        "Description": "whether there are numbers of the person",
        "Levels": {"ok": "there are", "failed": "there are none; see error"},
    },
    "error": {"Description": "why there are none"},
    "notes": {"Description": "what was set or is doubtful about the connectome"},
    STRANGENESS[0]: {
        "Description": "Mahalanobis distance of what the network reads from the connectome from "
        "that of the people the bundle was trained on"
    },
    STRANGENESS[1]: {"Description": "people of the cohort nearer to it", "Units": "%"},
    STRANGENESS[2]: {"Description": "correlation with the cohort's mean connectome"},
    **{
        name: {"Description": what} | ({"Units": unit} if unit else {})
        for name, (what, unit) in FACTS.items()
    },
    STRANGENESS[3]: {"Description": "people of the cohort with a lower one", "Units": "%"},
}


def column_descriptions(
    table: CohortTable, bundle: Bundle, of_own: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What each column of a table is, and what belongs to every use of it.

    Parameters
    ----------
    table : CohortTable
    bundle : Bundle
        Its warnings, name and digest go in.
    of_own : mapping, optional
        What columns are that scoring does not have.
    """
    described: dict[str, Any] = {}
    for name in table.columns:
        if name in _OTHERS:
            described[name] = _OTHERS[name]
        elif name in table.own_columns:
            described[name] = {"Description": "as in the cohort's own table"}
        elif of_own is not None:
            described[name] = of_own[name]
        else:
            described[name] = indicator_description(name)
    return described | {
        "GeneratedBy": [{"Name": "dtb-runtime", "Bundle": bundle.name, "Digest": bundle.digest}],
        "Warnings": list(bundle.warnings),
    }


def indicator_description(name: str) -> dict[str, Any]:
    """What an indicator is, or its percentile or interval, and its unit."""
    if name.startswith("contrast:"):
        return {"Description": f"t of forecast BOLD, {name.removeprefix('contrast:')}"}
    end = next((end for end in _ENDS if name.endswith(end)), "")
    of = name.removesuffix(end)
    measure, _, where = of.partition(":")
    description, unit = MEANINGS[measure]
    if end == "_percentile":
        unit = "%"
    if end:
        described = f"{of}: {_ENDS[end]}"
    elif where:
        described = f"{description.partition(';')[0]}, in {where}"
    else:
        described = description
    return {"Description": described} | ({"Units": unit} if unit else {})
