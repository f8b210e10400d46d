"""Plain loops on two processes, one case after the other: ``plain_ranks.py FOLDER [CASE …]``.

Each process writes down what it saw. The processes are forks of one process, because torch takes seconds to import.
"""

import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # which the optimizer of each process would import otherwise
import torch.distributed as dist

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.accountant.ranks import joining, store_ranks
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import CpuModelSource, ScriptedSource

WATTS, HOST_WATTS = 300.0, 50.0
STEPS, STEP_SECONDS = 4, 1.0
EPOCH_JOULES = STEPS * STEP_SECONDS * (2 * WATTS + HOST_WATTS)
EPOCHS = 6
BUDGET_JOULES = 3.5 * EPOCH_JOULES

RANKS = 2
CPU_WATTS = 50.0
CAN_BIND = hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) >= RANKS
"""Whether each process can have a processor of its own."""


def rank() -> int:
    """Return the number of this process."""
    return int(os.environ["RANK"])


class Training:
    """A small model on two processes, whose steps take scripted time. Training itself communicates at each step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ScriptedClock()
        self.model = torch.nn.Linear(2, 1)
        self.wrapped: Any = None
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)

    def wrap(self) -> None:
        self.wrapped = torch.nn.parallel.DistributedDataParallel(self.model)

    def accountant(self, **options: Any) -> EnergyAccountant:
        sources = [
            ScriptedSource(WATTS, name=f"gpu:{rank()}", clock=self.clock),
            ScriptedSource(HOST_WATTS, name="cpu:0", component="cpu", clock=self.clock),
        ]
        defaults = {"sources": sources, "carbon_intensity": 1000.0, "pue": 1.0, "sinks": [], "strict": True}
        return EnergyAccountant(clock=self.clock, **{**defaults, **options})

    def steps(self, number: int = STEPS) -> None:
        for _ in range(number):
            self.optimizer.zero_grad()
            self.wrapped(torch.ones(4, 2)).pow(2).mean().backward()
            self.optimizer.step()
            self.clock.advance(STEP_SECONDS)

    def note(self, accountant: EnergyAccountant, **more: Any) -> None:
        run = accountant.close()
        seen = {
            "epochs": run.epochs,
            "joules": {name: device.joules for name, device in run.devices.items()},
            "records": len(accountant.history),
            "reason": accountant.stop_reason,
            "ledger": str(run.ledger) if run.ledger else None,
            **more,
        }
        self.folder.joinpath(f"rank{rank()}.json").write_text(json.dumps(seen), encoding="utf-8")


def together(training: Training) -> None:
    """Train until a budget ends both processes at the same step."""
    dist.init_process_group("gloo")
    training.wrap()
    seen = 0
    with training.accountant(policies=[CarbonBudget(f"{BUDGET_JOULES} J")]) as accountant:
        for _ in accountant.epochs(EPOCHS):
            for _ in accountant.steps(range(STEPS)):
                training.steps(1)
                seen += 1
            accountant.observe({"val_acc": 0.5 + rank()})
    training.note(accountant, steps=seen)
    dist.destroy_process_group()


def only_rank_0(training: Training) -> None:
    """Account on rank 0 alone, as many scripts do."""
    joining.MEETING_SECONDS = joining.SECOND_MEETING_SECONDS = 0.5
    dist.init_process_group("gloo")
    training.wrap()
    accountant = training.accountant() if rank() == 0 else None
    if accountant:
        accountant.start()
    for epoch in range(3):
        if accountant:
            accountant.begin_epoch(epoch)
        training.steps()
        if accountant:
            accountant.end_epoch()
    if accountant:
        training.note(accountant)


def late(training: Training) -> None:
    """Form the group after the start, and use energy before."""
    with training.accountant() as accountant:
        training.clock.advance(2.0)
        dist.init_process_group("gloo")
        training.wrap()
        for _ in accountant.epochs(2):
            training.steps()
    training.note(accountant)


def after_an_epoch(training: Training) -> None:
    """Form the group after the first epoch."""
    with training.accountant() as accountant:
        for epoch in accountant.epochs(3):
            if epoch == 0:
                training.clock.advance(4.0)
                dist.init_process_group("gloo")
                training.wrap()
            else:
                training.steps()
    training.note(accountant)


def destroyed(training: Training) -> None:
    """Destroy the group before the close."""
    dist.init_process_group("gloo")
    training.wrap()
    accountant = training.accountant()
    for _ in accountant.epochs(2):
        training.steps()
    dist.destroy_process_group()
    training.clock.advance(1.0)
    training.note(accountant)


def dies(training: Training) -> None:
    """Let rank 1 die in the second epoch, without a word."""
    store_ranks.LEADER_SECONDS = 1.0
    dist.init_process_group("gloo")
    accountant = training.accountant()
    for epoch in accountant.epochs(3):
        training.clock.advance(4.0)
        if rank() == 1 and epoch == 1:
            os._exit(0)  # so that the launcher does not end the other process
    training.note(accountant)


def raises(training: Training) -> None:
    """Let rank 1 raise in the second epoch."""
    dist.init_process_group("gloo")
    began = time.monotonic()
    try:
        with training.accountant() as accountant:
            for epoch in accountant.epochs(3):
                training.clock.advance(4.0)
                if rank() == 1 and epoch == 1:
                    raise ValueError  # noqa: TRY301  the loop of a user
    except ValueError:
        pass
    training.note(accountant, waited=time.monotonic() - began)


def no_group(training: Training) -> None:
    """Never form a group."""
    with training.accountant() as accountant:
        for _ in accountant.epochs(2):
            training.clock.advance(4.0)
    training.note(accountant)


def breaks(training: Training) -> None:
    """Leave the loop early on rank 1."""
    store_ranks.LEADER_SECONDS = store_ranks.ENDING_SECONDS = 1.0
    dist.init_process_group("gloo")
    with training.accountant() as accountant:
        for epoch in accountant.epochs(3):
            training.clock.advance(4.0)
            if rank() == 1 and epoch == 1:
                break
    training.note(accountant)


def again(training: Training) -> None:
    """Destroy the group between two epochs, and form another one, as an elastic restart within the processes does."""
    dist.init_process_group("gloo")
    with training.accountant() as accountant:
        for epoch in accountant.epochs(3):
            if epoch == 1:
                dist.destroy_process_group()
                os.environ["MASTER_PORT"] = os.environ["SECOND_PORT"]
                dist.init_process_group("gloo")
            training.clock.advance(4.0)
    training.note(accountant)


def resumed(training: Training) -> None:
    """Go on from a checkpoint of rank 0, then with a ledger that only rank 0 sees."""
    dist.init_process_group("gloo")
    with training.accountant() as accountant:
        for _ in accountant.epochs(1):
            training.clock.advance(4.0)
    state = [accountant.state_dict() if rank() == 0 else None]
    dist.broadcast_object_list(state)
    second = training.accountant()
    second.load_state_dict(state[0])
    with second:
        for _ in second.epochs(2):
            training.clock.advance(4.0)
    seen = []
    file = second.ledger if rank() == 0 else training.folder / "not here.jsonl"
    with training.accountant(ledger=file) as third:
        for epoch in third.epochs(3):
            training.clock.advance(4.0)
            seen.append(epoch)
    training.note(third, seen=seen)


def modelled(training: Training, *, is_bound: bool, is_late: bool) -> None:
    """Model the processors, of which each process may have one of its own."""
    if is_bound and CAN_BIND:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank()]})
    source = CpuModelSource(tdp_watts=CPU_WATTS * (os.cpu_count() or 1), idle_share=1.0, clock=training.clock)
    accountant = training.accountant(sources=[source])
    if is_late:
        accountant.start()
    dist.init_process_group("gloo")
    for _ in accountant.epochs(1):
        training.clock.advance(4.0)
    training.note(accountant)


def bound(training: Training) -> None:
    """Bind each process to a processor of its own."""
    modelled(training, is_bound=True, is_late=False)


def bound_late(training: Training) -> None:
    """Do so, and form the group after the start."""
    modelled(training, is_bound=True, is_late=True)


def unbound(training: Training) -> None:
    """Let both processes use all processors."""
    modelled(training, is_bound=False, is_late=False)


CASES: dict[str, Callable[[Training], None]] = {
    each.__name__: each
    for each in (
        together, only_rank_0, late, after_an_epoch, destroyed, dies, raises, no_group, breaks, again, resumed,
        bound, bound_late, unbound,
    )
}  # fmt: skip


def run(case: str, folder: Path) -> None:
    """Fork the processes of a case, and wait for them. Fails with the first process that failed."""
    folder.mkdir(parents=True)
    ports = [free_port(), free_port()]
    children = []
    for number in range(RANKS):
        child = os.fork()
        if child == 0:
            run_rank(number, case, folder, ports)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if any(statuses):
        sys.exit(f"{case}: the processes ended with {statuses}.")


def run_rank(number: int, case: str, folder: Path, ports: list[int]) -> None:
    """Be one process of a case, as ``torchrun`` would start it."""
    os.environ |= {
        "RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(RANKS), "LOCAL_WORLD_SIZE": str(RANKS),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[0]), "SECOND_PORT": str(ports[1]),
    }  # fmt: skip
    os.chdir(folder)
    logging.basicConfig(format="%(message)s", level=logging.WARNING, filename=folder / f"said{number}.txt", force=True)
    try:
        CASES[case](Training(folder))
    except BaseException:  # noqa: BLE001  the parent process reads what is printed
        traceback.print_exc()
        os._exit(1)
    logging.shutdown()
    os._exit(0)


def free_port() -> int:
    """Return a free port of the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    for name in sys.argv[2:] or CASES:
        run(name, Path(sys.argv[1]) / name)
