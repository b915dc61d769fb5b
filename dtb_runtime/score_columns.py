"""What each column of a scored cohort is, in the words of a BIDS sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        "Description": "whether the person could be scored",
        "Levels": {"ok": "scored", "failed": "not scored; see error"},
    },
    "error": {"Description": "why the person could not be scored"},
    "notes": {"Description": "what was set or is doubtful about the connectome"},
    STRANGENESS[0]: {
        "Description": "Mahalanobis distance of what the network reads from the connectome from "
        "that of the people the bundle was trained on"
    },
    STRANGENESS[1]: {"Description": "people of the cohort nearer to it", "Units": "%"},
    STRANGENESS[2]: {"Description": "correlation with the cohort's mean connectome"},
    STRANGENESS[3]: {"Description": "people of the cohort with a lower one", "Units": "%"},
}


def column_descriptions(table: CohortTable, bundle: Bundle) -> dict[str, Any]:
    """What each column of a table is, and what belongs to every use of it.

    Parameters
    ----------
    table : CohortTable
    bundle : Bundle
        Its warnings, name and digest go in.
    """
    described: dict[str, Any] = {}
    for name in table.columns:
        if name in _OTHERS:
            described[name] = _OTHERS[name]
        elif name in table.own_columns:
            described[name] = {"Description": "as in the cohort's own table"}
        else:
            described[name] = _of_indicator(name)
    return described | {
        "GeneratedBy": [{"Name": "dtb-runtime", "Bundle": bundle.name, "Digest": bundle.digest}],
        "Warnings": list(bundle.warnings),
    }


def _of_indicator(name: str) -> dict[str, Any]:
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
