"""What may not be said of a person of a cohort, and what is said instead."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .readers import ending_of, stem_of
from .tables import one_line

if TYPE_CHECKING:
    from .cohort_entry import CohortEntry
    from .connectome import Connectome

_SUBJECT = re.compile(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+", re.IGNORECASE)
_ANY_OTHER = "sub-(hidden)"
SHORTEST_LABEL = 4
"""Characters: a shorter label without ``sub-`` may be any number or word of a sentence."""


@dataclass(frozen=True, slots=True)
class HiddenNames:
    """Names of one entry that no output may have."""

    shown: str
    """What stands in their place: ``sub-`` and 16 hexadecimal digits."""
    salt: bytes = field(repr=False)
    """Of this entry alone, made with the key: seals what identifies its file."""
    texts: tuple[str, ...] = field(repr=False)
    """Replaced wherever they stand, whatever is around them."""
    words: tuple[str, ...] = field(repr=False)
    """Replaced where neither letters nor digits are around them."""
    stems: tuple[str, ...] = field(repr=False)
    """Names of files without ending: replaced where an ending or an entity follows."""
    ending: str = field(default="", repr=False)
    """Of the file."""

    @classmethod
    def of(cls, entry: CohortEntry, shown: str, salt: bytes) -> HiddenNames:
        """Names of an entry that hides nothing yet."""
        texts: list[str] = []
        stems: list[str] = []
        if entry.path is not None:
            name = entry.path.name
            folder = f"{entry.path.parent}/"
            texts += [str(entry.path), one_line(str(entry.path)), name, one_line(name)]
            texts += [folder, one_line(folder)]
            stems += [stem_of(name), one_line(stem_of(name))]
        texts += [shape for named in entry.named for shape in (named, one_line(named))]
        label = entry.participant_id.removeprefix("sub-")
        words = [entry.participant_id, repr(entry.participant_id)[1:-1]]
        # A label of letters alone may be a word of the sentence, which would then tell the label.
        if len(label) >= SHORTEST_LABEL and not label.isalpha():
            words.append(label)
        return cls(
            shown=shown,
            salt=salt,
            texts=tuple(dict.fromkeys(filter(None, texts))),
            words=tuple(dict.fromkeys(word for word in words if word != "n/a")),
            stems=tuple(dict.fromkeys(filter(None, stems))),
            ending="" if entry.path is None else ending_of(entry.path) or "",
        )

    def told(self, text: str) -> str:
        """A text without the names, and without any other participant's id."""
        before, after = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
        shapes = [(each, re.escape(each)) for each in self.texts]
        shapes += [(each, f"{before}{re.escape(each)}{after}") for each in self.words]
        stems = [(each, f"{before}{re.escape(each)}") for each in self.stems]
        shapes += [(each, rf"{pattern}(?=\.[A-Za-z0-9]|_)") for each, pattern in stems]
        # In one go: what stands in place of a name may hold another one by chance.
        names = "|".join(pattern for _, pattern in sorted(shapes, key=lambda s: -len(s[0])))
        found = re.sub(names, self._instead, text, flags=re.IGNORECASE) if names else text
        return _SUBJECT.sub(lambda match: match[0] if match[0] == self.shown else _ANY_OTHER, found)

    def _instead(self, match: re.Match[str]) -> str:
        name = match[0]
        if name.endswith("/"):  # a folder before a name
            return ""
        return f"{self.shown}{self.ending if self.ending and name.endswith(self.ending) else ''}"

    def sealed_text(self, text: str) -> str:
        """Tells a text from any other, and whoever has not the key nothing: 16 characters."""
        return hmac.new(self.salt, f"text\0{text}".encode(), hashlib.sha256).hexdigest()[:16]

    def sealed_numbers(self, size: int, time_ns: int) -> tuple[int, int]:
        """The same for a file's size and time: two numbers from 0 below 2**62."""
        seal = hmac.new(self.salt, f"stamp\0{size}\0{time_ns}".encode(), hashlib.sha256).digest()
        one, other = (int.from_bytes(seal[i : i + 8], "big") >> 2 for i in (0, 8))
        return one, other


def nameless(text: str, entry: CohortEntry) -> str:
    """A sentence about somebody as messages may have it, which do not say who it is."""
    if entry.hidden is not None:
        return entry.told(text)
    return HiddenNames.of(entry, _ANY_OTHER, b"").told(text)


def unnamed(connectome: Connectome, entry: CohortEntry) -> Connectome:
    """A connectome that does not say which file it came from, where its entry hides this."""
    if entry.hidden is None:
        return connectome
    return replace(
        connectome,
        source=entry.hidden.shown,
        notes=tuple(map(entry.told, connectome.notes)),
        taken_for=entry.told(connectome.taken_for),
    )
