"""What is written for one twin: BIDS-named tables with sidecars, and a summary.

For participant ``sub-01`` and task ``hammer``::

    sub-01_task-hammer_desc-twin_events.tsv       .json    one row per trial
    sub-01_task-hammer_desc-twin_timeseries.tsv   .json    BOLD, one row per frame
    sub-01_task-hammer_desc-twin_contrasts.tsv    .json    one row per region
    sub-01_desc-twin_summary.json

Every sidecar and the summary carry the bundle's warnings. The same forecast gives the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atomic import write_files
from .demographics import Sex
from .errors import UsageError
from .forecast import NOT_AVAILABLE, Forecast
from .sidecars import bold_sidecar, contrasts_sidecar, events_sidecar, provenance
from .summary import check_owner, summary
from .twin import Twin

# Digits kept: a tenth of a millisecond and of a thousandth SD are below anything that is known.
_TEXT_OF_COLUMN = {"onset": "%.10g", "duration": "%.10g", "p_correct": "%.6f"}
_TEXT_OF_COLUMN |= {"p_no_response": "%.6f"}
_TEXT = "%.4f"


def write_forecasts(
    out_dir: str | Path,
    twin: Twin,
    forecasts: Sequence[Forecast],
    *,
    age: float | None = None,
    sex: Sex | None = None,
    more: Mapping[str, Any] | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write one twin's forecasts and their summary, all files or none.

    Parameters
    ----------
    out_dir : str or pathlib.Path
        Folder, made if it is not there.
    twin : Twin
        The twin that was forecast; its `participant_id` names the files.
    forecasts : sequence of Forecast
        At most one per task.
    age, sex : optional
        Of the person, for the percentiles; see `Norms.indicator_percentile`.
    more : mapping, optional
        Further keys of the summary's file, as JSON values; see `learning_summary`.
    force : bool
        Replace files that are there already.

    Returns
    -------
    tuple of pathlib.Path
        The files, the summary last.

    Raises
    ------
    UsageError
        The twin has no participant id, a forecast is another twin's, there is no forecast or two
        of one task, or they average over different numbers of draws.
    OutputError
        A file is there already and `force` is not set, or the folder cannot be written.
    """
    if twin.participant_id is None:
        raise UsageError(
            "Files are named after the participant, but this twin has no participant id. "
            "Personalize with participant_id='sub-<label>' (--participant-label)."
        )
    check_owner(twin, forecasts)
    subject = twin.participant_id
    contents: dict[str, bytes] = {}
    for forecast in forecasts:
        stem = f"{subject}_task-{forecast.task}_desc-twin"
        about = provenance(twin, forecast)
        contents[f"{stem}_events.tsv"] = _events_table(forecast)
        contents[f"{stem}_events.json"] = _json_bytes(events_sidecar(forecast) | about)
        contents[f"{stem}_timeseries.tsv"] = _bold_table(forecast)
        contents[f"{stem}_timeseries.json"] = _json_bytes(bold_sidecar(forecast) | about)
        if forecast.contrasts:
            contents[f"{stem}_contrasts.tsv"] = _contrasts_table(forecast)
            contents[f"{stem}_contrasts.json"] = _json_bytes(contrasts_sidecar(forecast) | about)
    name = f"{subject}_desc-twin_summary.json"
    told = summary(twin, forecasts, [*contents, name], age=age, sex=sex)
    contents[name] = _json_bytes(told | dict(more or {}))
    return write_files(Path(out_dir), contents, force=force)


def _events_table(forecast: Forecast) -> bytes:
    columns = [
        _cells(values, _TEXT_OF_COLUMN.get(name, _TEXT)) for name, values in forecast.trials.items()
    ]
    return _table(forecast.trials, zip(*columns, strict=True))


def _bold_table(forecast: Forecast) -> bytes:
    # One format for a whole row: 200,000 numbers one by one would take longer than the forecast.
    # Adding 0 turns -0 into 0.
    form = "\t".join([_TEXT] * len(forecast.region_labels))
    rows = (np.round(forecast.bold.astype(np.float64), 4) + 0.0).tolist()
    lines = ["\t".join(forecast.region_labels), *(form % tuple(row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _contrasts_table(forecast: Forecast) -> bytes:
    (contrast,) = forecast.contrasts.values()
    columns = (
        forecast.region_labels,
        _cells(contrast.estimate, "%.6g"),
        _cells(contrast.t, _TEXT),
    )
    return _table(("region", "estimate", "t"), zip(*columns, strict=True))


def _cells(values: NDArray[Any], form: str) -> list[str]:
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    return [
        NOT_AVAILABLE if math.isnan(value) else form % (value + 0.0) for value in values.tolist()
    ]


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    lines = ["\t".join(row) for row in (header, *rows)]
    return ("\n".join(lines) + "\n").encode()


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
