"""Real processes that train on one device at the same time."""

import json
import signal
import subprocess
import sys
import time
from math import fsum

import pytest
from support.child_environment import child_environment

from green_callbacks import read_ledger
from green_callbacks.ledger import ledgers_of
from green_callbacks.ledger.project_totals import closings_of

WATTS = 300.0
TRAIN = """
import json, sys, time
from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.accountant.presence import presence
from green_callbacks.sources import ScriptedSource

presence._OFTEN_SECONDS = 0.1
name, seconds = sys.argv[1], float(sys.argv[2])
accountant = EnergyAccountant(
    sources=[ScriptedSource(300.0, name="gpu:0")],
    carbon_intensity=1000.0, pue=1.0, sinks=[], policies=[CarbonBudget("9 kg", project="logs")],
    ledger=f"logs/{name}.jsonl",
)
print("ready", flush=True)
sys.stdin.readline()
accountant.start()
end, epoch, shares = time.monotonic() + seconds, 0, []
while time.monotonic() < end:
    accountant.begin_epoch(epoch)
    time.sleep(0.2)
    record = accountant.end_epoch()
    shares.append(record.energy_joules * accountant._run.presence.share_of(record))
    epoch += 1
run = accountant.close()
print(json.dumps({"joules": run.energy_joules, "own": sum(shares), "notices": run.notices}))
"""


def ready(name, seconds):
    """A process that has imported everything and waits for a line before it trains."""
    command = [sys.executable, "-c", TRAIN, name, str(seconds)]
    return subprocess.Popen(command, env=child_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def begin(process):
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.no_cover
def test_four_processes_on_one_gpu_count_it_once(tmp_path):
    (tmp_path / "logs").mkdir()
    runs = {"first": 4.0, "second": 3.0, "third": 1.5, "killed": 60.0}
    processes = [ready(name, seconds) for name, seconds in runs.items()]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        begin(process)
        time.sleep(0.3)
    *others, killed = processes
    time.sleep(1.0)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    told = [json.loads(each.communicate(timeout=60)[0]) for each in others]

    ledgers = ledgers_of("logs")
    histories = [read_ledger(path).history for path in ledgers]
    began = min(each[0].started_at.timestamp() for each in histories)
    ended = max(each[-1].started_at.timestamp() + each[-1].duration_seconds for each in histories)
    used = WATTS * (ended - began)
    found = closings_of(ledgers)
    whole = fsum(each.energy_joules for each in histories)
    assert whole > 1.8 * used
    assert fsum(each.energy_joules for each in found.closings) == pytest.approx(used, rel=0.05)
    (sentence,) = found.overlaps
    assert sentence.startswith("4 runs measured the GPU of ")

    for history in histories:
        assert any("shared" in record.devices["gpu:0"].flags for record in history)
    assert not list((tmp_path / "logs" / ".green-callbacks" / "live").glob("*"))
    for each in told:
        (notice,) = [each for each in each["notices"] if "in another process" in each]
        assert "measures gpu:0" in notice
        assert each["own"] < 0.8 * each["joules"]
