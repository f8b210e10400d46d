"""Log folders, and TensorBoard in this process and in others."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from support.runs import scripted, train

PREFIX = "/data/plugin/green_callbacks"


def make_run(path: Path, epochs: int = 3, **options) -> Path:
    """Write the ledger of a closed run."""
    accountant, clock = scripted(ledger=path, **options)
    with accountant:
        train(accountant, clock, range(epochs), metrics=lambda epoch: {"val_acc": 0.5 + epoch / 100})
    return path


@contextmanager
def tensorboard(*arguments: str, before: Sequence[Path] = ()) -> Iterator[SimpleNamespace]:
    """Run TensorBoard in a process of its own, with more folders before the path of modules; its address and log."""
    command = [sys.executable, "-m", "tensorboard.main", "--host", "127.0.0.1", "--port", "0", *arguments]
    environment = {**_environment(before), "CUDA_VISIBLE_DEVICES": ""}
    log: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            address = None
            for line in server.stderr:
                log.append(line)
                if found := re.search(r"http://\S+", line):
                    address = found[0].rstrip("/")
                    break
            assert address, f"TensorBoard did not start: {''.join(log)}"
            yield SimpleNamespace(address=address, log=log, process=server)
        finally:
            server.send_signal(signal.SIGTERM)
            log.append(server.stderr.read())


def fetch(address: str, wait_seconds: float = 30.0) -> tuple[int, bytes]:
    """Ask for an address; status and content."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=wait_seconds) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def run_python(script: str, before: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, with more folders before the path of modules."""
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(before),
        timeout=120,
    )


def _environment(before: Sequence[Path]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*before, Path(__file__).parents[2])))}
