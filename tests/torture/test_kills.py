"""A few of the kills of ``make torture``."""

import sys
from pathlib import Path

import pytest
from support import slow_disk
from support.fake_nvml import build

sys.path.insert(0, str(Path(__file__).parent))

import kills


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = slow_disk.compiler()
    if compiler is None:
        pytest.skip("the stand-ins for NVIDIA's driver and for a slow disk need Linux and a C compiler (cc)")
    return build(compiler, tmp_path_factory.mktemp("nvml"))


@pytest.mark.parametrize("disk", kills.DISKS)
@pytest.mark.parametrize("sensor", kills.SENSORS)
def test_no_finished_epoch_is_lost_by_a_kill(library, sensor, disk):
    counts = kills.counts_of(sensor, disk, library, times=1)
    assert list(counts) == list(kills.DELAYS_SECONDS)
    assert all(count.kills == 1 and count.finished >= 1 for count in counts.values())
    assert {delay: count.lost for delay, count in counts.items()} == dict.fromkeys(counts, 0)
