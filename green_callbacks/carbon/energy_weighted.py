"""The mean carbon intensity of energy that was used while the intensity changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from green_callbacks.carbon import CarbonIntensity, is_varying, mean_intensity
from green_callbacks.records import Intensity


class Piece(NamedTuple):
    """A part of an interval.

    Attributes:
        start: Beginning, aware.
        end: End, aware.
        joules: Energy used in this part, in J.
    """

    start: datetime
    end: datetime
    joules: float


def energy_weighted(provider: CarbonIntensity, pieces: Sequence[Piece]) -> Intensity:
    """Return the mean intensity of an interval. Pieces are weighted by energy, and each piece within itself by time.

    Args:
        provider: The intensity over time.
        pieces: One or more pieces of the interval, in order.
    """
    mean = mean_intensity(provider, pieces[0].start, pieces[-1].end)
    if len(pieces) == 1 or not is_varying(provider):
        return mean
    joules = sum(piece.joules for piece in pieces)
    if joules <= 0:
        return mean
    means = [(provider.over(piece.start, piece.end), piece.joules / joules) for piece in pieces]
    return replace(
        mean,
        g_per_kwh=sum(each.g_per_kwh * share for each, share in means),
        low_g_per_kwh=sum(each.lowest_g_per_kwh * share for each, share in means),
        high_g_per_kwh=sum(each.highest_g_per_kwh * share for each, share in means),
    )
