"""One kind of file that is fuzzed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz_mutators import Mutation

from dtb_runtime import reading_child

LIBRARY = " (library)"
"""Ends the names of targets that are read without the process in between: what a library does there
costs a user one sentence."""
ISOLATED = tuple(reading_child.READERS)
"""Endings of files that a process of its own reads."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A target in the process that fuzzes it."""

    good: Sequence[bytes]
    """Files that are read."""
    ways: Sequence[Mutation]
    """Ways to damage them, taken in turns by chance."""
    read: Callable[[Path], object]
    """Reads a file; returns, or raises a `DtbError`."""


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of file."""

    name: str
    ending: str
    prepare: Callable[[Path], Prepared]
    """Takes a folder for files that it needs beside."""

    @property
    def is_isolated(self) -> bool:
        """Whether a process of its own reads each input, as users' files are read."""
        return self.ending in ISOLATED and not self.is_contained

    @property
    def is_contained(self) -> bool:
        """Whether a crash of it is one of a process made to crash."""
        return self.name.endswith(LIBRARY)
