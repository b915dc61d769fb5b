"""One kind of refused file."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dtb_runtime.errors import DtbError


@dataclass(frozen=True, slots=True)
class Case:
    """A file that is made and refused."""

    kind: str
    """What is wrong with it, for people."""
    refuse: Callable[[], object]
    """Makes it in the current folder and reads it, which raises."""
    varies: str = ""
    """What a library says and may say otherwise in its next version, as a regular expression."""

    def sentence(self) -> str:
        """What is said; the file is made in a folder of its own."""
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            places = {folder, str(Path.cwd())}
            try:
                self.refuse()
            except DtbError as error:
                text = str(error)
            else:
                raise AssertionError(f"{self.kind}: it was not refused")
        for place in sorted(places, key=len, reverse=True):
            text = text.replace(f"{place}/", "").replace(place, "my_folder")
        return re.sub(self.varies, "(...)", text) if self.varies else text
