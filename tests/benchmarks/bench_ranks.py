"""Prints the cost of an epoch's end, and the size of a ledger, for up to 1,024 ranks that are simulated.

Each host has eight ranks with a GPU each, and two sockets with memory. ``bench_ranks.py`` needs no framework.
With torch, the answers of the other ranks lie in a real store on the loopback, else in memory.
"""

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from random import random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.found_ranks import MemoryStore

from green_callbacks import EnergyAccountant
from green_callbacks.accountant.ranks.packing import packed, sparse
from green_callbacks.accountant.ranks.protocol import PHASES
from green_callbacks.accountant.ranks.store_ranks import StoreRanks
from green_callbacks.clock import ScriptedClock
from green_callbacks.ledger import Lines
from green_callbacks.sources import ScriptedSource

SIZES = (8, 64, 256, 1024)
RANKS_OF_HOST = 8
EPOCHS = 9
ROUNDS = 15
COLUMNS, COUNTS = 7, 3


class Simulated:
    """The view of one rank. The other ranks describe devices of their own, and answer at once with no energy."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.gathers, self.sums = 0, 0
        self.longest: list[float] = []

    def gather(self, value: Any) -> list[Any]:
        self.gathers += 1
        if not (isinstance(value, dict) and "devices" in value):
            return [value] * self.size
        return [described(value, rank) for rank in range(self.size)]

    def sum(self, vector: Any) -> list[float]:
        self.sums += 1
        if len(vector) > len(self.longest):
            self.longest = list(vector)
        return list(vector)


class Busy(Simulated):
    """The view of rank 0. The devices of the other ranks use energies that no two of them share."""

    def sum(self, vector: Any) -> list[float]:
        total = super().sum(vector)
        slots = (len(total) // 2 - len(PHASES) - COUNTS) // COLUMNS
        if slots > 0:
            epoch = len(total) // 2
            for at in range(epoch, epoch + 3 * slots):
                total[at] = total[at] or 3000.0 + random() * 100.0
        return total


def described(value: dict[str, Any], rank: int) -> dict[str, Any]:
    """Return what a rank tells of its host and its devices."""
    host = rank // RANKS_OF_HOST
    _, component, flags, info = value["devices"][0]
    names = [f"gpu:{rank}", *(("cpu:0", "dram:0", "cpu:1", "dram:1") if rank % RANKS_OF_HOST == 0 else ())]
    return {
        **value,
        "host": [f"{host:08d}", f"node{host}", None],
        "devices": [[n, component, flags, info] for n in names],
    }


def epochs_of(ranks: Simulated) -> tuple[float, float, int]:
    """Return the time of a begin and an end in ms, and rounds at the start and in an epoch."""
    clock = ScriptedClock()
    power = {f"gpu:{ranks.rank}": 300.0, "cpu:0": 100.0, "dram:0": 20.0, "cpu:1": 90.0, "dram:1": 19.0}
    accountant = EnergyAccountant(
        sources=[ScriptedSource(power, clock=clock)], clock=clock, carbon_intensity=400.0, sinks=[], ledger=False
    )
    accountant.start(ranks=ranks)
    at_start, seconds = ranks.gathers + ranks.sums, []
    for epoch in range(EPOCHS):
        clock.advance(0.5)
        before = ranks.sums
        began = time.thread_time()
        accountant.begin_epoch(epoch)
        clock.advance(10.0)
        accountant.end_epoch()
        seconds.append(time.thread_time() - began)
        in_epoch = ranks.sums - before
    accountant.close()
    return median(seconds) * 1e3, at_start, in_epoch


def ledger_of(size: int) -> tuple[float, int, float]:
    """Return kilobytes of an epoch in the ledger, bytes of a heartbeat, and ms of an epoch to encode."""
    clock, ranks = ScriptedClock(), Busy(0, size)
    power = {"gpu:0": 301.7, "cpu:0": 101.3, "dram:0": 19.9, "cpu:1": 99.3, "dram:1": 18.9}
    with TemporaryDirectory() as folder:
        accountant = EnergyAccountant(
            sources=[ScriptedSource(power, clock=clock)],
            clock=clock,
            carbon_intensity=400.0,
            sinks=[],
            ledger=Path(folder, "run.jsonl"),
        )
        accountant.start(ranks=ranks)
        for epoch in range(EPOCHS):
            accountant.begin_epoch(epoch)
            clock.advance(10.0)
            accountant.end_epoch()
        accountant.begin_epoch(EPOCHS)
        clock.advance(10.0)
        accountant._run._heartbeat.beat()
        record = accountant.history[-1]
        accountant.close()
        lines = Path(folder, "run.jsonl").read_bytes().splitlines()
    epochs = [len(line) for line in lines if line.startswith(b'{"type":"record"')][1:-1]
    (beat,) = [len(line) for line in lines if line.startswith(b'{"type":"heartbeat"')]
    encoder = Lines()
    encoder.record(record)
    began = time.thread_time()
    for _ in range(ROUNDS):
        encoder.record(record)
    return sum(epochs) / (EPOCHS - 2) / 1e3, beat, (time.thread_time() - began) / ROUNDS * 1e3


def round_of(rank: int, size: int, vector: list[float], store: Any) -> float:
    """Return the time of one round over a store in ms, without waiting for any other rank."""
    ranks = StoreRanks(store, rank, size, print)
    filled = [number or 1e-9 if at < 20 else 0.0 for at, number in enumerate(vector)]
    mine = sparse(filled)
    answer = packed([(at + 1) / 3 for at in range(len(vector))])
    seconds = []
    for number in range(1, ROUNDS + 1):
        if rank == 0:
            for other in range(1, size):
                store.set(f"{number}/{other}", f"{len(vector)} {mine}")
        else:
            store.set(str(number), f"all {answer}")
        began = time.thread_time()
        ranks.sum(filled)
        seconds.append(time.thread_time() - began)
    return median(seconds) * 1e3


def new_store() -> Any:
    """Return a store on the loopback if torch is installed, and else one in memory."""
    if find_spec("torch") is None:
        return MemoryStore()
    import torch.distributed as dist

    return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def main() -> None:
    """Print a table."""
    print(f"Store: {type(new_store()).__name__}. Times are medians in ms of processor time, without waiting.")
    print("ranks  rounds at start  rounds an epoch  begin+end rank 0  other  a sum over the store rank 0  other")
    for size in SIZES:
        first, other = Simulated(0, size), Simulated(1, size)
        cost, at_start, in_epoch = epochs_of(first)
        other_cost, *_ = epochs_of(other)
        led = round_of(0, size, first.longest, new_store())
        followed = round_of(1, size, first.longest, new_store())
        print(f"{size:5}{at_start:17}{in_epoch:17}{cost:18.2f}{other_cost:7.2f}{led:29.2f}{followed:7.2f}")
    print("ranks  ledger kB an epoch  heartbeat bytes  ms to encode an epoch")
    for size in SIZES:
        kilobytes, beat, milliseconds = ledger_of(size)
        print(f"{size:5}{kilobytes:20.1f}{beat:17}{milliseconds:23.2f}")


if __name__ == "__main__":
    main()
