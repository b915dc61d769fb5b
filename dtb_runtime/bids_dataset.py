"""Files of the results as a data set: what it is, how it came about, whom to credit.

They hold no time and nothing of one process, so that several processes write the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .atomic import write_files
from .bids_outputs import SOURCE_NAME
from .bids_places import LOG_FOLDER
from .errors import CohortError, OutputError
from .json_object import JsonObject
from .summary import package_version
from .tables import one_line

if TYPE_CHECKING:
    from .bundle import Bundle

DESCRIPTION_FILE, README_FILE, IGNORE_FILE = "dataset_description.json", "README.md", ".bidsignore"
CITATION_FILE = "CITATION.md"
WORDS_FILE, WORDS_SIDECAR = "descriptions.tsv", "descriptions.json"
"""BIDS' table of what ``desc-`` means in names."""
GENERATOR = "dtb-runtime"
BIDS_VERSION = "1.11.1"
"""Of the rules that the results are checked against."""
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
_TWIN = "Forecast by the person's digital twin brain; nothing of it was measured"
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
_NIBABEL_ENDINGS = (".nii", ".nii.gz", ".gii")


def check_is_ours(out: Path) -> None:
    """See that a folder is new, empty or holds results of this program.

    Raises
    ------
    OutputError
        It holds something else.
    """
    path = out / DESCRIPTION_FILE
    try:
        if not out.is_dir():
            if out.exists():
                raise OutputError(f"{out} is a file. Give a folder for the results.")
            return
        # Our first file is this one; what begins with a dot is on its way to it.
        if not path.exists():
            if any(not each.name.startswith(".") for each in out.iterdir()):
                raise OutputError(
                    f"{out} holds files, and no {DESCRIPTION_FILE} of dtb-run bids. Give a folder "
                    "of their own for the results."
                )
            return
        document = JsonObject.parse(path.read_bytes(), DESCRIPTION_FILE, CohortError)
        made_by = document.children("GeneratedBy")
        is_ours = bool(made_by) and made_by[0].text("Name") == GENERATOR
    except (CohortError, OSError) as cause:
        raise OutputError(
            f"{path} cannot be read ({one_line(str(cause))}), so these may be somebody's own "
            "files. Give another folder for the results."
        ) from cause
    if not is_ours:
        raise OutputError(
            f"{path} says that this data set was made by another program. Give another folder for "
            "the results."
        )


def write_dataset(out: Path, source: Path, bundle: Bundle) -> None:
    """Write what is known before anybody was forecast; the same again changes nothing.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the results.
    source : pathlib.Path
        Folder of the data set that connectomes come from.
    bundle : Bundle

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    _write(out, {DESCRIPTION_FILE: _json(description(out, source, bundle))})
    contents = {
        README_FILE: readme(bundle).encode(),
        IGNORE_FILE: ("\n".join(NO_PLACE) + "\n").encode(),
        WORDS_FILE: f"desc_id\tdescription\ndesc-twin\t{_TWIN}\n".encode(),
        WORDS_SIDECAR: _json(
            {
                "Description": "What desc- means in names of files",
                "desc_id": {"Description": "The entity and its value"},
                "description": {"Description": "What files with it hold"},
            }
        ),
    }
    for task in bundle.manifest.tasks:
        contents[f"task-{task}_desc-twin_timeseries.json"] = _json(_regions(bundle))
    _write(out, contents)


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
    _write(out / LOG_FOLDER, {CITATION_FILE: citation(bundle, used).encode()})


def libraries_used(reading: Mapping[str, Any], places: Iterable[str | None]) -> set[str]:
    """Libraries that took part, by how files were read and what their names end in."""
    used = {"pybids"}
    if any(place is not None and place.lower().endswith(_NIBABEL_ENDINGS) for place in places):
        used.add("nibabel")
    if reading.get("atlas") is not None or reading.get("denoise") is not None:
        used.add("nilearn")
    return used


def description(out: Path, source: Path, bundle: Bundle) -> dict[str, Any]:
    """``dataset_description.json``."""
    theirs = _description_of(source)
    name = theirs.get("Name")
    of = name if isinstance(name, str) and name.strip() else source.name
    made_by: dict[str, Any] = {
        "Name": GENERATOR,
        "Version": package_version(),
        "Description": f"Forecasts of digital twin brains, made with the bundle {bundle.name} "
        f"(SHA-256 of its manifest {bundle.digest})",
    }
    url = _code_url()
    if url is not None:
        made_by["CodeURL"] = url
    origin: dict[str, Any] = {"URL": f"bids:{SOURCE_NAME}:"}
    if isinstance(theirs.get("DatasetDOI"), str):
        origin["DOI"] = theirs["DatasetDOI"]
    return {
        "Name": f"Digital twin brain forecasts from {one_line(of)}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made_by],
        "SourceDatasets": [origin],
        "DatasetLinks": {SOURCE_NAME: _link(out, source)},
    }


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


def _regions(bundle: Bundle) -> dict[str, Any]:
    """What each column of forecast BOLD is, the same for everybody: one file at the top."""
    manifest = bundle.manifest
    of = (
        ""
        if manifest.parcellation is None
        else f" of the parcellation {manifest.parcellation.name}"
    )
    unit = "SD of the region in the training data, around its mean"
    return {
        label: {"Description": f"Forecast BOLD of the region {label}{of}", "Units": unit}
        for label in manifest.bold_regions
    }


def _description_of(source: Path) -> Mapping[str, Any]:
    """The source's own description; empty where it has none that can be read."""
    try:
        data = (source / DESCRIPTION_FILE).read_bytes()
        return JsonObject.parse(data, DESCRIPTION_FILE, CohortError).rest()
    except (OSError, CohortError):
        return {}


def _link(out: Path, source: Path) -> str:
    """The source as seen from the results, so that both can move together."""
    try:
        return Path(os.path.relpath(source.resolve(), out.resolve())).as_posix()
    except ValueError:  # on another drive
        return source.resolve().as_uri()


def _code_url() -> str | None:
    """Where the code is, if the installed package says so."""
    from importlib import metadata

    try:
        urls = metadata.metadata(GENERATOR).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return None
    named = dict(entry.split(", ", 1) for entry in urls if ", " in entry)
    wanted = ("repository", "source", "source code", "code", "homepage")
    by_name = {name.lower(): url for name, url in named.items()}
    return next((by_name[name] for name in wanted if name in by_name), None)


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write those that are not there as they should be."""
    changed = {
        name: data
        for name, data in contents.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != data
    }
    if changed:
        write_files(folder, changed, force=True)
