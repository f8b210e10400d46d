"""The mean intensity of an interval weights its pieces by their energy."""

import importlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from green_callbacks.carbon.energy_weighted import Piece, energy_weighted
from green_callbacks.records import EpochRecord

room = importlib.import_module("green_callbacks.carbon.energy_weighted")
START = datetime(2026, 3, 1, tzinfo=UTC)
MEAN = replace(EpochRecord.scripted(epoch=0).intensity, g_per_kwh=250.0, low_g_per_kwh=None, high_g_per_kwh=None)


class Steps:
    """100 gCO2e/kWh in the first hour and 400 in the second, within 10 %."""

    def over(self, start, end):
        g = 100.0 if end <= START + timedelta(hours=1) else 400.0
        return replace(MEAN, g_per_kwh=g, low_g_per_kwh=g * 0.9, high_g_per_kwh=g * 1.1)


def pieces(*joules):
    hours = [START + timedelta(hours=at) for at in range(len(joules) + 1)]
    return [Piece(start, end, used) for start, end, used in zip(hours, hours[1:], joules, strict=False)]


@pytest.fixture(autouse=True)
def _varying(monkeypatch):
    monkeypatch.setattr(room, "mean_intensity", lambda *_: MEAN)
    monkeypatch.setattr(room, "is_varying", lambda _: True)


def test_pieces_count_by_their_energy():
    mean = energy_weighted(Steps(), pieces(3000.0, 1000.0))
    assert mean.g_per_kwh == pytest.approx(175.0)
    assert (mean.low_g_per_kwh, mean.high_g_per_kwh) == (pytest.approx(157.5), pytest.approx(192.5))


@pytest.mark.parametrize("joules", [(1000.0,), (0.0, 0.0), (-1.0, 1.0)])
def test_one_piece_or_no_energy_has_the_mean_over_time(joules):
    assert energy_weighted(Steps(), pieces(*joules)) == MEAN


def test_an_intensity_that_does_not_vary_is_not_divided(monkeypatch):
    monkeypatch.setattr(room, "is_varying", lambda _: False)
    assert energy_weighted(Steps(), pieces(3000.0, 1000.0)) == MEAN
