"""Sensors of a busy machine."""

import pytest


@pytest.fixture(autouse=True)
def patient_edges(monkeypatch):
    """Wait for a sensor as long as a busy machine needs. The time limit of an edge has tests of its own."""
    monkeypatch.setattr("green_callbacks.measurement.read_time_limit._left", lambda began, limit: 5.0)
