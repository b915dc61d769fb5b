"""Sections of a page that is written from figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
"""What a section is measured on."""


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """One part of a measurement and of its page."""

    name: str
    """As in `--only`, and in the file of figures."""
    title: str
    """Heading on the page."""
    measure: Callable[[T], dict[str, Any]]
    """Measures, and returns JSON values."""
    write: Callable[[Mapping[str, Any]], str]
    """Writes them as Markdown, from these values alone."""


def written(
    sections: Iterable[Section[T]], figures: Mapping[str, Any], target: str
) -> Iterator[str]:
    """Yield every section of a page, also those that were not measured.

    Parameters
    ----------
    sections : iterable of Section
    figures : mapping
        What was found, by the name of the section.
    target : str
        Of make, which measures them.
    """
    for section in sections:
        said = f'Not measured: `make {target} ARGS="--only {section.name}"`.'
        if section.name in figures:
            said = section.write(figures[section.name])
        yield f"## {section.title}\n\n{said}"


def where_measured(figures: Mapping[str, Any], more: str = "") -> str:
    """Return when and on which machine it was measured, and whether anything else ran there.

    Parameters
    ----------
    figures : mapping
        With `date`, `machine`, `versions` and `load`.
    more : str
        What else it was measured with.
    """
    machine = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    cores, load = machine["usable_cores"], figures["load"]
    said = (
        f"Measured on {figures['date']}: {machine['processor']}, {cores} usable "
        f"{'core' if cores == 1 else 'cores'}, {machine['memory_gb']:g} GB of memory, "
        f"{machine['system']}; {more}{versions}. When it began, {load:g} processes had wanted a "
        "core during the minute before"
    )
    if load > cores / 2:  # which would make all times doubtful
        return f"{said}: **the machine was busy, and times are longer than they need be.**"
    return f"{said}."


def tiny(name: str) -> str:
    """Return a warning where sizes were not those in earnest."""
    if name == "full":
        return ""
    return " **Tiny sizes, to see that everything runs: these figures mean nothing.**"
