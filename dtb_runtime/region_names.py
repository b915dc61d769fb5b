"""Which region of a file is which of a parcellation, where names differ in case or prefix.

The same atlas comes with names such as ``17networks_LH_VisCent_Striate``,
``LH_VisCent_Striate`` and ``lh_viscent_striate``, or ``L_V1``, ``L_V1_ROI`` and ``V1_L``. They are
taken for each other where only one pair of names fits; nothing is guessed from positions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .connectome_checks import listed

_WORD = re.compile(r"[^\W_]+")
_LETTER = re.compile(r"[^\W\d_]")
_LAST_WORDS = ("roi", "label", "parcel")
"""Words at the end of a name that say that it names a region, and not which."""
_SIDES = MappingProxyType({"l": "l", "lh": "l", "left": "l", "r": "r", "rh": "r", "right": "r"})
"""Words for a hemisphere."""

_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RegionMatch:
    """Where each region of a parcellation is in a file."""

    order: NDArray[np.intp]
    """Shape (regions of the parcellation,): position in the file, -1 where it has none."""
    missing: tuple[str, ...]
    """Regions of the parcellation that the file does not have."""
    unknown: tuple[str, ...]
    """Regions of the file that the parcellation does not have."""
    renamed: tuple[tuple[str, str], ...]
    """Names that were taken for another: the file's and the parcellation's."""

    @property
    def differences(self) -> str:
        """What is missing and what is unknown, for people; empty if nothing is."""
        parts = []
        if self.missing:
            parts.append(f"missing {listed(self.missing)}")
        if self.unknown:
            parts.append(f"unknown {listed(self.unknown)}")
        return "; ".join(parts)


def match_regions(found: Sequence[str], wanted: Sequence[str]) -> RegionMatch:
    """Find each wanted region among the names that a file has.

    Equal names go together first, then names equal but for case, then those of which one ends in
    all words of the other (``ROI`` at the end not counted), then the same with the hemisphere,
    whatever its word, before the region (``V1_lh`` for ``L_V1``). Where two names would fit one,
    neither is taken.

    Parameters
    ----------
    found, wanted : sequence of str
        All different among themselves.
    """
    order = np.full(len(wanted), -1, dtype=np.intp)
    open_found, open_wanted = set(range(len(found))), set(range(len(wanted)))
    ways = (_equal(str), _equal(str.casefold), _ends_alike(_words), _ends_alike(_side_first))
    for pairs_of in ways:
        # Among all names: what also fits one that is taken already is ambiguous all the same.
        for here, there in pairs_of(found, wanted):
            if here in open_found and there in open_wanted:
                order[there] = here
                open_found.discard(here)
                open_wanted.discard(there)
    renamed = tuple(
        (found[here], wanted[there])
        for there, here in enumerate(order.tolist())
        if here >= 0 and found[here] != wanted[there]
    )
    return RegionMatch(
        order,
        tuple(wanted[i] for i in sorted(open_wanted)),
        tuple(found[i] for i in sorted(open_found)),
        renamed,
    )


_Names = Sequence[str]
_Pairs = list[tuple[int, int]]


def _equal(key: Callable[[str], str]) -> Callable[[_Names, _Names], _Pairs]:
    """Pairs of names that are equal under a key, where no other name has it."""

    def pairs(found: _Names, wanted: _Names) -> _Pairs:
        mine, theirs = _once(found, key), _once(wanted, key)
        return [(mine[name], theirs[name]) for name in mine if name in theirs]

    return pairs


def _once(names: _Names, key: Callable[[str], str]) -> dict[str, int]:
    at: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        at.setdefault(key(name), []).append(i)
    return {name: each[0] for name, each in at.items() if len(each) == 1}


def _ends_alike(words_of: Callable[[str], _Words]) -> Callable[[_Names, _Names], _Pairs]:
    """Pairs of which one ends in all words of the other, where this is so of no other name."""

    def pairs(found: _Names, wanted: _Names) -> _Pairs:
        mine, theirs = list(map(words_of, found)), list(map(words_of, wanted))
        links = _links(mine, theirs) | {(i, j) for j, i in _links(theirs, mine)}
        n_mine, n_theirs = Counter(i for i, _ in links), Counter(j for _, j in links)
        return sorted((i, j) for i, j in links if n_mine[i] == n_theirs[j] == 1)

    return pairs


def _links(longer: Sequence[_Words], shorter: Sequence[_Words]) -> set[tuple[int, int]]:
    by_words: dict[_Words, list[int]] = {}
    for j, words in enumerate(shorter):
        # A number alone names nothing, and neither does a side.
        if any(map(_LETTER.search, words)) and not set(words) <= _SIDES.keys():
            by_words.setdefault(words, []).append(j)
    return {
        (i, j)
        for i, words in enumerate(longer)
        for begin in range(len(words))
        # What precedes may repeat the side, and not say another one, or one of a region of both.
        if _sides(words[:begin]) <= _sides(words[begin:])
        for j in by_words.get(words[begin:], ())
    }


def _sides(words: _Words) -> set[str]:
    return {_SIDES[word] for word in words if word in _SIDES}


def side_of(name: str) -> str | None:
    """The hemisphere that a region's name says: ``"l"`` or ``"r"``; None where none or both."""
    sides = _sides(_words(name))
    return sides.pop() if len(sides) == 1 else None


def _words(name: str) -> _Words:
    words = tuple(_WORD.findall(name.casefold()))
    return words[:-1] if len(words) > 1 and words[-1] in _LAST_WORDS else words


def _side_first(name: str) -> _Words:
    """Words with the one for the hemisphere shortened, and brought to the front from the end.

    Empty, which fits nothing, where none or several words may be it: a region of one side is not
    taken for that of both.
    """
    words = _words(name)
    at = [i for i, word in enumerate(words) if word in _SIDES]
    if len(at) != 1 or len(words) < 2:
        return ()
    side = _SIDES[words[at[0]]]
    if at[0] == len(words) - 1:
        return (side, *words[:-1])
    return (*words[: at[0]], side, *words[at[0] + 1 :])
