"""The page of refused files says what the code says, and every sentence helps."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from .refused_case import Case
from .refused_files import GROUPS, PAGE, page

PACKAGES = ("h5py", "nibabel", "pandas", "pyarrow", "scipy")
pytestmark = pytest.mark.skipif(
    not all(map(find_spec, PACKAGES)), reason=f"files are made with {', '.join(PACKAGES)}"
)
CASES = [case for _, cases in GROUPS for case in cases]


def test_the_page_says_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it again with: python -m tests.runtime.refused_files"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_sentence_is_printable_and_says_what_to_do(case: Case) -> None:
    sentence = case.sentence()
    assert sentence.isprintable()
    assert 20 < len(sentence) < 700
    assert sentence.endswith(".")
    assert "Traceback" not in sentence


def test_every_kind_stands_there_once() -> None:
    assert all(len({case.kind for case in cases}) == len(cases) for _, cases in GROUPS)
    assert len(CASES) > 100
