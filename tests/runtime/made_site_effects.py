"""Site effects that nobody fitted, for tests."""

from __future__ import annotations

import numpy as np

from dtb_runtime.bundle import Bundle
from dtb_runtime.covariates import Covariate
from dtb_runtime.harmonization import Harmonization, Site, SiteEffects, labels_digest

N_EDGES = 66
AGE = Covariate("age", "number", lowest=20.0, highest=60.0, center=40.0, scale=10.0)
SEX = Covariate("sex", "sex", lowest=0.0, highest=1.0, center=0.5, scale=0.5)


def made_site_effects(
    tiny: Bundle, rng: np.random.Generator, *covariates: Covariate
) -> Harmonization:
    """Made-up effects of the sites A and B on the tiny bundle's 12 regions."""
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    return Harmonization(
        source="sites.npz",
        site_column="site",
        sites=(Site("A", 20), Site("B", 30)),
        covariates=covariates,
        parcellation=parcellation.name,
        n_regions=12,
        labels_digest=labels_digest(parcellation.labels),
        effects=SiteEffects(
            mean=rng.normal(0.2, 0.2, N_EDGES),
            slopes=rng.normal(0.0, 0.05, (len(covariates), N_EDGES)),
            sd=rng.uniform(0.1, 0.3, N_EDGES),
            shift=rng.normal(0.0, 0.5, (2, N_EDGES)),
            spread=rng.uniform(0.7, 1.4, (2, N_EDGES)),
        ),
        made_with={"neuroHarmonize": "2.4.5"},
    )
