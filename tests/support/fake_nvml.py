"""The stand-in for NVIDIA's driver, compiled and loaded: scripts in, the true energy and the counts of calls out."""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("fake_nvml.c")
GPUS = [f"gpu:GPU-abc0000{number:x}-0000-4000-8000-00000000000{number:x}" for number in range(16)]
"""Names of the scripted GPUs that are not given a UUID."""


def build(compiler: str, folder: Path) -> Path:
    """Compile the stand-in and return the library."""
    path = folder / "libnvidia-ml.so.1"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]
    command = [compiler, *flags, f"-Wl,-soname,{path.name}", "-o", str(path), str(SOURCE), "-lm", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return path


class FakeNvml:
    """The library, as tests see it: scripts in, the true energy and the counts of calls out."""

    def __init__(self, path: Path) -> None:
        # The binding asks the loader for "libnvidia-ml.so.1": that finds the library of this name loaded already.
        self._library = ctypes.CDLL(str(path))
        self._library.fake_now.restype = ctypes.c_double
        self._library.fake_day.restype = ctypes.c_double
        self._library.fake_epoch.restype = ctypes.c_double
        self._library.fake_energy.restype = ctypes.c_double
        self._library.fake_energy.argtypes = [ctypes.c_int, ctypes.c_double]
        self._library.fake_advance.argtypes = [ctypes.c_double]
        self._library.fake_calls.restype = ctypes.c_ulong

    def script(self, text: str) -> None:
        self._library.fake_configure("\n".join(line.strip() for line in text.splitlines()).encode())

    def energy_joules(self, gpu: int, monotonic_seconds: float) -> float:
        return float(self._library.fake_energy(gpu, monotonic_seconds))

    def calls(self, function: str = "") -> int:
        return int(self._library.fake_calls(function.encode()))

    def seconds(self) -> float:
        return float(self._library.fake_now())

    def day_seconds(self) -> float:
        """Return the time of day, in s since 1970."""
        return float(self._library.fake_day())

    def release(self) -> None:
        """Let calls that hang come back."""
        self._library.fake_release()

    def advance(self, seconds: float) -> None:
        self._library.fake_advance(seconds)


@cache
def loaded() -> FakeNvml:
    """Compile and load the stand-in, once in a process: the loader knows one library of its name only."""
    import pytest

    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the stand-in for NVIDIA's driver needs Linux and a C compiler (cc)")
    with tempfile.TemporaryDirectory() as folder:
        return FakeNvml(build(compiler, Path(folder)))
