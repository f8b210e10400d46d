"""What keeps the GPU busy: matrix products, or the power trace of the stand-in for NVIDIA's driver."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

STEADY, STOP_AND_GO, IDLE = "steady", "stop-and-go", "idle"
STOP_AND_GO_HERTZ = 0.97
"""How often the load begins anew, in Hz; not 1, so that epochs of whole seconds begin at all of its phases."""

_BATCH_SECONDS = 0.005
_LARGEST, _SMALLEST = 8192, 512
"""Sides of the matrices: the largest that the memory has room for."""
_TRACES = {
    STEADY: "trace constant 350",
    STOP_AND_GO: f"trace square 90 400 {STOP_AND_GO_HERTZ}",
    IDLE: "trace constant 60",
}


class Load(Protocol):
    """A load of the GPU, by the thread that calls."""

    def prepare(self, kind: str) -> None:
        """Get ready for a kind of load, before any source is opened."""

    def run(self, kind: str, seconds: float) -> None:
        """Load the GPU for a time, and return when it has done all of it."""


class TraceLoad:
    """The power trace of a stand-in; its GPUs use what the script says, whatever the process does."""

    def __init__(self, fake: Any, gpus: int = 1, lines: Sequence[str] = ()) -> None:
        self._fake = fake
        self._gpus = gpus
        self._lines = "\n".join(["counter 0.1", "average 0.1 1", *lines])

    def prepare(self, kind: str) -> None:
        self._fake.script(f"gpu\n{_TRACES[kind]}\n{self._lines}\n" * self._gpus)

    def run(self, kind: str, seconds: float) -> None:
        time.sleep(seconds)


class MatrixLoad:
    """Products of square matrices with torch on ``cuda:0``: all the time, or on and off about once a second."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._side = _LARGEST
        self._count = 1
        self._a = self._b = None

    def prepare(self, kind: str) -> None:
        if self._a is None:
            self._make()
            self._time()

    def _make(self) -> None:
        torch = self._torch
        kind = torch.bfloat16 if torch.cuda.get_device_capability(0)[0] >= 8 else torch.float16
        while True:
            try:
                self._a, self._b = (torch.randn(self._side, self._side, device="cuda:0", dtype=kind) for _ in range(2))
                self._multiply(1)
            except RuntimeError:  # out of memory is one
                self._a = self._b = None
                if self._side <= _SMALLEST:
                    raise
                self._side //= 2
            else:
                return

    def _time(self) -> None:
        """Find how many products take some milliseconds, so that the load stops when it should."""
        began = time.perf_counter()
        self._multiply(10)
        each = (time.perf_counter() - began) / 10
        self._count = max(1, round(_BATCH_SECONDS / max(each, 1e-6)))

    def _multiply(self, count: int) -> None:
        with self._torch.no_grad():
            for _ in range(count):
                self._torch.mm(self._a, self._b)
        self._torch.cuda.synchronize(0)

    def run(self, kind: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            share = now * STOP_AND_GO_HERTZ % 1.0
            if kind == STEADY or (kind == STOP_AND_GO and share < 0.5):
                self._multiply(self._count)
            else:
                until_on = (1.0 - share) / STOP_AND_GO_HERTZ if kind == STOP_AND_GO else seconds
                time.sleep(min(until_on, end - now))
