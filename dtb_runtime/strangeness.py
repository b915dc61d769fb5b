"""How unusual a connectome is for the people a bundle was trained on, in figures and words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

UNUSUAL_PERCENTILE = 95.0
"""A connectome further out than this share of the cohort is called unusual."""

SHUFFLED_BELOW = 0.2
"""Similarity of a connectome whose regions are in another order; real ones have more than 0.4."""


@dataclass(frozen=True, slots=True)
class Strangeness:
    """How unusual a connectome is for the cohort its bundle was trained on."""

    distance: float | None
    """Mahalanobis distance of the latent from the cohort's mean; None without a latent."""
    distance_percentile: float | None
    """Percent of the cohort's held-out people that are nearer; 100: nobody is as far out."""
    similarity_to_cohort: float | None
    """Pearson r of the edges (Fisher z) with the cohort's mean edges."""
    similarity_percentile: float | None
    """Percent of the cohort's held-out people that are less similar; 0: nobody is as dissimilar."""
    sentence: str
    """The same in words."""

    @classmethod
    def in_words(
        cls,
        distance: float | None,
        distance_percentile: float | None,
        similarity: float | None,
        similarity_percentile: float | None,
    ) -> Strangeness:
        """Put the figures into words; they are the fields of the same places."""
        facts = []
        hint = ""
        # Both in the same direction: fewer percent are more unusual.
        if similarity is not None and similarity_percentile is not None:
            facts.append(
                f"its correlation with the cohort's mean connectome is {similarity:.2f}, that of "
                f"{similarity_percentile:.0f} % of the cohort is as low or lower"
            )
        if distance is not None and distance_percentile is not None:
            facts.append(
                f"what the network reads from it lies {distance:.2f} from the cohort's mean "
                f"(Mahalanobis), that of {100.0 - distance_percentile:.0f} % of the cohort as far "
                "or farther"
            )
        if similarity is not None and similarity < SHUFFLED_BELOW:
            hint = (
                " Connectomes of the same regions agree far more between any two people: check "
                "that the regions are in the order of the bundle's labels."
            )
        unworded = cls(distance, distance_percentile, similarity, similarity_percentile, "")
        outlyingness = _outlyingness(unworded)
        if outlyingness >= 100.0:
            verdict = (
                "This connectome lies outside the training cohort, so the forecast is an "
                "extrapolation"
            )
        elif outlyingness > UNUSUAL_PERCENTILE:
            verdict = "This connectome is unusual for the training cohort"
        else:
            verdict = "This connectome is typical of the training cohort"
        return cls(
            distance,
            distance_percentile,
            similarity,
            similarity_percentile,
            f"{verdict}: {'; '.join(facts)}.{hint}",
        )

    @property
    def is_outside(self) -> bool:
        """Whether nobody in the cohort is as far out, by either measure."""
        return _outlyingness(self) >= 100.0

    def to_json(self) -> dict[str, float | str | None]:
        """The fields as JSON values."""
        return asdict(self)


def _outlyingness(strangeness: Strangeness) -> float:
    """Percent of the cohort that is less unusual, by the measure that finds more."""
    distance, similarity = strangeness.distance_percentile, strangeness.similarity_percentile
    return max(
        0.0 if distance is None else distance, 0.0 if similarity is None else 100.0 - similarity
    )
