"""What this package measures on a real NVIDIA GPU, as a table and as JSON: ``make gpu``.

It needs a GPU and torch, takes less than six minutes, and installs nothing. A section that fails says why, and the
others go on. The report is written anew after each section, so that one that hangs costs no other.

    PYTHONPATH=. python tests/benchmarks/gpu/report.py --json gpu-report.json
"""

import argparse
import faulthandler
import json
import logging
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
sys.path.insert(2, str(Path(__file__).resolve().parents[2]))

from accuracy import epochs, windows
from costs import edges
from counter import counter, doctor
from fit import fit
from load import IDLE, MatrixLoad, TraceLoad
from plan import FULL, QUICK, Bench, Figures, LeftOutError, Section
from visible import visible

LIMIT_SECONDS = 350.0
"""When the report is ended whatever hangs, in s; the whole is promised in six minutes."""
START_LIMIT_SECONDS = 300.0
"""After so long no section begins any more, in s."""
SECTIONS: Mapping[str, Section] = {
    "doctor": doctor,
    "counter": counter,
    "edges": edges,
    "epochs": epochs,
    "measure": windows,
    "fit": fit,
    "idle": visible,
}


class Said(logging.Handler):
    """Keeps what the package warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def torch_with_gpu() -> ModuleType | str:
    """Return torch where it sees an NVIDIA GPU; else a sentence that says what is missing."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"make gpu is skipped: torch cannot be imported by {sys.executable} ({error})."
    if torch.version.cuda is None or not torch.cuda.is_available():
        return f"make gpu is skipped: torch {torch.__version__} sees no NVIDIA GPU here."
    try:
        import pynvml  # noqa: F401
    except ImportError:
        return f"make gpu is skipped: nvidia-ml-py is not installed for {sys.executable}."
    return torch


def real_bench(torch: Any, folder: Path) -> Bench:
    """Return what the sections share on a real GPU."""
    import pynvml

    pynvml.nvmlInit()
    hexadecimal = str(getattr(torch.cuda.get_device_properties(0), "uuid", ""))
    uuid = measured_uuid(pynvml, hexadecimal)
    load = MatrixLoad(torch)
    return Bench(FULL, load, uuid, whole_gpu(pynvml, uuid), pynvml, folder, torch.cuda.device_count(), "gpu")


def stand_in_bench(arguments: argparse.Namespace, folder: Path) -> Bench:
    """Return what the sections share on the stand-in for NVIDIA's driver."""
    from support.fake_nvml import FakeNvml

    fake = FakeNvml(arguments.stand_in)
    import pynvml

    load = TraceLoad(fake, arguments.gpus, arguments.line)
    load.prepare(IDLE)
    pynvml.nvmlInit()
    uuid = measured_uuid(pynvml, "")
    return Bench(QUICK, load, uuid, whole_gpu(pynvml, uuid), pynvml, folder, arguments.gpus, "cpu")


def measured_uuid(nvml: Any, hexadecimal: str) -> str:
    """Return the UUID of the GPU that is loaded, as the driver writes it: the first that is seen, unless torch says."""
    from green_callbacks.errors import SourceUnavailableError
    from green_callbacks.sources import NvmlSource

    source = NvmlSource()
    try:
        source.open()
        names = [name.removeprefix("gpu:") for name in source.read()]
    except SourceUnavailableError as error:  # the sections say what that means for each of them
        print(error)
        names = [text(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(0)))]
    finally:
        source.close()
    return next((name for name in names if hexadecimal and hexadecimal in name), names[0])


def text(answer: str | bytes) -> str:
    """Return an answer of the binding as text; older ones answer in bytes."""
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def whole_gpu(nvml: Any, uuid: str) -> Any:
    """Return the handle of a GPU, or of the one that a slice is of."""
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    if uuid.startswith("MIG"):
        return nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)
    return handle


def head(bench: Bench, torch: Any) -> Figures:
    """Return what the figures were measured on."""
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "card": text(bench.nvml.nvmlDeviceGetName(bench.handle)),
        "slice": bench.uuid.startswith("MIG"),
        "driver": text(bench.nvml.nvmlSystemGetDriverVersion()),
        "torch": str(torch.__version__) if torch else None,
        "CUDA": torch.version.cuda if torch else None,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it, which has no infinity."""
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def done(section: Section, bench: Bench, elapsed_seconds: float) -> dict[str, Any]:
    """Do a section; return its figures, or why there are none."""
    said = Said()
    logging.getLogger("green_callbacks").addHandler(said)
    began = time.monotonic()
    try:
        if elapsed_seconds > START_LIMIT_SECONDS:
            result: dict[str, Any] = {"left_out": "The time was over."}
        else:
            result = {"figures": {what: plain(value) for what, value in section(bench).items()}}
    except LeftOutError as reason:
        result = {"left_out": str(reason)}
    # Whatever a machine that nobody here has seen makes of a section is its result; the others must go on.
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        result = {"failed": f"{type(error).__name__}: {error}"}
    finally:
        logging.getLogger("green_callbacks").removeHandler(said)
    return result | {"seconds": round(time.monotonic() - began, 1), "warnings": said.lines}


def print_section(name: str, result: Mapping[str, Any]) -> None:
    """Print what a section found."""
    print(f"\n{name} ({result['seconds']:g} s)")
    for what, value in result.get("figures", {}).items():
        text = str(value)
        print(f"  {what:<66} {text}" if "\n" not in text else f"  {what}:\n{text}")
    for kind in ("left_out", "failed"):
        if kind in result:
            print(f"  {kind.replace('_', ' ')}: {result[kind]}")
    for line in result["warnings"]:
        print(f"  warned: {line}")
    sys.stdout.flush()


def written(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(report, indent=2, allow_nan=False, default=str) + "\n", encoding="utf-8")
    part.replace(path)


def sections(bench: Bench, torch: Any, arguments: argparse.Namespace) -> bool:
    """Do the sections; print and write what they find. Return whether none failed."""
    began = time.monotonic()
    report: dict[str, Any] = {**head(bench, torch), "sections": {}}
    print("\n".join(f"{what:<12} {value}" for what, value in report.items() if what != "sections"))
    for name in arguments.only or SECTIONS:
        report["sections"][name] = done(SECTIONS[name], bench, time.monotonic() - began)
        print_section(name, report["sections"][name])
        written(arguments.json, report)
    print(f"\n{time.monotonic() - began:.0f} s in all; the same as JSON: {arguments.json}")
    return not any("failed" in result for result in report["sections"].values())


def main(arguments: argparse.Namespace) -> int:
    """Make the report; return 0 unless a section failed."""
    torch: Any = None
    if arguments.stand_in is None and isinstance(torch := torch_with_gpu(), str):
        print(torch)
        return 0
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = real_bench(torch, folder) if arguments.stand_in is None else stand_in_bench(arguments, folder)
        is_whole = sections(bench, torch, arguments)
    faulthandler.cancel_dump_traceback_later()
    return 0 if is_whole else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--json", type=Path, default=Path("gpu-report.json"), help="where the JSON goes (gpu-report.json)"
    )
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section; may be repeated (all of them)")
    parser.add_argument("--stand-in", type=Path, metavar="LIBRARY", help="a stand-in for the driver, and short parts")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of the stand-in (1)")
    parser.add_argument("--line", action="append", default=[], help="a line of the stand-in's script; may be repeated")
    sys.exit(main(parser.parse_args()))
