"""What a user's loop may hand over by mistake, and what a run that moves comes to."""

import threading
import time
from decimal import Decimal
from statistics import median

import pytest
from support.runs import WATTS, scripted, train
from support.strategies import comparable

from green_callbacks import EnergyAccountant, Summary, meter, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.sources import ScriptedSource


class Stubborn:
    def __float__(self):
        raise RuntimeError


@pytest.mark.parametrize("value", ["x", None, [1], 10**400, Stubborn(), float("nan")])
def test_nothing_that_is_observed_ends_training(value):
    accountant, clock = scripted()
    accountant.begin_epoch(0)
    clock.advance(1)
    accountant.observe({5: value, "val_acc": 0.5}, learning_rate=value, samples=value, step=value)
    accountant.observe(samples=-5)
    record = accountant.end_epoch()
    assert record.metrics["val_acc"] == 0.5
    assert (record.samples, record.step) == (None, None)
    accountant.close()


@pytest.mark.parametrize("options", [{"plan": 5}, {"plan": {"epochs": 3}}, {"location": 3}])
def test_an_option_of_the_wrong_type_is_refused_at_construction(options):
    with pytest.raises(ConfigurationError, match="takes a"):
        EnergyAccountant(**options)


def test_a_run_that_moved_is_summed_up_at_what_it_had_on_average():
    accountant, clock = scripted(ledger="run.jsonl", carbon_intensity=100.0)
    train(accountant, clock, [0])
    accountant.close()
    moved, clock = scripted(ledger="run.jsonl", carbon_intensity=300.0, pue=2.0)
    train(moved, clock, [1])
    run = moved.close()
    assert run.pue == pytest.approx(1.5)
    assert run.emissions_kg == pytest.approx(run.facility_kwh * run.intensity.g_per_kwh / 1000)


def test_the_epochs_of_a_second_fit_are_rows_of_their_own():
    said = []
    accountant, clock = scripted(sinks=[Summary(said.append)])
    train(accountant, clock, range(2))
    accountant.close()
    accountant.start()
    train(accountant, clock, range(2))
    accountant.close()
    rows = [line.split()[0] for line in said[-1].splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert rows == ["0", "1", "0", "1"]


class Number(float):
    """A number of another library's, such as ``numpy.float32``: JSON does not know every one of these."""

    dtype = "float32"


NUMBERS = {"nan": float("nan"), "numpy": Number(700.0), "decimal": Decimal(700), "text": "700", "list": [700.0]}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
@pytest.mark.parametrize("field", ["joules", "gap_seconds", "below_joules", "tolerance"])
def test_whatever_a_source_says_once_every_epoch_is_in_the_ledger(field, number):
    class Odd(ScriptedSource):
        reads = 0

        def read(self):
            self.reads += 1
            readings = super().read()
            if self.reads == 5:
                readings = {name: reading._replace(**{field: number}) for name, reading in readings.items()}
            return readings

    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[Odd(WATTS, clock=clock)], ledger="run.jsonl")
    with accountant:
        train(accountant, clock, range(5), between=1)
    history = read_ledger("run.jsonl").history
    assert [comparable(each) for each in history] == [comparable(each) for each in accountant.history]
    assert [record.epoch for record in history if record.epoch is not None] == list(range(5))
    for record in history:
        for device in record.devices.values():
            assert device.joules is None or device.low_joules <= device.joules <= device.high_joules


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_whatever_a_provider_says_once_every_epoch_is_in_the_ledger(number):
    class Odd:
        asked = 0

        def at(self, when):
            self.asked += 1
            value = number if self.asked == 3 else 400.0
            return Intensity(g_per_kwh=value, source="me", found_by="provider")

    accountant, clock = scripted(carbon_intensity=Odd(), ledger="run.jsonl")
    with accountant:
        train(accountant, clock, range(5))
    history = read_ledger("run.jsonl").history
    assert [comparable(each) for each in history] == [comparable(each) for each in accountant.history]
    assert [record.epoch for record in history] == list(range(5))
    assert {record.intensity.g_per_kwh for record in history} <= {400.0, 700.0}


def test_a_sensor_that_is_slow_at_the_start_is_measured_all_the_same():
    class SlowAtFirst(ScriptedSource):
        is_awake = False

        def read(self):
            if not self.is_awake:
                self.is_awake = True
                time.sleep(0.3)  # longer than an edge waits: what is not known at the start has no place in the run
            return super().read()

    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[SlowAtFirst(WATTS, clock=clock)])
    with accountant:
        (record,) = train(accountant, clock, [0])
    assert record.energy_joules == pytest.approx(WATTS * 10)


def test_a_sensor_that_never_answers_at_the_start_is_named_as_missing_from_the_run(monkeypatch, caplog):
    monkeypatch.setattr(meter, "OPEN_SECONDS", 0.1)
    gate = threading.Event()

    class Silent(ScriptedSource):
        def read(self):
            gate.wait(30)
            return {}

    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[ScriptedSource(WATTS, clock=clock), Silent(clock=clock)])
    with accountant:
        (record,) = train(accountant, clock, [0])
        gate.set()
    assert record.energy_joules == pytest.approx(WATTS * 10)
    assert "Silent has reported no device at the start" in caplog.text


def test_a_driver_that_is_slow_costs_an_edge_50_ms_at_most_from_the_second_slow_call_on():
    class SlowDriver(ScriptedSource):
        call_seconds = 0.0

        def read(self):
            time.sleep(self.call_seconds)
            return super().read()

    driver = SlowDriver(WATTS)
    accountant = EnergyAccountant(sources=[driver], carbon_intensity=100.0, pue=1.0, sinks=[])
    edges = []
    with accountant:
        driver.call_seconds = 0.2
        for epoch in range(6):
            accountant.begin_epoch(epoch)
            time.sleep(0.01)
            began = time.monotonic()
            record = accountant.end_epoch()
            edges.append(time.monotonic() - began)
    assert median(edges[1:]) < 0.15  # a call takes 0.2 s
    (device,) = record.devices.values()
    assert device.gap_seconds > 0, "the record says what is missing"
