"""How unusual a connectome is, in words."""

from __future__ import annotations

import pytest

from dtb_runtime.strangeness import Strangeness


@pytest.mark.parametrize(
    ("distance", "similarity", "verdict"),
    [
        (50.0, 50.0, "is typical of"),
        (95.0, 5.0, "is typical of"),
        (97.5, 50.0, "is unusual for"),
        (50.0, 2.5, "is unusual for"),
        (100.0, 50.0, "lies outside"),
        (50.0, 0.0, "lies outside"),
    ],
)
def test_the_sentence_follows_the_stranger_of_the_two(
    distance: float, similarity: float, verdict: str
) -> None:
    strangeness = Strangeness.in_words(3.0, distance, 0.5, similarity)
    assert strangeness.sentence.startswith(f"This connectome {verdict} the training cohort")
    farther = f"lies 3.00 from the cohort's mean (Mahalanobis), that of {100 - distance:.0f} % of"
    assert farther in strangeness.sentence
    assert f"is 0.50, that of {similarity:.0f} % of the cohort is as low" in strangeness.sentence
    assert strangeness.is_outside == (verdict == "lies outside")


def test_regions_in_another_order_are_suspected() -> None:
    shuffled = Strangeness.in_words(3.0, 60.0, 0.03, 0.0)
    assert "mean connectome is 0.03" in shuffled.sentence
    assert "check that the regions are in the order of the bundle's labels" in shuffled.sentence
    assert "order" not in Strangeness.in_words(3.0, 60.0, 0.35, 0.0).sentence
