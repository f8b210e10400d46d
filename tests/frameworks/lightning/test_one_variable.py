"""``GREEN_CALLBACKS=1`` monitors a script that knows nothing of the package, and never stands in its way."""

import copy
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning
import torch
from frameworks.lightning.registered import register
from frameworks.lightning.test_roots import OldRootModule
from frameworks.lightning.tiny import (
    EPOCH_JOULES,
    VALIDATION_JOULES,
    TinyModule,
    epochs,
    monitor,
    quiet,
    scripted,
    trainer,
)
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI

import green_callbacks.callbacks_factory as factory
from green_callbacks import EnergyAccountant, History, read_ledger
from green_callbacks._frameworks.switched_on import rank_agreement
from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import EmissionsMonitor, FrontCheckpoint, SwitchedOnMonitor
from green_callbacks.pytorch_lightning import EmissionsMonitor as OldRootMonitor

HERE = Path(__file__).parent
GROUPS = ("lightning.pytorch.callbacks_factory", "pytorch_lightning.callbacks_factory")


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = register(tmp_path_factory.mktemp("installed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GREEN_CALLBACKS", "1")
    monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "FR")
    monkeypatch.setenv("GREEN_CALLBACKS_LEDGER_FOLDER", str(tmp_path / "ledgers"))
    monkeypatch.setattr(factory, "_said", set())


@pytest.fixture
def ledgers(tmp_path: Path) -> Callable[[], list[Path]]:
    return lambda: sorted((tmp_path / "ledgers").glob("*.jsonl"))


def added(trained: Any) -> list[Any]:
    return [each for each in trained.callbacks if isinstance(each, SwitchedOnMonitor)]


def joules(history: History) -> float:
    """The energy of 1000 gCO2e/kWh."""
    return history.emissions_kg * 3.6e6


def scripted_trainer(folder: Path, clock: ScriptedClock, *callbacks: Any, **options: Any) -> Trainer:
    """A trainer whose monitor, which nobody named, sees one GPU of 300 W."""
    made = trainer(folder, *callbacks, **options)
    added(made)[0].accountant = EnergyAccountant(**scripted(clock))
    return made


def test_both_roots_find_their_monitor():
    for group, module in zip(GROUPS, ("green_callbacks.lightning", "green_callbacks.pytorch_lightning"), strict=True):
        (found,) = [each for each in metadata.entry_points(group=group) if each.name == "green_callbacks"]
        (made,) = found.load()()
        assert (type(made).__module__, type(made).__name__) == (module, "SwitchedOnMonitor")


@pytest.mark.parametrize("value", ["", "0", "false", "No", "OFF", " "])
def test_unset_there_is_none(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GREEN_CALLBACKS", value)
    assert added(trainer(tmp_path)) == []


def test_unset_it_imports_next_to_nothing():
    script = (
        "import importlib.metadata, sys; before = set(sys.modules); "
        "from green_callbacks.callbacks_factory import for_lightning; assert for_lightning() == []; "
        "print(*sorted(set(sys.modules) - before))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GREEN")}
    done = subprocess.run([sys.executable, "-c", script], env=environ, check=True, capture_output=True, text=True)
    ours = {name for name in done.stdout.split() if name.startswith("green_callbacks")}
    assert ours == {"green_callbacks", "green_callbacks._version", "green_callbacks.callbacks_factory"}
    assert len(done.stdout.split()) <= 6


def test_the_other_words_for_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GREEN_CALLBACKS", " True\n")
    assert len(added(trainer(tmp_path))) == 1


def test_a_fit_is_accounted_exactly(tmp_path: Path, clock: ScriptedClock, ledgers: Any, monkeypatch: Any):
    monkeypatch.setenv("GREEN_CALLBACKS_LABELS", "team=vision")
    trained = scripted_trainer(tmp_path, clock)
    trained.fit(TinyModule(clock))
    (path,) = ledgers()
    found = read_ledger(path)
    assert [record.energy_joules for record in epochs(found.history)] == [pytest.approx(EPOCH_JOULES, rel=1e-9)] * 3
    assert '"team":"vision"' in path.read_text()
    assert "green/emissions_total_g" in trained.callback_metrics


def test_the_other_root_is_accounted_alike(tmp_path: Path, clock: ScriptedClock, ledgers: Any):
    trained = pytorch_lightning.Trainer(**quiet(tmp_path))
    trained.fit(OldRootModule(clock))
    assert len(ledgers()) == 1
    assert len(epochs(read_ledger(ledgers()[0]).history)) == 3


def test_a_budget_of_a_variable_stops_it_and_says_so(
    tmp_path: Path, clock: ScriptedClock, monkeypatch: Any, caplog: Any
):
    monkeypatch.setenv("GREEN_CALLBACKS_BUDGET", f"{1.5 * EPOCH_JOULES} J")
    trained = scripted_trainer(tmp_path, clock)
    trained.fit(TinyModule(clock))
    assert trained.current_epoch == 1
    assert "comes from GREEN_CALLBACKS_BUDGET, not from the script" in caplog.text


def test_the_totals_are_shown_where_lightning_shows_its_own(tmp_path: Path, clock: ScriptedClock, caplog: Any):
    logging.getLogger("lightning.pytorch").setLevel(logging.INFO)
    scripted_trainer(tmp_path, clock).fit(TinyModule(clock))
    (said,) = [each.getMessage() for each in caplog.records if each.getMessage().startswith("green_callbacks: ")]
    assert said.startswith("green_callbacks: 1.25 Wh and 1.25 g of CO2e so far. `green-callbacks summary /")


class TestSteppingAside:
    def test_for_a_monitor_of_the_script(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        own = monitor(clock)
        trained = trainer(tmp_path, own, Callback())
        assert len(added(trained)) == 1
        trained.fit(TinyModule(clock))
        trained.test(TinyModule(clock), verbose=False)
        assert added(trained) == []
        assert ledgers() == [own.accountant.ledger]
        assert joules(own.accountant.history) == pytest.approx(3 * EPOCH_JOULES + VALIDATION_JOULES, rel=1e-9)

    def test_for_a_monitor_of_the_other_root(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        own = OldRootMonitor(**scripted(clock))
        trainer(tmp_path, own).fit(TinyModule(clock))
        assert ledgers() == [own.accountant.ledger]

    def test_for_a_monitor_of_the_module_and_its_front(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        own = monitor(clock)

        class Configured(TinyModule):
            def configure_callbacks(self) -> Any:
                return [own]

        front = FrontCheckpoint("val_acc", tmp_path / "front")
        trainer(tmp_path, front, enable_checkpointing=True).fit(Configured(clock))
        assert ledgers() == [own.accountant.ledger]
        assert front.best_model_path

    def test_for_a_monitor_that_comes_later(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        trained, own = trainer(tmp_path), monitor(clock)
        trained.callbacks.append(own)
        trained.fit(TinyModule(clock))
        assert ledgers() == [own.accountant.ledger]

    def test_of_two_that_were_added_one_stays(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        trained = trainer(tmp_path, SwitchedOnMonitor())  # as if two installations had registered it
        trained.fit(TinyModule(clock))
        assert (len(added(trained)), len(ledgers())) == (1, 1)

    def test_a_list_that_the_script_uses_again_makes_a_run_for_each_trainer(
        self, tmp_path: Path, clock: ScriptedClock, ledgers: Any
    ):
        callbacks = [Callback()]  # Lightning adds to this very list
        for fold in range(3):
            trained = Trainer(**quiet(tmp_path / str(fold)) | {"max_epochs": 1}, callbacks=callbacks)
            trained.fit(TinyModule(clock))
            assert len(added(trained)) == 1
        assert [len(epochs(read_ledger(path).history)) for path in ledgers()] == [1, 1, 1]

    def test_inside_the_fit_of_another_trainer(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        class Nested(TinyModule):
            def on_validation_epoch_end(self) -> None:
                trainer(tmp_path / "inner", max_epochs=1).fit(TinyModule(clock))

        outer = scripted_trainer(tmp_path, clock, max_epochs=2)
        outer.fit(Nested(clock))
        (path,) = ledgers()
        assert [record.energy_joules for record in epochs(read_ledger(path).history)] == [
            pytest.approx(2 * EPOCH_JOULES, rel=1e-9)
        ] * 2

    def test_inside_a_run_of_the_script(self, tmp_path: Path, clock: ScriptedClock, caplog: Any):
        caplog.set_level(logging.INFO, "green_callbacks")
        with EnergyAccountant(**scripted(clock, ledger=False)) as own:
            own.begin_epoch(0)
            trained = trainer(tmp_path, max_epochs=1)
            trained.fit(TinyModule(clock))
            record = own.end_epoch()
        assert record.energy_joules == pytest.approx(EPOCH_JOULES, rel=1e-9)
        assert "measures this training already" in caplog.text
        trained.fit_loop.max_epochs = 2
        trained.fit(TinyModule(clock))
        assert len(epochs(added(trained)[0].accountant.history)) == 1

    def test_where_a_run_of_the_script_begins_inside(self, tmp_path: Path, clock: ScriptedClock):
        own = EnergyAccountant(**scripted(clock, ledger=False))

        class Accounting(TinyModule):
            def on_train_epoch_start(self) -> None:
                own.begin_epoch(self.current_epoch)

            def on_train_epoch_end(self) -> None:
                own.end_epoch()

        scripted_trainer(tmp_path, clock).fit(Accounting(clock))
        own.close()
        assert len(epochs(own.history)) == 3


class TestCheckpoints:
    @pytest.mark.parametrize("first", [True, False])
    def test_a_run_goes_on_with_and_without_a_monitor_in_the_script(
        self, tmp_path: Path, clock: ScriptedClock, monkeypatch: Any, *, first: bool
    ):
        ids, spent = [], []
        for at, is_on in enumerate((first, not first)):
            monkeypatch.setenv("GREEN_CALLBACKS", str(int(is_on)))
            saving = ModelCheckpoint(tmp_path, filename=f"c{at}", every_n_epochs=1, save_top_k=-1)
            own = [] if is_on else [monitor(clock)]
            make = scripted_trainer if is_on else lambda folder, _, *each, **options: trainer(folder, *each, **options)
            options = {"max_epochs": 2 + at, "enable_checkpointing": True}
            trained = make(tmp_path, clock, *own, saving, **options)
            trained.fit(TinyModule(clock), ckpt_path=saving_path(tmp_path) if at else None)
            accountant = (own or added(trained))[0].accountant
            ids.append(accountant.run_id)
            spent.append(joules(accountant.history))
        assert len(set(ids)) == 1
        assert spent == [pytest.approx(2 * EPOCH_JOULES, rel=1e-9), pytest.approx(3 * EPOCH_JOULES, rel=1e-9)]

    def test_the_front_finds_the_monitor_that_nobody_named(self, tmp_path: Path, clock: ScriptedClock):
        front = FrontCheckpoint("val_acc", tmp_path / "front")
        scripted_trainer(tmp_path, clock, front, enable_checkpointing=True).fit(TinyModule(clock, (0.5, 0.6)))
        assert len(front.points) == 2

    def test_a_checkpoint_before_any_fit_holds_no_state(self, tmp_path: Path):
        assert SwitchedOnMonitor().state_dict() == {}

    def test_copies_are_runs_of_their_own(self, clock: ScriptedClock):
        made = SwitchedOnMonitor()
        keys = {each.state_key for each in (made, copy.deepcopy(made), pickle.loads(pickle.dumps(made)))}
        assert len(keys) == 3
        assert EmissionsMonitor.state_key not in keys


def saving_path(folder: Path) -> str:
    return str(max(folder.glob("c0*.ckpt")))


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("GREEN_CALLBACKS", "maybe", "GREEN_CALLBACKS is 'maybe'. Write 1 for yes, or 0 for no."),
            ("GREEN_CALLBACKS_PUE", "1,2", "GREEN_CALLBACKS_PUE is"),
            ("GREEN_CALLBACKS_DISABLE", "maybe", "GREEN_CALLBACKS_DISABLE is 'maybe'"),
            ("GREEN_CALLBACKS_CONFIG", "/nowhere", "GREEN_CALLBACKS_CONFIG names '/nowhere'"),
            ("GREEN_CALLBACKS_BUDGET", "much", "Cannot read 'much' as an amount"),
        ],
    )
    def test_settings_that_cannot_be_are_said_once_and_train_all_the_same(
        self, name: str, value: str, said: str, tmp_path: Path, clock: ScriptedClock, monkeypatch: Any, caplog: Any
    ):
        monkeypatch.setenv(name, value)
        for _ in range(2):
            trained = trainer(tmp_path, max_epochs=1)
            trained.fit(TinyModule(clock))
            assert (trained.current_epoch, added(trained)) == (1, [])
        assert caplog.text.count(said) == 1
        assert "this training is not measured" in caplog.text

    def test_a_package_that_cannot_be_imported_is_said_once(self, tmp_path: Path, monkeypatch: Any, caplog: Any):
        monkeypatch.setitem(sys.modules, "green_callbacks.lightning", None)
        assert added(trainer(tmp_path)) == added(trainer(tmp_path)) == []
        assert caplog.text.count("So GREEN_CALLBACKS adds no monitor") == 1

    def test_disabling_wins(self, tmp_path: Path, monkeypatch: Any):
        monkeypatch.setenv("GREEN_CALLBACKS_DISABLE", "1")
        assert added(trainer(tmp_path)) == []

    @pytest.mark.parametrize("name", ["GREEN_CALLBACK", "green_callbacks", "GREENCALLBACKS"])
    def test_a_misspelled_switch_is_said(self, name: str, tmp_path: Path, monkeypatch: Any, caplog: Any):
        monkeypatch.delenv("GREEN_CALLBACKS")
        monkeypatch.setenv(name, "1")
        assert added(trainer(tmp_path)) == added(trainer(tmp_path)) == []
        assert caplog.text.count(f"The variable {name} is unknown. Nothing is monitored by it.") == 1

    def test_a_fit_after_a_fit_that_failed(self, tmp_path: Path, clock: ScriptedClock):
        class Failing(TinyModule):
            def on_train_epoch_start(self) -> None:
                if self.current_epoch == 1:
                    raise RuntimeError

        trained = scripted_trainer(tmp_path, clock)
        with pytest.raises(RuntimeError):
            trained.fit(Failing(clock))
        trained.fit(TinyModule(clock))
        assert not added(trained)[0].accountant.is_live


class TestOtherUses:
    def test_a_dry_run_measures_nothing(self, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        trainer(tmp_path, fast_dev_run=True).fit(TinyModule(clock))
        assert ledgers() == []

    @pytest.mark.parametrize("use", ["validate", "test", "predict"])
    def test_a_trainer_that_does_not_train(self, use: str, tmp_path: Path, clock: ScriptedClock, ledgers: Any):
        trained = scripted_trainer(tmp_path, clock)
        getattr(trained, use)(TinyModule(clock), **({} if use == "predict" else {"verbose": False}))
        (path,) = ledgers()
        assert joules(read_ledger(path).history) == pytest.approx(VALIDATION_JOULES, rel=1e-9)

    @pytest.mark.filterwarnings("ignore")  # what jsonargparse tells Lightning
    def test_lightnings_command_line(self, tmp_path: Path, ledgers: Any, monkeypatch: Any):
        monkeypatch.setattr(sys, "argv", ["train.py", "fit"])

        class Plain(TinyModule):
            def __init__(self) -> None:
                super().__init__(ScriptedClock())

        LightningCLI(Plain, trainer_defaults=quiet(tmp_path), save_config_callback=None, seed_everything_default=False)
        assert len(ledgers()) == 1


def test_a_script_that_knows_nothing_of_the_package(tmp_path: Path, registered: Path):
    script = tmp_path / "train.py"
    script.write_text(
        "import sys\n"
        "from frameworks.lightning.registered import PROJECT\n"
        "assert not any(name.startswith('green_callbacks') for name in sys.modules)\n"
        "import torch\n"
        "from lightning.pytorch import LightningModule, Trainer\n"
        "from torch.utils.data import DataLoader\n"
        "class Module(LightningModule):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layer = torch.nn.Linear(2, 1)\n"
        "    def training_step(self, batch, _):\n        return self.layer(batch).pow(2).mean()\n"
        "    def configure_optimizers(self):\n        return torch.optim.SGD(self.parameters(), 0.1)\n"
        "    def train_dataloader(self):\n        return DataLoader(torch.ones(8, 2))\n"
        "Trainer(max_epochs=2, accelerator='cpu', devices=1, logger=False, enable_progress_bar=False).fit(Module())\n"
    )
    done = run(script, registered, tmp_path)
    assert "green-callbacks summary" in done.stderr, done.stderr
    (path,) = (tmp_path / "ledgers").glob("*.jsonl")
    assert len(epochs(read_ledger(path).history)) == 2


def test_two_ranks_are_one_run_and_a_rank_without_the_variable_holds_up_nobody(tmp_path: Path, registered: Path):
    done = run(HERE / "switched_on_ranks.py", registered, tmp_path, str(tmp_path))
    assert {file.name: file.read_text() for file in tmp_path.glob("*.txt")} == dict.fromkeys(
        ("both0.txt", "both1.txt", "one0.txt", "one1.txt", "again0.txt", "again1.txt"), "2"
    )
    (path,) = (tmp_path / "ledgers").glob("*.jsonl")
    assert len(epochs(read_ledger(path).history)) == 2
    assert done.stderr.count("is not set for every rank") == 2
    waited, again = (float((tmp_path / f"{name}0.seconds").read_text()) for name in ("one", "again"))
    assert (waited > 1.0, again < 1.0) == (True, True)


def run(script: Path, registered: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = map(str, (registered, *HERE.parents[1:3]))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


class TestAgreement:
    """Of ranks in the store of ``torch.distributed``, which knows of no collective."""

    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rank_agreement, "FIRST_RANK_SECONDS", 0.5)
        monkeypatch.setattr(rank_agreement, "OTHER_RANK_SECONDS", 1.0)

    @pytest.mark.parametrize(
        ("answers", "agreed"),
        [
            ((True, True, True), "yes"),
            ((True, False, True), "no"),
            ((False, True, True), "no"),
            ((True, None, True), "absent"),
            ((None, True, True), "absent"),
            ((True, None, None), "absent"),
        ],
    )
    def test_all_get_one_answer(self, answers: tuple[bool | None, ...], agreed: str):
        from concurrent.futures import ThreadPoolExecutor

        store = torch.distributed.HashStore()
        with ThreadPoolExecutor(3) as pool:
            asked = [
                pool.submit(rank_agreement.agreed, store, rank, 3, is_so=answer)
                for rank, answer in enumerate(answers)
                if answer is not None
            ]
        assert [each.result() for each in asked] == [agreed] * len(asked)

    def test_a_rank_that_has_given_up_decides_for_all(self):
        store = torch.distributed.HashStore()
        assert rank_agreement.agreed(store, 1, 2, is_so=True) == "absent"
        assert rank_agreement.agreed(store, 0, 2, is_so=True) == "absent"
