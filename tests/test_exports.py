import importlib

import pytest

import green_callbacks

PUBLIC = {
    "AccountantOptions",
    "CarbonBudget",
    "DataReport",
    "EnergyAccountant",
    "EpochRecord",
    "History",
    "Indexed",
    "MarginalGain",
    "MlflowSink",
    "Plan",
    "Policy",
    "Replay",
    "RunRecord",
    "Sink",
    "Summary",
    "TensorBoardSink",
    "Verdict",
    "WandbSink",
    "Window",
    "__version__",
    "measure",
    "read_ledger",
    "replay",
}
ROOMS = ["accountant", "carbon", "data_report", "exports", "policies", "records", "sinks", "sources", "summary"]


def test_the_public_names_are_exactly_these():
    assert set(green_callbacks.__all__) == PUBLIC
    assert len(green_callbacks.__all__) == len(PUBLIC)
    assert sorted(green_callbacks.__all__) == green_callbacks.__all__


def test_every_public_name_is_there_and_completed_by_the_shell():
    assert all(getattr(green_callbacks, name) is not None for name in PUBLIC)
    assert set(dir(green_callbacks)) >= PUBLIC


def test_a_name_that_there_is_not_is_said():
    with pytest.raises(AttributeError, match="'green_callbacks' has no attribute 'Tracker'"):
        green_callbacks.Tracker  # noqa: B018


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_what_it_promises(room):
    module = importlib.import_module(f"green_callbacks.{room}")
    assert module.__all__
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


def test_the_version_is_one():
    assert green_callbacks.__version__.count(".") == 2
