import os
import subprocess
import sys

import psutil
import pytest

from green_callbacks.sources.job.process_family import ProcessFamily


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.communicate(b"\n")


def test_this_process_and_its_descendants_are_ours_and_nobody_else(child: subprocess.Popen):
    nobody = 2**22 + 1  # beyond what Linux gives out
    assert ProcessFamily().among({os.getpid(), os.getppid(), child.pid, nobody, 0}) == {os.getpid(), child.pid}


def test_a_grandchild_is_ours():
    script = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0); print(p.pid)"
    command = [sys.executable, "-c", f"{script}; sys.stdout.flush(); p.wait()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        assert ProcessFamily().among({grandchild}) == {grandchild}
        parent.communicate(b"\n")


def test_a_known_process_is_not_looked_at_again(child: subprocess.Popen, monkeypatch: pytest.MonkeyPatch):
    family = ProcessFamily()
    family.among({child.pid, os.getppid()})
    monkeypatch.setattr(psutil, "Process", None)
    assert family.among({child.pid, os.getppid()}) == {child.pid}


def test_who_is_not_asked_for_is_forgotten(child: subprocess.Popen, monkeypatch: pytest.MonkeyPatch):
    family = ProcessFamily()
    family.among({child.pid})
    family.among(())
    monkeypatch.setattr(psutil.Process, "parents", lambda _: [])  # the id is given to another process
    assert family.among({child.pid}) == frozenset()
