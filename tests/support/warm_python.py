"""Scripts in processes of their own that import no framework anew: each is a fork of a process that has done so.

To import Lightning or Keras takes four seconds of a processor, and most scripts of the tests train for less.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

FRAMEWORKS = ["torch", "keras", "lightning.pytorch", "sklearn.datasets", "sklearn.model_selection"]
"""Modules that the process imports which is forked. Modules that are not installed are passed over."""
LONGEST_SECONDS = 300.0


def _forks() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(FRAMEWORKS)
    return context


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], outputs: Sequence[Path]) -> None:
    for number, output in enumerate(outputs, start=1):
        with output.open("wb") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(arguments)
    sys.path.insert(0, str(Path(arguments[0]).parent))
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # a fork leaves them out


def run_script(
    arguments: Sequence[object], folder: Path, seconds: float = LONGEST_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a script as ``python SCRIPT ARGUMENT …`` does, with the settings of this process.

    Args:
        arguments: The script, and its arguments.
        folder: The working folder. What the script prints is kept there too.
        seconds: How long it may take.
    """
    folders = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # for processes that the script starts
    words = [str(each) for each in arguments]
    outputs = [folder / f"{Path(words[0]).stem}.{stream}" for stream in ("stdout", "stderr")]
    process = _forks().Process(target=_run, args=(words, folder, os.environ | folders, outputs))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
    printed, said = (output.read_text(encoding="utf-8") for output in outputs)
    return subprocess.CompletedProcess(words, process.exitcode or 0, printed, said)
