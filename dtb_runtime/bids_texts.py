"""What the results say of themselves: the page at the top, and whom to credit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .bids_files import write_changed
from .bids_places import LOG_FOLDER
from .summary import package_version

if TYPE_CHECKING:
    from .bundle import Bundle

CITATION_FILE = "CITATION.md"
NOT_A_DEVICE = (
    "This is research software, not a medical device: not for diagnosis, not for choosing or "
    "changing a treatment, not for judging a person."
)
NO_PLACE: Mapping[str, str] = MappingProxyType(
    {
        "*_timeseries.tsv": "BOLD of regions; BIDS has series of voxels only",
        "*_timeseries.json": "the same",
        "*_contrasts.tsv": "contrasts of regions; BIDS has no results of statistical models",
        "*_contrasts.json": "the same",
        "*_summary.json": "a person's indicators; BIDS has JSON beside tables and images only",
        "group_*": "tables of the group; phenotype/ is for what was measured, and this was not",
    }
)
"""Names that BIDS has no place for yet, and why; they are passed over by the validator."""
_METHOD_DOI = "10.34133/bmef.0231"
_METHOD = (
    "Takahashi, Soda, Tomita, Yamashita. Digital Twin Brain: Generating Multitask Behavior from "
    "Connectomes for Personalized Therapy. BME Frontiers 7:0231 (2026). "
    f"https://doi.org/{_METHOD_DOI}"
)
_LIBRARIES: Mapping[str, str] = MappingProxyType(
    {
        "pybids": "Yarkoni et al. PyBIDS: Python tools for BIDS datasets. Journal of Open Source "
        "Software 4:1294 (2019). https://doi.org/10.21105/joss.01294",
        "nibabel": "Brett et al. NiBabel. https://doi.org/10.5281/zenodo.591597",
        "nilearn": "Nilearn contributors. nilearn. https://doi.org/10.5281/zenodo.8397156",
    }
)
_BIDS = (
    "Gorgolewski et al. The brain imaging data structure, a format for organizing and describing "
    "outputs of neuroimaging experiments. Scientific Data 3:160044 (2016). "
    "https://doi.org/10.1038/sdata.2016.44"
)
_NIBABEL_ENDINGS = (".nii", ".nii.gz")


def readme(bundle: Bundle) -> str:
    """``README.md``: what this is, what it is not, what lies where."""
    warnings = "".join(f"> {warning}\n\n" for warning in bundle.warnings)
    ignored = "".join(f"- `{name}`: {why}\n" for name, why in NO_PLACE.items())
    return f"""# Forecasts of digital twin brains

{NOT_A_DEVICE}

{warnings}Each person's twin is a small recurrent network whose weights were generated from the
person's resting-state connectome by the bundle `{bundle.name}`. What lies here was forecast by
these twins; nothing of it was measured.

| file | |
|---|---|
| `sub-*/[ses-*/]beh/*_events.tsv` | trials: choice, chance of the right one, response time |
| `sub-*/[ses-*/]func/*_timeseries.tsv` | BOLD of every region, without measurement noise |
| `sub-*/[ses-*/]func/*_contrasts.tsv` | the task's contrast: estimate and t of every region |
| `sub-*/[ses-*/]func/*_summary.json` | indicators, intervals, percentiles, how unusual the \
connectome is |
| `participants.tsv` | age and sex of those who were forecast, where the source has them |
| `group_twins.tsv`, `group_summary.json` | everybody in one table, and what it sums up to |
| `logs/` | a log for each person, a crash file for whoever could not be forecast, whom to cite |

BIDS has no place yet for some of these, which `.bidsignore` therefore names:

{ignored}"""


def citation(bundle: Bundle, used: Collection[str]) -> str:
    """``logs/CITATION.md``: method, data behind the bundle, libraries that were used."""
    _, _, credits_ = bundle.model_card.partition("## Credits\n")
    of_bundle = "\n".join(
        line
        for line in credits_.partition("\n## ")[0].splitlines()
        if line.strip() and _METHOD_DOI not in line  # the method stands above
    )
    lines = [
        "# Whom to cite",
        "",
        f"Forecasts were made with dtb-runtime {package_version()} and its bundle {bundle.name}.",
        "",
        "Method:",
        "",
        f"- {_METHOD}",
        "",
        f"Data and regions behind the bundle {bundle.name}:",
        "",
        of_bundle or "The bundle's model card credits nobody.",
        "",
        "Libraries and formats:",
        "",
        *(f"- {text}" for name, text in _LIBRARIES.items() if name in used),
        f"- {_BIDS}",
    ]
    return "\n".join(lines) + "\n"


def write_citation(out: Path, bundle: Bundle, used: Collection[str], *, anew: bool = False) -> None:
    """Write whom to credit.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the results.
    bundle : Bundle
    used : collection of str
        Libraries, from `libraries_used`.
    anew : bool
        Only these; by default also those that an earlier call has named, which read other files.
    """
    path = out / LOG_FOLDER / CITATION_FILE
    before = path.read_text(encoding="utf-8") if path.is_file() and not anew else ""
    used = {*used, *(name for name, text in _LIBRARIES.items() if text in before)}
    write_changed(out / LOG_FOLDER, {CITATION_FILE: citation(bundle, used).encode()})


def libraries_used(reading: Mapping[str, Any], places: Iterable[str | Path | None]) -> set[str]:
    """Libraries that took part, by how files were read and what their names end in."""
    used = {"pybids"}
    if any(place is not None and str(place).lower().endswith(_NIBABEL_ENDINGS) for place in places):
        used.add("nibabel")
    if reading.get("denoise") is not None:  # an atlas alone is averaged over by our own code
        used.add("nilearn")
    return used
