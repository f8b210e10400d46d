"""Sensors made of files, for tests: a power capping tree that moves when told, and a meter that reads a file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from green_callbacks.clock import ScriptedClock

INTEL_RANGE_MICROJOULES = 262_143_328_850
AMD_RANGE_MICROJOULES = 65_532_610_987


class LiveClock(ScriptedClock):
    """A clock whose time moves counters: as it advances, every device uses energy."""

    def __init__(self) -> None:
        super().__init__()
        self.users: list[Callable[[float], None]] = []

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"users": []}

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        for use in self.users:
            use(seconds)


class RaplTree:
    """A tree as Linux shows it, flat or nested."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, Path] = {}

    def add(
        self,
        node: str,
        name: str,
        *,
        microjoules: int = 1_000_000,
        range_microjoules: int | None = INTEL_RANGE_MICROJOULES,
        inside: str | None = None,
    ) -> None:
        """Add a zone; ``inside`` names the folder above it where the tree is nested."""
        above = self.root if inside is None else self._folders.get(inside, self.root / inside)
        folder = self._folders[node] = above / node
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n", encoding="ascii")
        (folder / "energy_uj").write_text(f"{microjoules}\n", encoding="ascii")
        if range_microjoules is not None:
            (folder / "max_energy_range_uj").write_text(f"{range_microjoules}\n", encoding="ascii")

    def counter(self, node: str) -> Path:
        return self._folders[node] / "energy_uj"

    def show(self, node: str, microjoules: int) -> None:
        self.counter(node).write_text(f"{microjoules}\n", encoding="ascii")

    def use(self, node: str, joules: float, *, range_microjoules: int = INTEL_RANGE_MICROJOULES) -> None:
        """Let a counter move on by some joules, and wrap at its range."""
        before = int(self.counter(node).read_text(encoding="ascii"))
        self.show(node, (before + round(joules * 1e6)) % range_microjoules)


@dataclass(frozen=True)
class FileMeter:
    """A meter that shows what a file holds; picklable, and it raises what a file raises."""

    path: Path

    def __call__(self) -> float:
        return float(self.path.read_text(encoding="ascii"))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run as a user for whom file permissions count, which they do not for root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


class DrmTree:
    """Graphics cards as Linux lists them, with their hardware monitors."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, Path] = {}

    def add(
        self, card: str, address: str, driver: str = "xe", *, labels: tuple[str | None, ...] = ("card", "pkg")
    ) -> None:
        """Add a monitor with as many counters as labels, to a new card or one that is there; None for no label."""
        device = self.root / "devices" / address
        monitor = device / "hwmon" / f"hwmon{len(self._folders)}"
        monitor.mkdir(parents=True)
        self._folders[f"{card} {driver}"] = monitor
        if not (self.root / card).exists():
            (self.root / card).mkdir()
            (self.root / card / "device").symlink_to(device)
        (monitor / "name").write_text(f"{driver}\n", encoding="ascii")
        for number, label in enumerate(labels, start=1):
            self.show(card, 1_000_000 * number, driver, number)
            if label is not None:
                (monitor / f"energy{number}_label").write_text(f"{label}\n", encoding="ascii")

    def counter(self, card: str, driver: str = "xe", number: int = 1) -> Path:
        return self._folders[f"{card} {driver}"] / f"energy{number}_input"

    def show(self, card: str, microjoules: int, driver: str = "xe", number: int = 1) -> None:
        self.counter(card, driver, number).write_text(f"{microjoules}\n", encoding="ascii")

    def use(self, card: str, joules: float, driver: str = "xe", number: int = 1) -> None:
        """Let a counter move on by some joules."""
        before = int(self.counter(card, driver, number).read_text(encoding="ascii"))
        self.show(card, before + round(joules * 1e6), driver, number)
