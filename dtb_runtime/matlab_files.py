"""MATLAB files of the versions 5 to 7.3: a matrix, time series, or what the CONN toolbox writes."""

from __future__ import annotations

from pathlib import Path

from .array_choice import Stored, array_meant, labels_beside, named_array
from .conn_files import MatlabFile, is_conn, read_conn
from .errors import ConnectomeError
from .hdf5_objects import opened_hdf5
from .library_failures import library_failures
from .matlab_v5 import MatlabV5
from .matlab_v73 import MatlabV73
from .raw_array import RawArray, check_shape, real_matrix
from .reading import Reading
from .tables import file_label, one_line

_HDF5 = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512  # bytes that MATLAB puts before HDF5
_VERSION_5 = (b"\x00\x01IM", b"\x01\x00MI")  # at byte 124, little and big endian
_SAVE = "Save it again with save(file, name, '-v7')."


def read_matlab(path: Path, reading: Reading) -> RawArray:
    """Read a MATLAB file: CONN's `Z`; `connectome`, `correlations`, `timeseries`; the only matrix.

    Of several others, the one that `reading.variable` names; a field of a struct as
    ``"struct.field"``. Region names may stand beside it as `labels`, a cell array of char or a char
    matrix.

    Raises
    ------
    ConnectomeError
        The file is no MATLAB file or damaged, nobody can tell which variable is meant, or it is a
        struct, an object, a function handle or text.
    MissingDependencyError
        scipy is not installed, or for version 7.3 h5py.
    """
    source = file_label(path)
    failures = library_failures(f"{source} cannot be read", "Check its permissions.")
    with failures, path.open("rb") as file:
        head = file.read(_USER_BLOCK + len(_HDF5))
    if _HDF5 in (head[: len(_HDF5)], head[_USER_BLOCK:]):
        with opened_hdf5(path, "MATLAB 7.3") as hdf5:
            return _read(MatlabV73(hdf5, source), reading, source)
    if head[124:128] not in _VERSION_5:
        raise ConnectomeError(
            f"{source} is not a MATLAB file of version 5 to 7.3, or its header is damaged. {_SAVE}"
        )
    return _read(MatlabV5(path), reading, source)


def _read(file: MatlabFile, reading: Reading, source: str) -> RawArray:
    if is_conn(file.found, reading.variable):
        return read_conn(file, source)
    found = _with_fields(file, reading.variable)
    meant = array_meant(found, reading.variable, source)
    named_by = labels_beside(found, meant, source)
    labels = None if named_by is None else file.texts(named_by)
    where = f"{source}[{one_line(meant.name)}]"
    check_shape(meant.shape, where)
    values = real_matrix(file.numbers(meant), where)
    return named_array(meant, values, labels)


def _with_fields(file: MatlabFile, variable: str | None) -> list[Stored]:
    """All variables, and the fields of the structs that a name such as ``"a.b.fc"`` leads into."""
    found = list(file.found)
    path = "" if variable is None else variable
    ends = [place for place, char in enumerate(path) if char == "."]
    for end in (*ends, len(path)):
        structs = [each for each in found if each.is_struct and each.name == path[:end]]
        if len(structs) != 1:
            break
        found += file.fields(structs[0])
    return found
