"""Which samples are probably mislabeled, from the mean loss of each sample over all of its visits.

A network learns what most samples have in common before it learns single samples by heart. So a sample with a wrong
label has a high loss for many epochs, and a high mean loss even after it was learned by heart. The mean losses are
split in two by the threshold of Otsu (1979), which maximizes the variance between the two groups. The share of the
variance that lies between the groups tells whether there are two groups at all. It is 0.637 for a normal distribution
and 0.648 for an exponential distribution, which are one group each.
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
LARGEST_SHARE: Final = 0.5
"""Largest share of samples that may be mislabeled, as a ratio. Most samples teach the network the right labels."""
LEAST_THRESHOLD: Final = 0.693
"""Smallest mean cross entropy that counts as high, in nats: half of the probability is on other classes."""
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
    """

    threshold: float
    separation: float
    share: float

    @property
    def are_two(self) -> bool:
        """Whether the groups stand apart, and the upper group is the smaller one."""
        return self.separation >= LEAST_SEPARATION and self.share <= LARGEST_SHARE


def split(mean_losses: NDArray[np.float32]) -> Split | None:
    """Split mean losses in two groups, by the threshold of Otsu.

    Args:
        mean_losses: Finite mean losses.

    Returns:
        None if all of them are the same.

    Example:
        >>> found = split(np.array([0.1] * 80 + [0.2] * 10 + [3.0] * 10, "f4"))
        >>> found.are_two, found.share
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
    return Split(float(edges[best + 1]), float(between[best]) / variance, float(above[best]) / len(mean_losses))
