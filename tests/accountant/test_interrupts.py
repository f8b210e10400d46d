"""An interrupt, or a signal handler, at every line that makes an edge: the run stays whole, and nothing hangs."""

import json

import pytest
from support.injector import Injector, no_hang
from torture.trial import Interrupted, accountant_of, our_threads, problems_after, train

from green_callbacks import EnergyAccountant, History

FILES = (
    "accountant/run/run.py",
    "accountant/run/closing.py",
    "accountant/run/epochs.py",
    "accountant/run/record_keeping.py",
    "accountant/energy/interval_edges.py",
    "accountant/energy/timeline.py",
    "accountant/energy/open_interval.py",
    "records/history/history.py",
    "records/history/rows.py",
)


def interrupted(folder, at, work):
    """Train with an injection; return what does not hold afterwards, and None where the training was over before."""
    with no_hang():
        return _interrupted(folder, at, work)


def _interrupted(folder, at, work):
    ledger, threads = folder / f"{at}.jsonl", our_threads()
    accountant, clock = accountant_of(ledger)
    seen, done = None, []
    injector = Injector(FILES, at, lambda: done.append(work(accountant)))
    accountant.start()
    try:
        injector.run(lambda: train(accountant, clock))
    except BaseException as error:  # noqa: BLE001  a user's except clause, which sees all
        seen = error
    found = problems_after(accountant, ledger, clock, threads)
    if not injector.place:
        return None
    raises = work is raise_it or work is save_and_raise
    if raises != isinstance(seen, Interrupted):
        found.append(f"the user sees {seen!r}")
    if not raises and not done:
        found.append("the handler did not come to its end")
    ledger.unlink(missing_ok=True)
    return [f"{injector.place}: {each}" for each in found]


def raise_it(accountant):
    raise Interrupted


def state_of(accountant):
    """Take the state, which must hold only what is complete."""
    state = json.loads(json.dumps(accountant.state_dict(), allow_nan=False))
    history = History.from_columns(state["history"])
    epochs = [record.epoch for record in history if record.epoch is not None]
    assert epochs == sorted(set(epochs)), epochs
    assert all(abs(record.energy_joules - 450.0 * record.duration_seconds) < 1e-6 for record in history)
    other = EnergyAccountant(ledger=False, sources=[], carbon_intensity=1000.0, pue=1.0, sinks=[])
    other.load_state_dict(state)
    assert other.run_id == accountant.run_id


def close_it(accountant):
    accountant.close()


def close_and_save(accountant):
    accountant.close()
    state_of(accountant)


def save_and_close(accountant):
    state_of(accountant)
    accountant.close()


def save_and_raise(accountant):
    state_of(accountant)
    raise Interrupted


@pytest.mark.no_cover
@pytest.mark.parametrize("work", [raise_it, state_of, close_it, close_and_save, save_and_close, save_and_raise])
def test_at_every_line_of_an_edge_the_run_stays_whole(tmp_path, work):
    stride = 59 if work in {raise_it, close_and_save} else 127  # primes; "make torture" takes every line
    at, faults = 1, []
    while (found := interrupted(tmp_path, at, work)) is not None:
        faults += found
        assert len(faults) < 10, "\n".join(faults)
        at += stride
    assert faults == []
    assert at > 300
