import time
from pathlib import Path

import pytest
from support.runs import QUIET, ListSink

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Plan, Summary, TensorBoardSink, measure
from green_callbacks.carbon import ConstantIntensity, lookup
from green_callbacks.clock import SystemClock
from green_callbacks.errors import ConfigurationError, UnitError, UnknownZoneError
from green_callbacks.sources import CallableSource, CpuModelSource, NvmlSource, PowercapSource, ScriptedSource

SHARED = ScriptedSource()


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
        ({"sources": ScriptedSource()}, r"sources= takes a list, not .*\. Write sources=\[NvmlSource"),
        ({"sources": ["gpu:0"]}, "sources= takes a list of EnergySource objects"),
        ({"sinks": ListSink()}, r"sinks= takes a list, not .*\. Write sinks=\[TensorBoardSink"),
        ({"sinks": [ListSink]}, r"class ListSink. Pass an object of it, ListSink\(\.\.\.\)"),
        ({"ledger": True}, "ledger= takes the path of a file, or False"),
        ({"ledger": ""}, "ledger= takes the path of a file, or False"),
        ({"ledger": b"run.jsonl"}, "not a value of type bytes"),
        ({"ledger": "run\0.jsonl"}, "ledger= takes the path of a file"),
        ({"ledger": "s3://bucket/run.jsonl"}, "takes a file on this machine"),
        ({"carbon_intensity": "56,3"}, r"with a decimal point, as in 56\.3, not a comma"),
        ({"carbon_intensity": True}, "True is no number"),
        ({"carbon_intensity": [380]}, "or a provider, but a value of type list is no number"),
        ({"carbon_intensity": 10**400}, "a value of type int is no number"),
        (
            {"carbon_intensity": ConstantIntensity},
            r"is the class ConstantIntensity. Pass an object of it, ConstantIntensity\(",
        ),
        ({"pue": "1,2"}, r"with a decimal point, as in 1\.2, not a comma"),
        ({"pue": True}, "True is no number"),
        ({"pue": object()}, "a value of type object is no number"),
        ({"location": 49}, r"location= takes a text, such as location='DE', not 49"),
        ({"location": ""}, "Unknown location ''"),
        ({"location": Path("DE")}, "location= takes a text"),
        ({"policies": [3.5]}, r"such as CarbonBudget\('500 g'\)"),
        ({"policies": ["500 g"]}, "'500 g' is no policy"),
        ({"policies": [lambda history: True]}, "plain function of two arguments, the history and the plan"),
        ({"policies": {CarbonBudget("1 kg")}}, r"Write policies=\[CarbonBudget"),
        ({"policies": False}, r"or policies=\[\] for none"),
        ({"sources": [NvmlSource]}, r"class NvmlSource. Pass an object of it, NvmlSource\("),
        ({"sources": ""}, r"sources= takes a list, not ''"),
        ({"sources": [SHARED, SHARED]}, "the same object twice"),
        ({"sinks": ["tensorboard"]}, r"such as TensorBoardSink\(\), not 'tensorboard'"),
        ({"sinks": [TensorBoardSink]}, "the class TensorBoardSink"),
        ({"decide_every": True}, "decide_every=True is no interval"),
        ({"decide_every": 1.5}, r"decide_every=1\.5 is no interval"),
        ({"decide_every": 0}, "decide_every=0 is no interval"),
        ({"decide_every": 10**5000}, "decide_every=a value of type int is no interval"),
        ({"decide_every": "1,5 min"}, r"as in 1\.5, not a comma"),
        ({"plan": 100}, r"plan=Plan\(epochs=100\), not 100"),
        ({"plan": Plan}, "not the class Plan"),
        ({"labels": {"team": 3.5}}, "labels= takes texts by name.*: 3.5 is no text"),
        ({"labels": [("team", "vision")]}, "is no mapping"),
        ({"strict": "no"}, "strict= takes True or False, not 'no'"),
        ({"strict": 1}, "strict= takes True or False, not 1"),
        ({"clock": time.time}, r"takes an object with monotonic\(\) and now\(\)"),
        ({"clock": SystemClock}, "not the class SystemClock"),
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


def test_a_ledger_that_cannot_be_a_file_is_refused_at_construction(tmp_path):
    with pytest.raises(ConfigurationError, match="names the folder"):
        EnergyAccountant(ledger=tmp_path)
    with pytest.raises(ConfigurationError, match="names the folder"):
        EnergyAccountant(ledger="not-there-yet/")
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(ConfigurationError, match=r"which is a file itself\. Name a folder"):
        EnergyAccountant(ledger=tmp_path / "notes.txt" / "runs" / "a.jsonl")


def test_a_ledger_lies_in_the_working_folder_of_the_construction(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    accountant = EnergyAccountant(**QUIET, sources=[], ledger="a.jsonl")
    (tmp_path / "outputs").mkdir()
    monkeypatch.chdir("outputs")
    with accountant:
        pass
    assert accountant.ledger == tmp_path / "a.jsonl"
    assert not list((tmp_path / "outputs").iterdir())


@pytest.mark.parametrize("ledger", [None, "a.jsonl"])
def test_a_working_folder_that_is_gone_costs_the_ledger_and_no_training(ledger, tmp_path, monkeypatch, caplog):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with EnergyAccountant(**QUIET, sources=[], ledger=ledger) as accountant:
        assert list(accountant.epochs(2)) == [0, 1]
    assert accountant.history.finished_epochs == 2
    assert "cannot be written" in caplog.text
    monkeypatch.chdir(tmp_path)


def test_a_ledger_below_the_home_is_found_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with EnergyAccountant(**QUIET, sources=[], ledger="~/runs/a.jsonl") as accountant:
        pass
    assert accountant.close().ledger == tmp_path / "runs" / "a.jsonl"


def test_a_figure_that_was_looked_up_is_an_intensity():
    accountant = EnergyAccountant(**{**QUIET, "carbon_intensity": lookup("FR", year=2023)}, sources=[], ledger=False)
    with accountant:
        accountant.begin_epoch(0)
        assert accountant.end_epoch().intensity == lookup("FR", year=2023)


PARTS = [
    (lambda: CarbonBudget("1,5 kg"), r"as in 1\.5, not a comma"),
    (lambda: CarbonBudget("500"), "Write a number and one of"),
    (lambda: CarbonBudget("500 grams"), "Write a number and one of"),
    (lambda: CarbonBudget("5 kWh/h"), "Write a number and one of"),
    (lambda: CarbonBudget("1e400 g"), "above 0, and finite"),
    (lambda: CarbonBudget(budget=True), "budget is True. Write a number"),
    (lambda: CarbonBudget(Path("500 g")), "budget is a value of type PosixPath. Write a number"),
    (lambda: CarbonBudget("1 kg", hard="no"), "hard is 'no'. Write True or False"),
    (lambda: CarbonBudget("1 kg", project=3), "project is 3. Name the folder"),
    (lambda: CarbonBudget("1 kg", project=" "), "project is ' '"),
    (lambda: CarbonBudget("1 kg", warn_at="0,5"), "warn_at is"),
    (lambda: MarginalGain(""), "monitor is ''"),
    (lambda: MarginalGain("val_acc", min_gain_per_kg="0,05"), r"as in 0\.05, not a comma"),
    (lambda: MarginalGain("val_acc", acceptable=[0.9]), "acceptable is a value of type list"),
    (lambda: MarginalGain("val_acc", report_only="yes"), "report_only is 'yes'"),
    (lambda: MarginalGain("val_acc", mode="maximum"), "mode is 'maximum'"),
    (lambda: Plan(epochs=-1), "epochs of a plan is -1. Give a number, 0 or more"),
    (lambda: Plan(epochs=1.5), "epochs of a plan is 1.5. Give a whole number"),
    (lambda: Plan(epochs="10"), "epochs of a plan is '10'"),
    (lambda: Plan(epochs=True), "epochs of a plan is True"),
    (lambda: Plan(seconds="1 h"), "seconds of a plan is .1 h.. Give a number"),
    (lambda: Plan(emissions_kg=float("nan")), "emissions_kg of a plan"),
    (
        lambda: Plan(learning_rate_drops="30"),
        r"learning_rate_drops of a plan is '30'\. Give a list of epochs, such as \[30, 60\]",
    ),
    (lambda: Plan(learning_rate_drops=[0.5]), "learning_rate_drops of a plan"),
    (lambda: NvmlSource("GPU-1"), "uuids must be a list of GPU UUIDs, such as"),
    (lambda: NvmlSource(0), "uuids must be a list of GPU UUIDs"),
    (lambda: NvmlSource([0]), "uuids must be a list of GPU UUIDs"),
    (lambda: PowercapSource(root=5), "root must be a path, not 5"),
    (lambda: CpuModelSource(tdp_watts="65,5"), r"as in 65\.5, not a comma"),
    (lambda: CallableSource(300.0), "read must be a function that returns watts, not 300.0"),
    (lambda: CallableSource(lambda: 1.0, unit="kW"), "unit must be 'watts' or 'joules'"),
    (lambda: CallableSource(lambda: 1.0, name=""), "name must be a text"),
    (lambda: CallableSource(lambda: 1.0, poll_seconds="1,0"), "poll_seconds must be"),
    (lambda: ScriptedSource("300"), "power_watts must be a finite number"),
    (lambda: ScriptedSource({0: 300.0}), "The name of a device must be a text, not 0"),
    (lambda: ScriptedSource(method="guess"), "method must be one of counter, sampled, modelled"),
    (lambda: ScriptedSource(lost_seconds=[5]), "lost_seconds must be pairs of numbers"),
    (lambda: ScriptedSource(reset_seconds=5), "reset_seconds must be a list"),
    (lambda: TensorBoardSink(3), "must be the path of a folder on this machine, not 3"),
    (lambda: TensorBoardSink(""), "must be the path of a folder"),
    (lambda: TensorBoardSink("gs://bucket/run"), "a folder on this machine"),
    (lambda: TensorBoardSink(__file__), "is a file. Name a folder"),
    (lambda: Summary("print"), "write= takes a function of one text, such as print"),
    (lambda: measure(NvmlSource()).__enter__(), "takes a list of EnergySource objects"),
    (lambda: EnergyAccountant.given("DE", {}), "accountant= takes an EnergyAccountant, not 'DE'"),
]


@pytest.mark.parametrize(("make", "said"), PARTS, ids=map(str, range(len(PARTS))))
def test_what_policies_sources_and_sinks_cannot_be_made_of_is_refused(make, said):
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_numbers_and_paths_of_others_are_taken():
    from decimal import Decimal
    from fractions import Fraction

    assert CarbonBudget(Decimal("0.5")).amount.value == 0.5
    assert CarbonBudget("1 kg", project=Path("logs")).project == "logs"
    assert Plan(epochs=10.0, seconds=Fraction(7, 2), learning_rate_drops=[3, 6]) == Plan(
        epochs=10, seconds=3.5, learning_rate_drops=(3, 6)
    )
    assert EnergyAccountant(pue=Decimal("1.2"), policies=None, strict=None, sources=[], ledger=False)


def test_options_beside_an_accountant_are_refused():
    accountant = EnergyAccountant(sources=[], ledger=False)
    assert EnergyAccountant.given(accountant, {"location": None}) is accountant
    with pytest.raises(ConfigurationError, match="location=, pue= has no effect beside accountant="):
        EnergyAccountant.given(accountant, {"location": "DE", "pue": 1.2})
