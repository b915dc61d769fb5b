"""Named array types of the training side: one axis, one name.

Axes: ``batch`` people, ``time`` 80-ms steps, ``frames`` BOLD volumes at TR, ``edges`` upper
triangle of a connectome (Fisher z, row-major), ``components`` rows of the edge basis, ``latent``
numbers of z, ``hidden`` units, ``inputs`` stimulus channels, ``actions`` response options,
``regions`` BOLD outputs, ``weights`` every weight and bias of one main network, flat.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

BatchEdges = Float[Tensor, "batch edges"]
BatchComponents = Float[Tensor, "batch components"]
BatchLatent = Float[Tensor, "batch latent"]
BatchWeights = Float[Tensor, "batch weights"]
BatchStimulus = Float[Tensor, "batch time inputs"]
BatchState = Float[Tensor, "batch hidden"]
BatchActions = Float[Tensor, "batch time actions"]
BatchBold = Float[Tensor, "batch frames regions"]
Scalar = Float[Tensor, ""]
