"""One section of a page that is written from figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
