"""What stands in an HDF5 file, looked through with care: nothing outside of the file is touched.

For files that may be damaged or hostile. Links out of the file and data sets that are stored in
other files are refused; links are never followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from .array_choice import LABEL_NAME, Stored, listed_arrays
from .errors import ConnectomeError
from .library_failures import library_failures, optional_package
from .tables import file_label, one_line

if TYPE_CHECKING:
    import h5py

MAX_OBJECTS = 10_000
"""Data sets and groups that a file may have."""
MAX_DEPTH = 16
"""Groups that may lie in each other."""


@contextmanager
def opened_hdf5(path: Path, format_name: str = "HDF5") -> Iterator[h5py.File]:
    """An HDF5 file open for reading; what h5py raises within becomes one sentence.

    Raises
    ------
    ConnectomeError
        It is no HDF5 file, or damaged.
    MissingDependencyError
        h5py is not installed.
    """
    module = _h5py(format_name)
    source = file_label(path)
    with (
        library_failures(
            f"{source} cannot be read as {format_name}",
            "Fetch it again if it was cut short, or write it again.",
        ),
        module.File(os.fspath(path), "r") as file,
    ):
        yield file


def _h5py(format_name: str) -> ModuleType:
    with optional_package("h5py", f"Reading {format_name} files", "imaging"):
        import h5py
    module: ModuleType = h5py
    return module


def stored_in(group: h5py.Group, source: str, *, below: bool = True) -> list[Stored]:
    """Describe the data sets of a group.

    Parameters
    ----------
    group : h5py.Group
    source : str
        The file, for messages.
    below : bool
        Also those of all groups in it. Then a link is refused, since it could be what is meant;
        otherwise only one that could name regions.

    Returns
    -------
    list of Stored
        Named by their paths in the file. Each data set once, also where several names lead to it.

    Raises
    ------
    ConnectomeError
        A link; more than `MAX_OBJECTS` objects or `MAX_DEPTH` groups in each other; what
        `described` refuses.
    """
    import h5py

    found: list[Stored] = []
    seen = {_address(group)}
    waiting = [(group, 0)]
    n_objects = 0
    while waiting:
        parent, depth = waiting.pop()
        n_objects += len(parent)
        if n_objects > MAX_OBJECTS:
            raise ConnectomeError(
                f"{source} holds more than {MAX_OBJECTS:,} groups and data sets. Save the matrix "
                "into a file of its own."
            )
        for name in names_in(parent, source):
            if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
                if below or LABEL_NAME.search(name):
                    raise _link(f"{named(parent, source)[0]}/{name}".lstrip("/"), source)
                continue
            item = parent[name]
            if _address(item) in seen:
                continue
            seen.add(_address(item))
            if isinstance(item, h5py.Dataset):
                found.append(described(item, source))
            elif isinstance(item, h5py.Group) and below:
                if depth >= MAX_DEPTH:
                    raise ConnectomeError(
                        f"{source} has groups more than {MAX_DEPTH} deep, as no data set of "
                        "connectomes has. Save the matrix into a file of its own."
                    )
                waiting.append((item, depth + 1))
    return sorted(found, key=lambda stored: stored.name)


def names_in(group: h5py.Group, source: str) -> Iterator[str]:
    """The names in a group, which are text.

    Raises
    ------
    ConnectomeError
        One is not.
    """
    for name in group:
        if not isinstance(name, str):  # h5py gives bytes where they are not UTF-8
            raise ConnectomeError(
                f"{source} holds the name {one_line(repr(name))}, which is no text. It is damaged; "
                "write it again."
            )
        yield name


def data_set_at(file: h5py.File, path: str, source: str) -> h5py.Dataset:
    """The data set at a path, reached through the file's own groups only.

    Raises
    ------
    ConnectomeError
        There is none, or the way to it is a link.
    """
    import h5py

    item: h5py.Group | h5py.Dataset = file
    way: list[str] = []
    for name in path.split("/"):
        if name in ("", "."):
            continue
        way.append(name)
        link = item.get(name, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None or len(way) > MAX_DEPTH:
            raise ConnectomeError(
                f"There is no data set {one_line(path)!r} in {source}: {one_line('/'.join(way))!r} "
                f"is not there. Name one that it has with --variable{_listed(file, source)}."
            )
        if not isinstance(link, h5py.HardLink):
            raise _link("/".join(way), source)
        item = item[name]
    if not isinstance(item, h5py.Dataset):
        raise ConnectomeError(
            f"{one_line(path)!r} in {source} is a group, not a data set. Name a data set in it "
            f"with --variable{_listed(item, source)}."
        )
    return item


def _listed(group: h5py.Group, source: str) -> str:
    """The first data sets below a group, for the end of a sentence."""
    try:
        return f": {listed_arrays(stored_in(group, source))}"
    except ConnectomeError:  # of what else is wrong with the file, this sentence does not speak
        return ""


def named(item: h5py.Dataset | h5py.Group, source: str) -> tuple[str, str]:
    """The path of a data set or group in its file, and what messages call it."""
    # None, or bytes that are no text, for some that only references lead to.
    name = item.name.strip("/") if isinstance(item.name, str) else ""
    return name, f"{source}[{one_line(name)}]" if name else source


def described(data_set: h5py.Dataset, source: str) -> Stored:
    """What a data set holds, after refusing what libhdf5 would fetch from elsewhere.

    Raises
    ------
    ConnectomeError
        It is virtual, or stored in other files.
    """
    import h5py

    name, where = named(data_set, source)
    # Before its shape is asked for: for some virtual data sets that opens the other files.
    plan = data_set.id.get_create_plist()
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        raise ConnectomeError(
            f"{where} is a virtual data set, which takes its numbers from other files; they are "
            "not read. Copy the numbers into the file (h5repack does)."
        )
    if plan.get_external_count() > 0:
        raise ConnectomeError(
            f"{where} keeps its numbers in another file, which is not read. Copy the numbers into "
            "the file (h5repack does)."
        )
    type_class = data_set.id.get_type().get_class()
    names = {
        h5py.h5t.INTEGER: "data set of integers",
        h5py.h5t.FLOAT: "data set of numbers",
        h5py.h5t.STRING: "data set of text",
        h5py.h5t.COMPOUND: "compound data set",
        h5py.h5t.REFERENCE: "data set of references",
        h5py.h5t.OPAQUE: "data set of opaque values",
        h5py.h5t.VLEN: "data set of lists",
        h5py.h5t.ENUM: "data set of named values",
    }
    shape = tuple(int(length) for length in data_set.shape or ())
    if data_set.shape is None:
        return Stored(name, (), "other", "data set without values")
    what = names.get(type_class, "data set of another type")
    if type_class in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
        return Stored(name, shape, "numbers", what)
    if type_class == h5py.h5t.STRING:
        return Stored(name, shape, "text", what)
    return Stored(name, shape, "other", what)


def _link(path: str, source: str) -> ConnectomeError:
    return ConnectomeError(
        f"{one_line(path)!r} in {source} is a link to elsewhere, and links are not followed. Name "
        "the data set itself with --variable, or copy it into the file."
    )


def _address(item: h5py.Group | h5py.Dataset) -> tuple[int, ...]:
    """Where an object lies in the file, to tell it from others."""
    import h5py

    info = h5py.h5o.get_info(item.id)
    return int(info.fileno), int(info.addr)
