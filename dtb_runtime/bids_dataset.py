"""Files of the results as a data set: what it is, how it came about, whom to credit.

They hold no time and nothing of one process, so that several processes write the same bytes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .atomic import write_files
from .bids_files import json_bytes, write_changed
from .bids_outputs import SOURCE_NAME
from .bids_places import RECORD_FILE, STATE_FOLDER
from .bids_texts import NO_PLACE, readme
from .errors import CohortError, OutputError
from .json_object import JsonObject
from .summary import package_version
from .tables import one_line

if TYPE_CHECKING:
    from .bundle import Bundle

DESCRIPTION_FILE, README_FILE, IGNORE_FILE = "dataset_description.json", "README.md", ".bidsignore"
WORDS_FILE, WORDS_SIDECAR = "descriptions.tsv", "descriptions.json"
"""BIDS' table of what ``desc-`` means in names."""
GENERATOR = "dtb-runtime"
BIDS_VERSION = "1.11.1"
"""Of the rules that the results are checked against."""
_TWIN = "Forecast by the person's digital twin brain; nothing of it was measured"
_IDS_FILE, _IDS_KEY = "ids.json", "ids_hashed_with"


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


def check_ids(out: Path, hashed_with: str | None) -> None:
    """See that a folder is new, or its people are called as they are now.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the results.
    hashed_with : str or None
        What tells the key of hashed ids from another one; None for ids as they are.

    Raises
    ------
    OutputError
        It was begun with other ids, so that everybody would be in it twice.
    """
    folder = out / STATE_FOLDER
    path = folder / _IDS_FILE
    try:
        if not path.exists():
            if any(folder.glob(f"*/{RECORD_FILE}")):
                raise OutputError(
                    f"{out} does not say whether its participant ids are hashed. Give another "
                    "folder for the results."
                )
            return
        before = JsonObject.parse(path.read_bytes(), _IDS_FILE, CohortError).optional_text(_IDS_KEY)
    except (CohortError, OSError) as cause:
        raise OutputError(
            f"{path} cannot be read ({one_line(str(cause))}). Give another folder for the results."
        ) from cause
    if before == hashed_with:
        return
    begun, now = (
        "participant ids as they are" if key is None else f"hashed participant ids (key {key})"
        for key in (before, hashed_with)
    )
    raise OutputError(
        f"{out} was begun with {one_line(begun)}, and this call has {now}: people would stand in "
        "it twice. Call it as before (--hash-ids, --hash-key), or give another folder."
    )


def write_ids(out: Path, hashed_with: str | None) -> None:
    """Write down how people are called in a folder, for `check_ids`.

    Raises
    ------
    OutputError
        Another process has begun it with other ids just now, or it cannot be written.
    """
    folder = out / STATE_FOLDER
    if not (folder / _IDS_FILE).exists():
        # Of two that come at once, the first decides.
        with contextlib.suppress(OutputError):
            write_files(folder, {_IDS_FILE: json_bytes({_IDS_KEY: hashed_with})}, force=False)
    if not (folder / _IDS_FILE).exists():
        raise OutputError(f"{folder} cannot be written. Choose a folder you can write to.")
    check_ids(out, hashed_with)


def write_dataset(out: Path, source: Path, bundle: Bundle, *, is_hashed: bool = False) -> None:
    """Write what is known before anybody was forecast; the same again changes nothing.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the results.
    source : pathlib.Path
        Folder of the data set that connectomes come from.
    bundle : Bundle
    is_hashed : bool
        Participant ids are: then neither the data set's name nor its place is said.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    document = description(out, source, bundle, is_hashed=is_hashed)
    write_changed(out, {DESCRIPTION_FILE: json_bytes(document)})
    contents = {
        README_FILE: readme(bundle).encode(),
        IGNORE_FILE: ("\n".join(NO_PLACE) + "\n").encode(),
        WORDS_FILE: f"desc_id\tdescription\ndesc-twin\t{_TWIN}\n".encode(),
        WORDS_SIDECAR: json_bytes(
            {
                "Description": "What desc- means in names of files",
                "desc_id": {"Description": "The entity and its value"},
                "description": {"Description": "What files with it hold"},
            }
        ),
    }
    for task in bundle.manifest.tasks:
        contents[f"task-{task}_desc-twin_timeseries.json"] = json_bytes(_regions(bundle))
    write_changed(out, contents)


def description(
    out: Path, source: Path, bundle: Bundle, *, is_hashed: bool = False
) -> dict[str, Any]:
    """``dataset_description.json``; see `write_dataset`."""
    theirs = _description_of(source)
    name = theirs.get("Name")
    of = one_line(name if isinstance(name, str) and name.strip() else source.name)
    made_by: dict[str, Any] = {
        "Name": GENERATOR,
        "Version": package_version(),
        "Description": f"Forecasts of digital twin brains, made with the bundle {bundle.name} "
        f"(SHA-256 of its manifest {bundle.digest})",
    }
    url = _code_url()
    if url is not None:
        made_by["CodeURL"] = url
    origin: dict[str, Any] = {} if is_hashed else {"URL": f"bids:{SOURCE_NAME}:"}
    if isinstance(theirs.get("DatasetDOI"), str):
        origin["DOI"] = theirs["DatasetDOI"]
    document: dict[str, Any] = {
        "Name": f"Digital twin brain forecasts from {'a BIDS data set' if is_hashed else of}",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made_by],
    }
    if origin:
        document["SourceDatasets"] = [origin]
    if not is_hashed:
        document["DatasetLinks"] = {SOURCE_NAME: _link(out, source)}
    return document


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
