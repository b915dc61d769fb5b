"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[int, int, str], bool | None]
"""Called with what is done, what there is to do, and a sentence; work that can end early ends where
it returns True."""
