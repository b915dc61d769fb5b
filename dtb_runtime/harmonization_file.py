"""Fitted site effects on disk: one ``.npz`` of plain arrays, one of them JSON text."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npz
from .atomic import write_files
from .covariates import Covariate
from .errors import CohortError
from .harmonization import Harmonization, Site, SiteEffects
from .json_object import JsonObject
from .tables import check_is_file, file_label, one_line

FORMAT = "dtb-site-effects"
FORMAT_VERSION = 1
MAX_FILE_BYTES = 2**30
"""A larger file is refused unread: 434 regions and a hundred sites take less than 200 MB."""
_ARRAYS = ("mean", "slopes", "sd", "shift", "spread")
_LARGEST = 1e6  # of any parameter: an edge as Fisher z is below 7.3
_AGAIN = "Fit it again with dtb-run harmonize."


@dataclass(frozen=True, slots=True)
class HarmonizationFile:
    """A file of site effects that was read once and must stay the same."""

    path: str
    """Where it lies, also for workers."""
    digest: str
    """SHA-256 of its content."""

    @classmethod
    def of(cls, path: str | Path) -> HarmonizationFile:
        """The file as it is now; raises `CohortError` if it cannot be read."""
        path = Path(path).absolute()
        return cls(str(path), hashlib.sha256(_content(path)).hexdigest())

    def read(self) -> Harmonization:
        """Read it; raises `CohortError` if it is damaged, or another one by now."""
        path = Path(self.path)
        content = _content(path)
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise CohortError(
                f"{file_label(path)} is another file than when this began. Leave it until the "
                "end; to harmonize with the new one, choose another folder for the results."
            )
        return harmonization_of(content, file_label(path))


def read_harmonization(path: str | Path) -> Harmonization:
    """Read and check what `write_harmonization` wrote.

    Raises
    ------
    CohortError
        The file is missing, damaged, of another version, or not consistent.
    """
    return harmonization_of(_content(Path(path)), file_label(Path(path)))


def write_harmonization(path: str | Path, fitted: Harmonization, *, force: bool = False) -> Path:
    """Write fitted site effects, whole or not at all; the same ones give the same bytes.

    Raises
    ------
    OutputError
        A file is there already and `force` is not set, or it cannot be written.
    """
    path = Path(path)
    (written,) = write_files(path.parent, {path.name: content_of(fitted)}, force=force)
    return written


def content_of(fitted: Harmonization) -> bytes:
    """The bytes of the file."""
    about: dict[str, Any] = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "site_column": fitted.site_column,
        "sites": [{"name": site.name, "n_people": site.n_people} for site in fitted.sites],
        "covariates": [
            {
                "name": covariate.name,
                "kind": covariate.kind,
                "lowest": covariate.lowest,
                "highest": covariate.highest,
                "center": covariate.center,
                "scale": covariate.scale,
            }
            for covariate in fitted.covariates
        ],
        "parcellation": fitted.parcellation,
        "n_regions": fitted.n_regions,
        "labels_digest": fitted.labels_digest,
        "made_with": dict(fitted.made_with),
    }
    arrays: dict[str, NDArray[Any]] = {"about": np.array(json.dumps(about, indent=1))}
    arrays |= {name: getattr(fitted.effects, name).astype("<f8") for name in _ARRAYS}
    buffer = io.BytesIO()
    # Not compressed: what zlib makes of the same numbers differs between its versions.
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def harmonization_of(content: bytes, source: str) -> Harmonization:
    """Read and check the bytes of the file.

    Parameters
    ----------
    content : bytes
    source : str
        The file's name, for messages and notes.

    Raises
    ------
    CohortError
        They are not what `content_of` gives.
    """
    try:
        arrays = load_npz(io.BytesIO(content), source, MAX_FILE_BYTES)
    except ArrayFileError as cause:
        raise CohortError(
            f"{source} does not hold site effects, or is damaged ({cause.problem}). {_AGAIN}"
        ) from cause
    about = arrays.pop("about", None)
    if about is None or about.dtype.kind != "U" or about.ndim != 0:
        raise CohortError(f"{source} does not hold site effects. Give a file of dtb-run harmonize.")
    document = JsonObject.parse(str(about), source, CohortError)
    if document.take("format") != FORMAT:
        raise CohortError(f"{source} does not hold site effects. Give a file of dtb-run harmonize.")
    version = document.take("version")
    if version != FORMAT_VERSION:
        raise CohortError(
            f"{source} has version {one_line(str(version))[:20]} of this format, this dtb-runtime "
            f"reads version {FORMAT_VERSION}. Update dtb-runtime, or fit again."
        )
    site_column = document.text("site_column")
    sites = tuple(_site(each) for each in document.children("sites"))
    covariates = tuple(_covariate(each) for each in document.children("covariates"))
    parcellation = document.text("parcellation")
    n_regions = document.integer("n_regions", minimum=2)
    labels_digest = document.text("labels_digest")
    versions = document.child("made_with")
    made_with = {name: versions.text(name) for name in versions.remaining_keys()}
    document.close()
    names = [site.name for site in sites]
    columns = [site_column, *(covariate.name for covariate in covariates)]
    if len(sites) < 2 or len(set(names)) != len(names) or len(set(columns)) != len(columns):
        raise CohortError(f"{source} must name at least two sites, and nothing twice. {_AGAIN}")
    return Harmonization(
        source=source,
        site_column=site_column,
        sites=sites,
        covariates=covariates,
        parcellation=parcellation,
        n_regions=n_regions,
        labels_digest=labels_digest,
        effects=_effects(arrays, len(sites), len(covariates), n_regions, source),
        made_with=MappingProxyType(made_with),
    )


def _site(document: JsonObject) -> Site:
    site = Site(document.text("name"), document.integer("n_people", minimum=2))
    document.close()
    return site


def _covariate(document: JsonObject) -> Covariate:
    covariate = Covariate(
        name=document.text("name"),
        kind=document.one_of("kind", ("number", "sex")),
        lowest=document.number("lowest"),
        highest=document.number("highest"),
        center=document.number("center"),
        scale=document.number("scale"),
    )
    document.close()
    if not covariate.lowest <= covariate.center <= covariate.highest or covariate.scale <= 0:
        raise CohortError(
            f"{document.where}: expected lowest <= center <= highest and a scale above 0. {_AGAIN}"
        )
    return covariate


def _effects(
    arrays: Mapping[str, NDArray[Any]],
    n_sites: int,
    n_covariates: int,
    n_regions: int,
    source: str,
) -> SiteEffects:
    n_edges = n_regions * (n_regions - 1) // 2
    shapes = {
        "mean": (n_edges,),
        "slopes": (n_covariates, n_edges),
        "sd": (n_edges,),
        "shift": (n_sites, n_edges),
        "spread": (n_sites, n_edges),
    }
    if arrays.keys() != shapes.keys():
        differ = ", ".join(map(one_line, sorted(arrays.keys() ^ shapes.keys())))
        raise CohortError(f"{source}: an array is missing or unknown ({differ}). {_AGAIN}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype != np.float64 or array.shape != shape:
            raise CohortError(
                f"{source}: {name} is {array.dtype} {array.shape}, expected float64 {shape}. "
                f"{_AGAIN}"
            )
        if not (np.abs(array) <= _LARGEST).all():  # false for NaN
            raise CohortError(f"{source}: {name} is not finite, or beyond {_LARGEST:g}. {_AGAIN}")
        if name in ("sd", "spread") and not (array > 1.0 / _LARGEST).all():
            raise CohortError(f"{source}: {name} must be above 0 everywhere. {_AGAIN}")
        array.setflags(write=False)
    return SiteEffects(**arrays)


def _content(path: Path) -> bytes:
    check_is_file(path, CohortError)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CohortError(
                f"{file_label(path)} is larger than any file of site effects. Give one that "
                "dtb-run harmonize wrote."
            )
        return path.read_bytes()
    except OSError as cause:
        raise CohortError(
            f"{file_label(path)} cannot be read: {cause.strerror or cause}."
        ) from cause
