"""Which files of a BIDS derivatives data set are meant, and finding them with pybids.

A filter file is that of fMRIPrep: for each kind of file an object of pybids' entities, which takes
the place of our own wishes for those entities::

    {"connectome": {"desc": "denoiseSimple", "run": null, "session": ["1", "2"]}}
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType, ModuleType
from typing import Any, Literal, get_args

from .errors import CohortError, MissingDependencyError, UsageError
from .json_object import JsonObject
from .meant_files import MATRIX_SUFFIXES, SERIES_SUFFIXES, has_regions, is_scan, may_be_matrix
from .readers import ending_of
from .reading import Reading
from .tables import file_label, one_line, read_text

Wanted = Literal["connectome", "timeseries", "bold"]
"""Kinds of files: matrices, parcellated series, and scans that are still to be parcellated."""

SUFFIXES: Mapping[Wanted, tuple[str, ...]] = MappingProxyType(
    {
        "connectome": MATRIX_SUFFIXES,
        "timeseries": SERIES_SUFFIXES,
        "bold": ("bold",),
    }
)
"""Last part of the name of each kind, unless the filter says another."""

# Entities of BEP017 that pybids does not know yet; under their short names, as pybids calls desc.
_MORE_ENTITIES = {
    "name": "dtb-runtime",
    "entities": [
        {"name": "meas", "pattern": r"[_/\\]+meas-([a-zA-Z0-9+]+)"},
        {"name": "stat", "pattern": r"[_/\\]+stat-([a-zA-Z0-9+]+)"},
    ],
}
_IGNORED = (
    re.compile(r"/(code|derivatives|logs|models|sourcedata|stimuli)(/|$)"),
    re.compile(r"/\."),
    re.compile("[\ud800-\udfff]"),  # bytes that are no text: pybids' database cannot hold them
    re.compile(r"^/sub-[^/]+/(.*/)?sub-[^/_.]+$"),  # where a link leads back into the data set
)
_QUERY = re.compile(r"Query\.(NONE|ANY|REQUIRED|OPTIONAL)")


@dataclass(frozen=True, slots=True)
class BidsFilters:
    """What a filter file says."""

    queries: Mapping[Wanted, Mapping[str, Any]] = field(default_factory=dict)
    """Kind of file to entity to value, as in the file."""
    source: str = "no filter file"
    """Its name, for messages."""

    @classmethod
    def read(cls, path: str | Path) -> BidsFilters:
        """Read a filter file.

        Raises
        ------
        CohortError
            It cannot be read, or is no JSON object of objects with texts, numbers, null or lists
            of them.
        """
        path = Path(path)
        source = file_label(path)
        document = JsonObject.parse(read_text(path, CohortError), source, CohortError)
        queries: dict[Wanted, dict[str, Any]] = {}
        for kind in get_args(Wanted):
            if kind not in document.remaining_keys():
                continue
            entities = document.child(kind)
            queries[kind] = dict(entities.rest())
            for entity, value in queries[kind].items():
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, bool) or not isinstance(each, str | int | None):
                        raise CohortError(
                            f"{entities.where}, {one_line(entity)}: expected a text, a number, "
                            f"null or a list of them, found {one_line(json.dumps(each))}."
                        )
        unknown = document.remaining_keys()
        if unknown:
            raise CohortError(
                f"{source} has the key {one_line(unknown[0])!r}. Expected "
                f"{', '.join(get_args(Wanted))}: the kinds of files that are read here."
            )
        return cls(queries, source)

    def of(self, wanted: Wanted) -> Mapping[str, Any]:
        """What is said of one kind of file.

        Raises
        ------
        UsageError
            There is a filter, and of other kinds only.
        """
        if self.queries and wanted not in self.queries:
            raise UsageError(
                f"{self.source} says nothing of {wanted!r} files, which are read here; it has "
                f"{', '.join(self.queries)}. Add {wanted!r}, or change how files are read: "
                "--timeseries for series, --atlas for scans."
            )
        return self.queries.get(wanted, {})


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of a data set."""

    path: Path
    """Absolute."""
    inside: PurePosixPath
    """As seen from the data set's folder."""
    entities: Mapping[str, str]
    """Entities by pybids' names, suffix and extension among them."""


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Files of one kind, in the order of their paths."""

    files: tuple[FoundFile, ...]
    """Those that the filter asks for."""
    excluded: tuple[FoundFile, ...]
    """Those that would be meant without it."""


def wanted_by(reading: Reading) -> Wanted:
    """The kind of files that is read this way."""
    if reading.atlas is not None:
        return "bold"
    return "timeseries" if reading.timeseries else "connectome"


def find_files(
    root: Path, wanted: Wanted, filters: BidsFilters, subjects: Collection[str] | None = None
) -> FoundFiles:
    """Files of one kind that have a reader.

    Scans are images: tables with their suffix are left out, and so are maps among matrices, and
    tables of confounds among series, unless the filter says a ``desc``.

    Parameters
    ----------
    root : pathlib.Path
        Folder of the data set, absolute.
    wanted : {"connectome", "timeseries", "bold"}
    filters : BidsFilters
    subjects : collection of str, optional
        ``sub-<label>`` of those to look for; by default everybody. Folders of others are not
        gone through.

    Raises
    ------
    UsageError
        The filter names an entity that does not exist.
    CohortError
        pybids cannot go through the folder.
    MissingDependencyError
        pybids is not installed.
    """
    asked = filters.of(wanted)
    layout_module = _pybids()
    try:
        # What pybids finds old-fashioned about a data set is no concern of ours.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layout = _layout(layout_module, root, subjects)
            known = layout.get_entities()
            unknown = sorted(asked.keys() - known.keys())
            if unknown:
                raise UsageError(
                    f"{filters.source} names the entity {one_line(unknown[0])!r}, which pybids "
                    f"does not know. It knows {', '.join(sorted(known))}."
                )
            suffixes = {"suffix": list(SUFFIXES[wanted])}
            query = {**suffixes, **asked}
            values = {name: _value(layout_module, value) for name, value in query.items()}
            files = layout.get(**values)
            unfiltered = layout.get(**suffixes) if asked else files
    except UsageError:
        raise
    except Exception as cause:  # damaged JSON, a folder without permission, and so on
        # A path would say who somebody is.
        said = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise CohortError(
            f"pybids cannot go through {one_line(str(root))}: {type(cause).__name__}, "
            f"{one_line(str(said))[:200]}. Check its dataset_description.json and permissions."
        ) from cause
    meant = _readable(files, root, wanted, asked)
    there = meant if not asked else _readable(unfiltered, root, wanted, {})
    known_paths = {file.path for file in meant}
    return FoundFiles(meant, tuple(file for file in there if file.path not in known_paths))


def _readable(
    files: Iterable[Any], root: Path, wanted: Wanted, asked: Mapping[str, Any]
) -> tuple[FoundFile, ...]:
    """Those of pybids' files that may hold what is wanted."""
    found = [
        FoundFile(
            path=Path(file.path),
            inside=PurePosixPath(Path(file.path).relative_to(root).as_posix()),
            entities={name: str(value) for name, value in file.get_entities().items()},
        )
        for file in files
    ]
    readable = [f for f in found if _is_readable(f, wanted, asked) and f.path.is_file()]
    return tuple(sorted(_each_once(readable), key=lambda file: file.inside))


def _is_readable(file: FoundFile, wanted: Wanted, asked: Mapping[str, Any]) -> bool:
    """Whether a file may hold what is wanted: others have the same suffix and hold something else.

    XCP-D's ``stat-coverage_bold.tsv`` is no scan, and fMRIPrep's
    ``desc-confounds_timeseries.tsv`` no series of regions.
    """
    if ending_of(file.path) is None:
        return False
    if wanted == "bold":
        return is_scan(file.path.name)
    if wanted == "connectome":
        return may_be_matrix(file.entities.get("suffix", ""), file.path.name)
    return "desc" in asked or has_regions(file.entities.get("desc"))


def _each_once(files: Iterable[FoundFile]) -> list[FoundFile]:
    """Files without those that are found again by way of a link to a folder."""
    folders: dict[Path, Path] = {}
    by_place: dict[tuple[Path, str], FoundFile] = {}
    for file in sorted(files, key=lambda file: (len(file.inside.parts), file.inside)):
        folder = file.path.parent
        if folder not in folders:
            folders[folder] = folder.resolve()
        # Not the file's own place: links to one file may be of several people, as in git-annex.
        by_place.setdefault((folders[folder], file.path.name), file)
    return list(by_place.values())


def _pybids() -> ModuleType:
    try:
        from bids import layout
    except ImportError as cause:
        raise MissingDependencyError(
            "Files of a BIDS data set are found with pybids, which is not installed: "
            "pip install 'dtb-runtime[bids]'"
        ) from cause
    module: ModuleType = layout
    return module


def _layout(module: ModuleType, root: Path, subjects: Collection[str] | None) -> Any:
    ignored = list(_IGNORED)
    if subjects is not None:
        labels = "|".join(re.escape(subject.removeprefix("sub-")) for subject in sorted(subjects))
        ignored.append(re.compile(rf"^/sub-(?!({labels})([/_.]|$))"))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "more_entities.json"  # pybids takes it from a file only
        config.write_text(json.dumps(_MORE_ENTITIES), encoding="utf-8")
        indexer = module.BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=ignored)
        return module.BIDSLayout(
            root, validate=False, config=["bids", "derivatives", str(config)], indexer=indexer
        )


def _value(module: ModuleType, value: object) -> object:
    """An entity's value for pybids: null and ``"*"`` as in fMRIPrep's filter files."""
    if isinstance(value, list):
        return [_value(module, each) for each in value]
    if value is None:
        return module.Query.NONE
    if value == "*":
        return module.Query.ANY
    named = _QUERY.fullmatch(value) if isinstance(value, str) else None
    return module.Query[named[1]] if named else value
