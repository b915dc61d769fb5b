"""Rows and columns of CIFTI-2 files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .errors import ConnectomeError
from .nibabel_images import NiftiFile, library_calls, nibabel_module
from .raw_array import size_text

AXIS_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "BrainModelAxis": "grayordinates",
        "ParcelsAxis": "parcels",
        "SeriesAxis": "time points",
        "ScalarAxis": "maps",
        "LabelAxis": "maps of labels",
    }
)
"""nibabel's class of an axis and what messages call it."""


def read_axes(file: NiftiFile) -> tuple[Any, Any]:
    """What rows and columns of an open CIFTI-2 file are.

    Returns
    -------
    rows, columns : nibabel.cifti2.cifti2_axes.Axis
        Each as long as the file's header says.

    Raises
    ------
    ConnectomeError
        The XML is damaged or hostile, or does not fit the size of the matrix.
    """
    xml = file.cifti_xml()
    # CIFTI needs neither, and entities may unpack to any size. Zero bytes: UTF-16 would hide both.
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml or b"\0" in xml:
        raise ConnectomeError(
            f"{file.source} has a CIFTI-2 header that defines entities or is not UTF-8, which no "
            "program writes. It is not read; fetch the file from where it was made."
        )
    nibabel = nibabel_module()
    with library_calls(file.source, "its CIFTI-2 header"):
        parser = nibabel.cifti2.parse_cifti2.Cifti2Parser()
        parser.parse(string=xml)
    matrix = parser.header and parser.header.matrix
    if matrix is None:
        raise ConnectomeError(
            f"{file.source} has a CIFTI-2 header without a matrix. Write it again with the program "
            "that made it."
        )
    axes = []
    for dimension, length in enumerate(file.shape):
        with library_calls(file.source, "its CIFTI-2 header"):
            models = list(matrix.get_index_map(dimension).brain_models)
        if models:  # nibabel makes room for as many as they claim, and takes them as sorted
            _check_models(file, models, length)
        with library_calls(file.source, "its CIFTI-2 header"):
            axis = matrix.get_axis(dimension)
        _check_length(file, axis.size, length)
        axes.append(axis)
    rows, columns = axes
    return rows, columns


def _check_models(file: NiftiFile, models: list[Any], length: int) -> None:
    at = 0
    for model in models:
        listed_there = model.vertex_indices or model.voxel_indices_ijk or ()
        if model.index_offset != at or model.index_count != len(listed_there):
            raise ConnectomeError(
                f"{file.source} is damaged: the structures in its CIFTI-2 header do not follow "
                "each other, or have not as many grayordinates as they claim. Write it again with "
                "the program that made it."
            )
        at += len(listed_there)
    _check_length(file, at, length)


def _check_length(file: NiftiFile, claimed: int, length: int) -> None:
    if claimed != length:
        raise ConnectomeError(
            f"{file.source} holds {size_text(file.shape)} numbers, but its CIFTI-2 header has "
            f"{claimed} rows or columns instead of {length}. Write it again with the program that "
            "made it."
        )
