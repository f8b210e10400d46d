import pytest
from runs import QUIET, ListSink

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Plan
from green_callbacks.errors import ConfigurationError, UnitError, UnknownZoneError
from green_callbacks.sources import ScriptedSource


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pue": 0.9}, "pue"),
        ({"pue": "good"}, "pue"),
        ({"location": "Germny"}, "Germany"),
        ({"carbon_intensity": -1}, "carbon intensity"),
        ({"carbon_intensity": "dirty"}, "carbon intensity"),
        ({"policies": CarbonBudget("1 kg")}, r"policies= takes a list"),
        ({"policies": "500 g"}, r"policies=\[CarbonBudget"),
        ({"policies": [CarbonBudget]}, "is a class"),
        ({"policies": [3]}, "is no policy"),
        ({"sources": ScriptedSource()}, "sources= takes a list of EnergySource objects"),
        ({"sources": ["gpu:0"]}, "sources= takes a list of EnergySource objects"),
        ({"sinks": ListSink()}, "sinks= takes a list of Sink objects"),
        ({"sinks": [ListSink]}, "sinks= takes a list of Sink objects"),
        ({"ledger": True}, "ledger= takes the path of a file, or False"),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_construction(options, said):
    with pytest.raises(ConfigurationError, match=said):
        EnergyAccountant(**options)


def test_options_that_cannot_work_are_refused_before_they_get_here():
    with pytest.raises(UnitError, match="'500 stones'"):
        CarbonBudget("500 stones")
    with pytest.raises(ConfigurationError, match="above 0"):
        CarbonBudget("0 g")
    with pytest.raises(ConfigurationError, match="one threshold"):
        MarginalGain("val_acc", min_gain_per_kg=1.0, min_gain_on_doubling=0.1)
    with pytest.raises(UnknownZoneError, match="Germany"):
        EnergyAccountant(location="Germny")


def test_an_option_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match="no option 'policy'; did you mean 'policies'"):
        EnergyAccountant(policy=[])
    with pytest.raises(TypeError, match="no option 'xyzzy'; there are sources, location"):
        EnergyAccountant(xyzzy=1)


def test_options_may_be_left_open_explicitly():
    accountant = EnergyAccountant(
        sources=[], location=None, carbon_intensity=None, pue=None, sinks=None, ledger=None, plan=None
    )
    assert accountant.close().energy_joules is None


def test_a_function_is_a_policy_and_a_number_an_intensity():
    accountant = EnergyAccountant(
        **{**QUIET, "carbon_intensity": 250},
        policies=[lambda *_: "enough"],
        ledger=False,
        sources=[],
        plan=Plan(epochs=3),
    )
    with accountant:
        assert list(accountant.epochs(3)) == [0]
    assert accountant.stop_reason == "enough"
    assert accountant.history[0].intensity.g_per_kwh == 250.0
