"""Which samples are probably mislabeled, from the mean loss of each sample over all of its visits.

A network learns what most samples have in common before it learns single samples by heart. So a sample with a wrong
label has a high loss for many epochs, and a high mean loss even after it was learned by heart. The mean losses are
split in two by the threshold of Otsu (1979), which maximizes the variance between the two groups. The share of the
variance that lies between the groups tells whether there are two groups at all. It is 0.637 for a normal distribution
and 0.648 for an exponential distribution, which are one group each.

A group of hard samples has a mean loss below chance, because the network learns something of them. A group of wrong
labels has a mean loss above chance, because the network learns another class. Chance is the loss of the network before
it has learned, at the first visits of the run.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_VISITS: Final = 5
"""Visits per sample below which it is too early to say. By experiment, in epochs, on digits and mnist1d."""
LEAST_SEPARATION: Final = 0.65
"""Share of the variance that must lie between the groups, as a ratio. It is just above the share of an exponential
distribution. By experiment, it was 0.56 to 0.61 on digits and mnist1d without wrong labels. It was 0.68 to 0.88 with
20 % of wrong labels, from the tenth epoch on.
"""
CHANCE_VISITS: Final = 256
"""Visits at the beginning of a run whose mean loss is chance, a count. They are one to eight steps of usual batches."""
LEAST_CHANCE: Final = 0.693
"""Smallest chance, in nats. It is ln 2, of two classes. A run that begins with a trained network has lower losses."""
ABOVE_CHANCE: Final = 1.2
"""Mean loss of the upper group from which it is worse than chance, as a ratio to chance. By experiment on digits and
mnist1d, it was 0.3 to 0.8 without wrong labels, and 1.3 to 3 with 5 or 20 % of wrong labels.
"""
BELOW_CHANCE: Final = 0.6
"""Largest mean loss of the lower group, as a ratio to chance. Above it, the network has learned too little to judge. By
experiment, the ratio was 0.15 to 0.58 from the tenth epoch on.
"""
LARGEST_SHARE: Final = 0.5
"""Largest share of samples that may be mislabeled, as a ratio. Most samples teach the network the right labels."""
_BINS: Final = 4_096
"""Bins between the lowest and the highest mean loss, a count. Narrow bins leave the threshold exact to 0.02 %."""
_SAME: Final = 1e-9
"""Relative difference up to which two thresholds are as good, a ratio. Rounding stays far below it."""


class Split(NamedTuple):
    """Two groups of mean losses.

    Attributes:
        threshold: Mean loss above which a sample belongs to the upper group.
        separation: Share of the variance that lies between the groups, as a ratio.
        share: Share of the samples in the upper group, as a ratio.
        lower: Mean of the lower group.
        upper: Mean of the upper group.
    """

    threshold: float
    separation: float
    share: float
    lower: float
    upper: float

    def has_wrong_labels(self, chance: float) -> bool:
        """Return whether the upper group stands apart, is the smaller one, and is worse than chance.

        Args:
            chance: Mean loss before the network had learned.
        """
        chance = max(chance, LEAST_CHANCE)
        stands_apart = self.separation >= LEAST_SEPARATION and self.share <= LARGEST_SHARE
        return stands_apart and self.upper >= ABOVE_CHANCE * chance and self.lower <= BELOW_CHANCE * chance


def split(mean_losses: NDArray[np.float32]) -> Split | None:
    """Split mean losses in two groups, by the threshold of Otsu.

    Args:
        mean_losses: Finite mean losses.

    Returns:
        None if all of them are the same.

    Example:
        >>> found = split(np.array([0.1] * 80 + [0.2] * 10 + [3.0] * 10, "f4"))
        >>> found.has_wrong_labels(chance=2.3), found.share
        (True, 0.1)
    """
    if not len(mean_losses) or not float(np.ptp(mean_losses)) > 0:
        return None
    counts, edges = np.histogram(mean_losses, bins=_BINS)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * centers)
    above = len(mean_losses) - below
    with np.errstate(divide="ignore", invalid="ignore"):
        means_apart = sums[:-1] / below - (sums[-1] - sums[:-1]) / above
        between = np.nan_to_num(below * above * means_apart**2) / len(mean_losses) ** 2
    highest = np.flatnonzero(between >= between.max() * (1 - _SAME))
    best = int(highest[len(highest) // 2])  # every threshold in an empty gap is as good, and the middle is safest
    overall = sums[-1] / len(mean_losses)
    variance = float((counts * (centers - overall) ** 2).sum()) / len(mean_losses)
    return Split(
        threshold=float(edges[best + 1]),
        separation=float(between[best]) / variance,
        share=float(above[best]) / len(mean_losses),
        lower=float(sums[best] / below[best]),
        upper=float((sums[-1] - sums[best]) / above[best]),
    )
