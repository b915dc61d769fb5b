"""What a BIDS file name says of the numbers in the file.

Names of giga_connectome (``meas-PearsonCorrelation_desc-denoiseSimple_relmat``), XCP-D
(``seg-Glasser_stat-pearsoncorrelation_relmat``) and whoever else follows BEP017 say with an entity
which measure a matrix holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .errors import ConnectomeError
from .raw_array import Kind, Scale

SUFFIX_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "connectome": "connectome",
        "relmat": "connectome",
        "boldmap": "connectome",  # of parcels: XCP-D's .pconn.nii
        "conmat": "connectome",
        "timeseries": "timeseries",
    }
)
"""What the last part of a BIDS name says that a file holds."""

_MEASURE_ENTITIES = ("meas", "stat")
_IS_R = re.compile(r"(pearson|pearsons|pearsonr)?corr(elation)?|pearsonr?|r", re.IGNORECASE)
_IS_Z = re.compile(r"fisherz?|(pearson|pearsons)?corr(elation)?(fisher)?z", re.IGNORECASE)


def entities_of(stem: str) -> tuple[dict[str, str], str]:
    """Entities and suffix of a BIDS name without its ending.

    Parameters
    ----------
    stem : str
        Such as ``sub-01_seg-Glasser_relmat``.

    Returns
    -------
    dict of str to str
        ``{"sub": "01", "seg": "Glasser"}``; of an entity that stands twice the last.
    str
        ``"relmat"``: the last part, empty where it is an entity.
    """
    parts = stem.split("_")
    pairs = (part.partition("-") for part in parts if "-" in part)
    suffix = "" if "-" in parts[-1] else parts[-1]
    return {key: value for key, _, value in pairs}, suffix


def hints_of(stem: str, source: str) -> tuple[Kind | None, Scale | None, str]:
    """What a file's name says that it holds.

    Parameters
    ----------
    stem : str
        The name without its ending.
    source : str
        The name, for messages.

    Returns
    -------
    kind, scale
        None where the name does not say it, as any name does that is not BIDS'.
    why : str
        What says the scale, for people.

    Raises
    ------
    ConnectomeError
        It says that the matrix holds something else than correlations.
    """
    entities, suffix = entities_of(stem)
    if "sub" not in entities:
        return None, None, ""
    kind = SUFFIX_KINDS.get(suffix)
    if kind == "timeseries":
        return kind, None, ""
    said = {
        f"{entity}-{entities[entity]}": _scale_of(entities[entity])
        for entity in _MEASURE_ENTITIES
        if entity in entities
    }
    if not said:
        return kind, None, ""
    unknown = [pair for pair, scale in said.items() if scale is None]
    if unknown and kind is None:  # a name of which nobody knows what it says
        return None, None, ""
    if unknown:
        raise ConnectomeError(
            f"{source} holds {' and '.join(unknown)} by its name, expected full Pearson "
            "correlations between regions, or their Fisher z. Give these of the same run, or its "
            "time series, which are correlated here; or correct the name."
        )
    if len(set(said.values())) > 1:
        raise ConnectomeError(
            f"{source} holds {' and '.join(said)} by its name, expected Pearson correlations "
            "between regions, or their Fisher z, and not both. Correct the name."
        )
    return kind, next(iter(said.values())), f"its name has {' and '.join(said)}"


def _scale_of(measure: str) -> Scale | None:
    if _IS_R.fullmatch(measure):
        return "r"
    return "z" if _IS_Z.fullmatch(measure) else None
