"""A loop of a user's own in PyTorch, on one process and on two, as the contract drives it."""

import atexit
import functools
import json
import os
import pickle
import subprocess
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from frameworks.contract.driver import (
    BATCH_SIZE,
    BATCHES,
    METRIC,
    RATE,
    VALIDATION_BATCHES,
    LoopError,
    Training,
    scripted,
)

from green_callbacks import EnergyAccountant, Plan
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError


class Monitor:
    """Holds the accountant of a loop, as an adapter would."""

    def __init__(self, accountant: EnergyAccountant) -> None:
        self.accountant = accountant
        self.number = 0


class Loop:
    """A plain loop that saves the state of its accountant beside its checkpoints."""

    hints = ()
    notes_rates = True
    lacks: ClassVar = {"stream": "A plain loop has no stream of its own. The default sinks write to TensorBoard."}
    samples_of_a_batch = BATCH_SIZE
    saves = True

    def monitor(self, training: Training, **options: Any) -> Monitor:
        return Monitor(EnergyAccountant(**scripted(training, **options)))

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        accountant, state = monitor.accountant, training.folder / "state.json"
        weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], lr=RATE)
        if is_resumed:
            accountant.load_state_dict(json.loads(state.read_text(encoding="utf-8")))
        accountant.scale_learning_rates(optimizer)
        goes_on = is_resumed or not accountant.run_id
        with accountant.start(folder=training.folder):
            for epoch in accountant.epochs(training.epochs) if goes_on else _anew(accountant, training.epochs):
                self._save(accountant, state)
                for batch in accountant.steps(range(BATCHES)):
                    training.batch(epoch, batch)
                    before = weight.item()
                    weight.grad = torch.ones_like(weight)
                    optimizer.step()
                    training.used.append(before - weight.item())
                    accountant.observe(samples=self.samples_of_a_batch)
                with accountant.phase("validation"):
                    training.clock.advance(0.5 * VALIDATION_BATCHES)
                accountant.observe({METRIC: training.score(epoch)}, learning_rate=optimizer.param_groups[0]["lr"])
            self._save(accountant, state)

    def _save(self, accountant: EnergyAccountant, file: Path) -> None:
        if self.saves:
            file.write_text(json.dumps(accountant.state_dict()), encoding="utf-8")

    def evaluate(self, monitor: Any, training: Training) -> None:
        with monitor.accountant, monitor.accountant.phase("validation"):
            training.clock.advance(0.5 * VALIDATION_BATCHES)


def _anew(accountant: EnergyAccountant, count: int) -> Iterator[int]:
    """Go through the epochs of a further training with the same accountant, which begin at 0 again."""
    accountant.expect(Plan(epochs=count))
    for epoch in range(count):
        accountant.begin_epoch(epoch)
        yield epoch
        accountant.end_epoch()
        if accountant.stop_reason is not None:
            return


class TwoRanks(Loop):
    """The same loop on two processes that see the same device. This process is rank 0."""

    samples_of_a_batch = BATCH_SIZE // 2

    def monitor(self, training: Training, **options: Any) -> Monitor:
        monitor = super().monitor(training, **options)
        monitor.number = other_process().makes(training, options)
        return monitor

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        with other_process().beside("fit", monitor.number, training, is_resumed=is_resumed):
            super().fit(monitor, training, is_resumed=is_resumed)

    def evaluate(self, monitor: Any, training: Training) -> None:
        with other_process().beside("evaluate", monitor.number, training):
            super().evaluate(monitor, training)


class OtherProcess:
    """Rank 1, a process that serves all tests, because torch takes seconds to import."""

    def __init__(self) -> None:
        tests = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tests, tests.parent)))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._made = 0
        atexit.register(self._end)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def makes(self, training: Training, options: dict[str, Any]) -> int:
        """Make a monitor there, too. Return its number."""
        self._made += 1
        self._asks(_told(training), "monitor", self._made, **options)
        assert self._answers() == "done"
        return self._made

    @contextmanager
    def beside(self, what: str, number: int, training: Training, **options: Any) -> Iterator[None]:
        """Do something here and there, as a group of two processes."""
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._asks(_told(training), what, number, port=store.port, **options)
        dist.init_process_group("gloo", store=store, rank=0, world_size=2)
        try:
            yield
        finally:
            answer = self._answers()
            dist.destroy_process_group()
            assert answer in ("done", "LoopError", "BudgetSpentError"), answer

    def _asks(self, *arguments: Any, **options: Any) -> None:
        pickle.dump((os.environ.get("GREEN_CALLBACKS_DISABLE", ""), arguments, options), self._process.stdin)
        self._process.stdin.flush()

    def _answers(self) -> str:
        return pickle.load(self._process.stdout)


@functools.cache
def other_process() -> OtherProcess:
    """Return rank 1. It starts with the first test that needs it."""
    return OtherProcess()


def _told(training: Training) -> tuple[str, int, Sequence[float], tuple[int, int] | None]:
    return str(training.folder), training.epochs, training.scores, training.fails_at


def serve() -> None:
    """Be rank 1, until this process is ended."""
    answers, clocks, monitors = sys.stdout.buffer, defaultdict(ScriptedClock), {}
    while True:
        is_off, ((folder, epochs, scores, fails_at), what, number), options = pickle.load(sys.stdin.buffer)
        os.environ["GREEN_CALLBACKS_DISABLE"] = is_off
        training = Training(folder=Path(folder), clock=clocks[folder], epochs=epochs, scores=scores, fails_at=fails_at)
        answer = "done"
        try:
            if what == "monitor":
                monitors[number] = Loop().monitor(training, **options)
            else:
                _take_part(what, monitors[number], training, **options)
        except (LoopError, BudgetSpentError) as reason:
            answer = type(reason).__name__
        except Exception:  # noqa: BLE001  the test shows it
            answer = traceback.format_exc()
        pickle.dump(answer, answers)
        answers.flush()


def _take_part(what: str, monitor: Monitor, training: Training, port: int, **options: Any) -> None:
    loop = Loop()
    loop.samples_of_a_batch, loop.saves = TwoRanks.samples_of_a_batch, False
    store = dist.TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False)
    dist.init_process_group("gloo", store=store, rank=1, world_size=2)
    try:
        getattr(loop, what)(monitor, training, **options)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    serve()
