"""A stand-in for ``zeus_apple_silicon`` 1.1, whose chip draws known powers by a script's clock."""

import platform
import sys
from types import ModuleType, SimpleNamespace
from unittest import mock

from green_callbacks.clock import Clock

FIELDS = (
    "cpu_total_mj",
    "efficiency_cores_mj",
    "performance_cores_mj",
    "efficiency_cluster_mj",
    "performance_cluster_mj",
    "efficiency_core_manager_mj",
    "performance_core_manager_mj",
    "dram_mj",
    "gpu_mj",
    "gpu_sram_mj",
    "ane_mj",
)
WATTS = {"cpu_total_mj": 12.0, "gpu_mj": 30.0, "dram_mj": 2.0, "ane_mj": 0.0}


class FakeApple:
    """The chip, and the module that tells of it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.watts = dict(WATTS)
        self.start_mj = dict.fromkeys(WATTS, 5_000_000) | {"ane_mj": 0}
        self.failure: Exception | None = None
        self.refusal: Exception | None = None
        self.monitors = 0

    def module(self) -> ModuleType:
        chip = self

        class AppleEnergyMonitor:
            def __init__(self) -> None:
                if chip.refusal is not None:
                    raise chip.refusal
                chip.monitors += 1

            def get_cumulative_energy(self) -> SimpleNamespace:
                if chip.failure is not None:
                    raise chip.failure
                # Whole mJ; None for what the chip does not tell; cores and clusters, which are in the total.
                told = dict.fromkeys(FIELDS)
                told |= {"performance_cores_mj": [4_000_000] * 4, "performance_cluster_mj": [4_500_000]}
                for field, watts in chip.watts.items():
                    told[field] = int(chip.start_mj[field] + watts * chip.clock.monotonic() * 1000)
                return SimpleNamespace(**told)

        module = ModuleType("zeus_apple_silicon")
        module.AppleEnergyMonitor = AppleEnergyMonitor
        return module


class Installed:
    """A Mac with the chip, until it is taken away."""

    def __init__(self, chip: FakeApple, *, library: bool = True) -> None:
        self._patches = [
            mock.patch.object(platform, "system", return_value="Darwin"),
            mock.patch.object(platform, "machine", return_value="arm64"),
            mock.patch.dict(sys.modules, {"zeus_apple_silicon": chip.module() if library else None}),
        ]
        for patch in self._patches:
            patch.start()

    def remove(self) -> None:
        while self._patches:
            self._patches.pop().stop()
