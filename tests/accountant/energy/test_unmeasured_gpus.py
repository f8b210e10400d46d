"""A GPU that trains and cannot be measured: said once with the remedy, and never missing in silence from any number."""

import csv
import io
import logging
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest
from support.runs import QUIET, ListSink, train
from support.thread_ranks import on_ranks

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, measure, read_ledger
from green_callbacks.cli import main
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.exports import co2_eq_emissions, codecarbon_csv, methods
from green_callbacks.records import DeviceEnergy, History
from green_callbacks.records.coverage import what_counts
from green_callbacks.sinks.tensorboard.provenance_page import final_page, provenance
from green_callbacks.sources import NvmlSource, ScriptedSource
from green_callbacks.summary import summarise

UUID = "8932f937-d72c-4106-c12f-20bd9faed9f6"
NAMES = (f"GPU-{UUID}", f"MIG-{UUID}")
ONLY_CPU = "This counts the CPU only: the GPU is not measured."


class Refusing(NvmlSource):
    """NVML of which the library and the driver are of different versions."""

    def open(self):
        msg = "Driver/library version mismatch. Reboot."
        raise SourceUnavailableError(msg)


def accountant_of(clock=None, *, gpu=None, **options):
    """An accountant whose processors are measured at 100 W, and its clock."""
    clock = clock or ScriptedClock()
    sources = [ScriptedSource(100.0, name="cpu:package-0", component="cpu", clock=clock), gpu or Refusing()]
    return EnergyAccountant(clock=clock, sources=sources, **{**QUIET, "ledger": False, **options}), clock


@pytest.fixture
def torch(monkeypatch):
    """A torch that holds a GPU when the test says so, and none at first."""
    module = ModuleType("torch")
    module.is_initialized = False
    module.cuda = SimpleNamespace(is_initialized=lambda: module.is_initialized)
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


@pytest.fixture
def said(caplog):
    """Warnings about GPUs, so far."""
    caplog.set_level(logging.WARNING, logger="green_callbacks.accountant.notices")
    return lambda: [r.getMessage() for r in caplog.records if r.name.endswith("notices")]


class TestTold:
    """The adapter says on which GPU it trains."""

    @pytest.fixture
    def run(self, tmp_path):
        accountant, clock = accountant_of(ledger=tmp_path / "run.jsonl", policies=[CarbonBudget("1 kg")])
        sink = ListSink()
        accountant._settings = accountant._settings.__class__(
            **{f: getattr(accountant._settings, f) for f in accountant._settings.__slots__} | {"sinks": (sink,)}
        )
        accountant.start(gpu_uuids=NAMES, gpu_name="cuda:0")
        records = train(accountant, clock, range(2))
        return SimpleNamespace(
            records=records, totals=accountant.close(), history=accountant.history, told=sink.contexts[0]
        )

    def test_it_is_said_once_with_the_remedy(self, run, caplog):
        (sentence,) = [r.getMessage() for r in caplog.get_records("setup") if r.name.endswith("notices")]
        assert "a GPU (cuda) whose energy is not measured. Driver/library version mismatch. Reboot." in sentence
        assert "budgets and prices count the CPU only" in sentence
        assert run.totals.notices == (sentence,)

    def test_it_stands_in_every_record_without_a_joule(self, run):
        for record in run.history:
            device = record.devices[f"gpu:GPU-{UUID}"]
            assert (device.joules, device.component, device.flags) == (None, "gpu", ("unmeasured",))
            assert device.gap_seconds == device.duration_seconds == record.duration_seconds
        assert [record.energy_joules for record in run.records] == [1000.0, 1000.0]

    def test_the_budget_says_what_it_counts(self, run):
        assert run.records[-1].verdicts[0].reason.endswith(f"are left. {ONLY_CPU}")

    def test_no_share_is_said_to_be_measured(self, run):
        assert run.records[0].measured_share is run.totals.measured_share is run.history.measured_share is None

    def test_the_summary_begins_with_it(self, run):
        text = summarise(run.totals, run.told)
        assert text.splitlines()[0].startswith(ONLY_CPU)
        assert "The GPU is not included" in text
        assert "not measured" in text.partition("epoch")[2]

    def test_the_pages_of_tensorboard_begin_with_it(self, run):
        for page in (provenance(run.records[0], run.told), final_page(run.totals, run.told)):
            assert page.startswith(f"**{ONLY_CPU}**")
            assert "| gpu | not measured |" in page

    def test_exports_present_no_total_without_it(self, run):
        assert ONLY_CPU in methods(run.totals, run.history)
        assert "% of the energy was measured" not in methods(run.totals, run.history)
        assert ONLY_CPU[:-1] in co2_eq_emissions(run.totals, run.history)["source"]
        (row,) = csv.DictReader(io.StringIO(codecarbon_csv([(run.totals, run.history)])))
        assert (row["gpu_energy"], row["gpu_count"], row["gpu_model"]) == ("", "1", ONLY_CPU)

    def test_a_checkpoint_and_the_ledger_keep_it(self, run):
        assert History.from_columns(run.history.to_columns()).device_totals() == run.totals.devices
        assert read_ledger(run.totals.ledger).history.device_totals() == run.totals.devices

    def test_the_command_line_says_it_of_the_ledger(self, run, capsys):
        main(["summary", str(run.totals.ledger)])
        assert ONLY_CPU in capsys.readouterr().out
        main(["whatif", str(run.totals.ledger)])
        assert ONLY_CPU in capsys.readouterr().out
        other = run.totals.ledger.with_name("other.jsonl")
        other.write_text(run.totals.ledger.read_text().replace(run.totals.run_id, "other"))
        main(["summary", str(run.totals.ledger), str(other)])
        assert f"{run.totals.run_id}: {ONLY_CPU}\n" in capsys.readouterr().out
        main(["replay", str(run.totals.ledger), "--policy", "budget=1 kg"])
        assert ONLY_CPU in " ".join(capsys.readouterr().out.split())
        main(["replay", str(run.totals.ledger), "--policy", "budget=1 kg", "--policy", "budget=2 kg"])
        assert capsys.readouterr().out.count(f"{run.totals.run_id}: {ONLY_CPU}\n") == 1


def test_a_price_says_what_it_counts():
    accountant, clock = accountant_of(policies=[MarginalGain("val_acc", min_gain_per_kg=0.1)])
    accountant.start(gpu_uuids=NAMES)
    (record,) = train(accountant, clock, [0], metrics=lambda _: {"val_acc": 0.5})
    accountant.close()
    assert record.verdicts[0].reason.endswith(ONLY_CPU)


@pytest.mark.parametrize("told", [{"gpu_uuids": ()}, {"gpu_uuids": (), "gpu_name": ""}, {"gpu_name": ""}])
def test_training_on_the_processors_of_a_machine_with_a_gpu_is_no_matter(torch, said, told):
    torch.is_initialized = True  # by something else in this process
    accountant, clock = accountant_of()
    accountant.start(**told)
    (record,) = train(accountant, clock, [0])
    run = accountant.close()
    assert said() == []
    assert list(record.devices) == ["cpu:package-0"]
    assert run.measured_share == 1.0


@pytest.mark.parametrize("name", ["mps:0", "xla:0"])
def test_what_has_no_uuid_goes_by_its_name(said, name):
    accountant, clock = accountant_of()
    accountant.start(gpu_uuids=(), gpu_name=name)
    (record,) = train(accountant, clock, [0])
    accountant.close()
    kind = name.partition(":")[0]
    (missing,) = [device for device in record.devices if kind in device]
    assert record.devices[missing].flags == ("unmeasured",)
    assert f"({kind})" in said()[0]


def test_nothing_is_said_where_nothing_is_to_be_measured(monkeypatch, said):
    monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
    accountant, clock = accountant_of()
    accountant.start(gpu_uuids=NAMES)
    (record,) = train(accountant, clock, [0])
    accountant.close()
    assert said() == []
    assert record.devices == {}


def test_a_meter_of_the_users_own_measures_it(said):
    clock = ScriptedClock()
    accountant, _ = accountant_of(clock, gpu=ScriptedSource(300.0, name="my meter", component="gpu", clock=clock))
    accountant.start(gpu_uuids=NAMES)
    train(accountant, clock, [0])
    assert accountant.close().measured_share == 1.0
    assert said() == []


def test_sources_that_leave_it_out_are_told_how_to_add_it(said):
    clock = ScriptedClock()
    sources = [ScriptedSource(100.0, name="cpu:0", component="cpu", clock=clock)]
    accountant = EnergyAccountant(clock=clock, sources=sources, ledger=False, **QUIET)
    accountant.start(gpu_uuids=NAMES)
    accountant.close()
    assert "Add NvmlSource() to sources=" in said()[0]


def test_a_gpu_whose_source_opens_and_tells_nothing_stands_for_itself(said):
    clock = ScriptedClock()
    silent = ScriptedSource(300.0, name="gpu:0", component="gpu", lost_seconds=[(0, 1e9)], clock=clock)
    accountant, _ = accountant_of(clock, gpu=silent)
    accountant.start(gpu_uuids=NAMES)
    (record,) = train(accountant, clock, [0])
    accountant.close()
    assert list(record.devices) == ["cpu:package-0", "gpu:0"]
    assert what_counts(record.devices) == ONLY_CPU
    (sentence,) = said()
    assert "gpu:0 reports no energy" in sentence


class TestFound:
    """A plain loop: nobody says on what it trains, so the frameworks are asked."""

    def test_a_gpu_that_is_held_at_the_start(self, torch, said):
        torch.is_initialized = True
        accountant, clock = accountant_of()
        with accountant:
            (record,) = train(accountant, clock, [0])
        assert record.devices["gpu:cuda"].flags == ("unmeasured",)
        assert len(said()) == 1

    def test_a_model_that_moves_to_it_after_the_start(self, torch, said):
        accountant, clock = accountant_of(policies=[CarbonBudget("1 kg")])
        with accountant:
            (before,) = train(accountant, clock, [0])
            assert said() == []
            torch.is_initialized = True
            (after,) = train(accountant, clock, [1])
            run = accountant.close()
        assert list(before.devices) == ["cpu:package-0"]
        assert after.devices["gpu:cuda"].joules is None
        assert after.verdicts[0].reason.endswith(ONLY_CPU)
        assert len(said()) == 1
        assert what_counts(run.devices) == ONLY_CPU

    def test_it_is_said_in_an_epoch_that_does_not_end(self, torch, said, monkeypatch):
        monkeypatch.setattr("green_callbacks.accountant.run.run.GPU_CHECK_SECONDS", 0.01)
        accountant, _ = accountant_of()
        with accountant:
            accountant.begin_epoch(0)
            torch.is_initialized = True
            for _ in range(1000):
                if said():
                    break
                time.sleep(0.01)
        assert len(said()) == 1

    def test_no_gpu_is_nothing_to_say(self, torch, said):
        accountant, clock = accountant_of()
        with accountant:
            (record,) = train(accountant, clock, [0])
        assert said() == []
        assert list(record.devices) == ["cpu:package-0"]

    def test_a_window_warns(self, torch, caplog):
        torch.is_initialized = True
        with measure([ScriptedSource(10.0, component="cpu"), Refusing()]):
            pass
        assert "uses a GPU (cuda) whose energy is not measured. Driver/library version mismatch" in caplog.text


class TestLost:
    """A GPU that is measured, and then no more."""

    def test_the_summary_says_for_how_long(self, said):
        clock = ScriptedClock()
        gpu = ScriptedSource(300.0, name="gpu:0", component="gpu", lost_seconds=[(10, 1e9)], clock=clock)
        accountant, _ = accountant_of(clock, gpu=gpu)
        accountant.start(gpu_uuids=NAMES)
        first, second = train(accountant, clock, range(2))
        run = accountant.close()
        assert what_counts(first.devices) is None
        assert what_counts(second.devices) == ONLY_CPU
        assert what_counts(run.devices) == "This leaves out a GPU for 50 % of the time: it did not answer."
        assert said() == []  # its source has warned
        (sentence,) = run.notices
        assert sentence.startswith("gpu:0 did not answer in epoch 1.")


class TestRanks:
    def run_on(self, ranks, *, gpu=None, begin=lambda: None, **told):
        accountant, clock = accountant_of(gpu=gpu)
        accountant.start(ranks=ranks, **told)
        (first,) = train(accountant, clock, [0])
        begin()
        (second,) = train(accountant, clock, [1])
        return first, second, accountant.close()

    def test_rank_0_says_it_for_all_and_once(self, said):
        def body(ranks):
            uuid = f"{ranks.rank}{UUID[1:]}"
            return self.run_on(ranks, gpu_uuids=(f"GPU-{uuid}", f"MIG-{uuid}"))

        (first, _, run), _ = on_ranks(2, body)
        assert [name for name, each in first.devices.items() if each.flags == ("unmeasured",)] == [
            f"gpu:GPU-0{UUID[1:]}",
            f"gpu:GPU-1{UUID[1:]}",
        ]
        assert what_counts(first.devices) == "This counts the CPU only: the GPUs are not measured."
        assert len(said()) == len(run.notices) == 1

    def test_one_rank_of_two(self, said):
        def body(ranks):
            uuid = f"{ranks.rank}{UUID[1:]}"
            clock = ScriptedClock()
            gpu = (
                ScriptedSource(300.0, name=f"gpu:GPU-{uuid}", component="gpu", clock=clock) if ranks.rank == 0 else None
            )
            accountant, _ = accountant_of(clock, gpu=gpu)
            accountant.start(ranks=ranks, gpu_uuids=(f"GPU-{uuid}",))
            (record,) = train(accountant, clock, [0])
            return record, accountant.close()

        (record, run), _ = on_ranks(2, body)
        assert what_counts(record.devices) == "This leaves out 1 of 2 GPUs, which is not measured."
        assert run.measured_share is None
        assert len(run.notices) == 1
        assert "Reboot" in run.notices[0]

    def test_one_that_is_taken_after_the_start_reaches_rank_0(self, torch):
        def body(ranks):
            return self.run_on(ranks, begin=lambda: setattr(torch, "is_initialized", True))

        (first, second, run), _ = on_ranks(2, body)
        assert list(first.devices) == ["cpu:package-0"]
        assert second.devices.keys() == {"cpu:package-0", "gpu:unmeasured-0", "gpu:unmeasured-1"}
        assert second.devices["gpu:unmeasured-1"] == DeviceEnergy(
            None, "gpu", "counter", 10.0, None, None, 10.0, 0.0, ("unmeasured",)
        )
        assert any("(cuda) whose energy is not measured" in text for text in run.notices)
