"""A small stand-in for Slurm on this machine, which starts jobs of an array, signals them, and requeues them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.child_environment import child_environment

PATIENCE_SECONDS = 120
SRUN = """#!/bin/bash
export SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_STEP_NUM_TASKS=1 SLURM_STEP_TASKS_PER_NODE=1
exec "$@"
"""
SCONTROL = """#!/bin/bash
echo "$@" >> "$SLURM_SUBMIT_DIR/scontrol.txt"
"""


class Slurm:
    """Starts the jobs of one array in a folder."""

    def __init__(self, folder: Path, script: Path) -> None:
        self.folder, self.script = folder, script
        self.restarts: dict[int, int] = {}
        commands = folder / "bin"
        commands.mkdir()
        for name, text in {
            "srun": SRUN,
            "scontrol": SCONTROL,
            "python": f'#!/bin/bash\nexec {sys.executable} "$@"\n',
        }.items():
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)

    def start(self, task: int) -> subprocess.Popen[str]:
        """Start a task of the array, or start it again."""
        restarts = self.restarts[task] = self.restarts.get(task, -1) + 1
        environ = child_environment(
            PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}",
            SLURM_JOB_ID=str(4701 + task),
            SLURM_ARRAY_JOB_ID="4700",
            SLURM_ARRAY_TASK_ID=str(task),
            SLURM_RESTART_COUNT=str(restarts),
            SLURM_NTASKS="1",
            SLURM_CPUS_PER_TASK="2",
            SLURM_SUBMIT_DIR=str(self.folder),
            OMP_NUM_THREADS="1",
        )
        return subprocess.Popen(
            ["bash", self.script.name],
            cwd=self.script.parent,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def requeued(self) -> list[str]:
        """The jobs whose requeue was asked for."""
        asked = self.folder / "scontrol.txt"
        return asked.read_text().splitlines() if asked.exists() else []


def output_of(job: "subprocess.Popen[str]") -> str:
    """Wait for a job, and return what it has printed."""
    printed, _ = job.communicate(timeout=PATIENCE_SECONDS)
    return printed


def wait_for_epoch(checkpoint: Path, since: float = 0.0) -> float:
    """Wait until a checkpoint is newer than a time, and return its time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if checkpoint.exists() and checkpoint.stat().st_mtime > since:
            return checkpoint.stat().st_mtime
        time.sleep(0.02)
    raise TimeoutError


def kill_all(job: "subprocess.Popen[str]") -> None:
    """Kill a job as a failing node does."""
    os.killpg(job.pid, signal.SIGKILL)
    job.communicate(timeout=PATIENCE_SECONDS)
