"""A loop of the user's own in PyTorch."""

import pytest

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.sources import ScriptedSource

torch = pytest.importorskip("torch")

BATCHES, BATCH_SIZE = 4, 8
EPOCH_JOULES = 300.0 * (BATCHES * 0.1 + 0.3)


class Training:
    """Fits a line, 0.1 s a batch and 0.3 s a validation, at 300 W."""

    def __init__(self):
        torch.manual_seed(0)
        self.clock = ScriptedClock()
        self.x = torch.linspace(-1, 1, BATCHES * BATCH_SIZE).unsqueeze(1)
        self.model = torch.nn.Linear(1, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5)

    def accountant(self, **options):
        defaults = {"carbon_intensity": 1000.0, "pue": 1.0, "sinks": [], "ledger": False, "strict": True}
        source = ScriptedSource(300.0, clock=self.clock)
        return EnergyAccountant(sources=[source], clock=self.clock, **{**defaults, **options})

    def batches(self):
        for x in self.x.split(BATCH_SIZE):
            self.optimizer.zero_grad()
            self.loss(x).backward()
            self.optimizer.step()
            self.clock.advance(0.1)
            yield x

    def loss(self, x):
        return (self.model(x) - 3 * x).square().mean()

    def validate(self):
        with torch.no_grad():
            self.clock.advance(0.3)
            return self.loss(self.x).item()


@pytest.fixture
def training():
    return Training()


def run(training, accountant, count):
    for _ in accountant.epochs(count):
        for batch in training.batches():
            accountant.observe(samples=len(batch))
        with accountant.phase("validation"):
            val_loss = training.validate()
        accountant.observe({"val_loss": val_loss}, learning_rate=0.5)


def test_every_joule_is_in_its_epoch_and_its_phase(training):
    with training.accountant() as accountant:
        run(training, accountant, 5)

    for record in accountant.history:
        assert record.energy_joules == pytest.approx(EPOCH_JOULES, rel=1e-9)
        assert record.phases["validation"].joules == pytest.approx(90.0, rel=1e-9)
        assert record.samples == BATCHES * BATCH_SIZE
    totals = accountant.close()
    assert totals.energy_joules == pytest.approx(5 * EPOCH_JOULES, rel=1e-9)
    assert totals.samples == 5 * BATCHES * BATCH_SIZE


def test_what_happens_between_epochs_and_around_them_has_its_own_rows(training):
    with training.accountant() as accountant:
        training.clock.advance(2.0)
        for epoch in range(2):
            accountant.begin_epoch(epoch)
            training.clock.advance(1.0)
            accountant.end_epoch()
            training.clock.advance(0.5)  # a checkpoint is written

    assert [(record.epoch, record.energy_joules) for record in accountant.history] == [
        (None, 600.0), (0, 300.0), (None, 150.0), (1, 300.0), (None, 150.0),
    ]  # fmt: skip
    totals = accountant.close()
    assert totals.epochs_joules + totals.outside_joules == pytest.approx(totals.energy_joules, rel=1e-9)


def test_it_stops_when_more_training_no_longer_pays(training):
    with training.accountant(policies=[MarginalGain("val_loss")]) as accountant:
        run(training, accountant, 200)

    assert len(accountant.history) < 200
    assert "val_loss" in accountant.stop_reason
    assert accountant.history[-1].metrics["val_loss"] < 0.01, "and not before it has learned"


def test_it_stops_before_a_budget_is_overspent(training):
    with training.accountant(policies=[CarbonBudget("1 kJ")]) as accountant:
        run(training, accountant, 200)

    assert accountant.close().energy_joules == pytest.approx(4 * EPOCH_JOULES, rel=1e-9), "a fifth would be 1050 J"


def test_a_second_process_goes_on_where_the_ledger_ends(training, tmp_path):
    ledger = tmp_path / "run.jsonl"
    with training.accountant(ledger=ledger) as accountant:
        run(training, accountant, 2)
    with training.accountant(ledger=ledger) as accountant:
        run(training, accountant, 5)

    assert [record.epoch for record in accountant.history] == [0, 1, 2, 3, 4]
    assert accountant.close().energy_joules == pytest.approx(5 * EPOCH_JOULES, rel=1e-9)


def test_a_spent_budget_is_refused_before_the_first_batch(training, tmp_path):
    options = {"ledger": tmp_path / "run.jsonl", "policies": [CarbonBudget("1 kJ")]}
    with training.accountant(**options) as accountant:
        run(training, accountant, 200)
    before = training.clock.monotonic()

    with pytest.raises(BudgetSpentError), training.accountant(**options) as accountant:
        run(training, accountant, 200)
    assert training.clock.monotonic() == before


def test_an_exception_leaves_the_open_epoch_as_incomplete(training):
    def break_off():
        with training.accountant() as accountant:
            accountants.append(accountant)
            for epoch in accountant.epochs(5):
                training.clock.advance(1.0)
                if epoch == 1:
                    raise KeyboardInterrupt

    accountants = []
    with pytest.raises(KeyboardInterrupt):
        break_off()

    (accountant,) = accountants
    assert not accountant.is_live
    assert [(record.epoch, record.complete) for record in accountant.history] == [(0, True), (1, False)]
    assert accountant.close().energy_joules == 600.0
