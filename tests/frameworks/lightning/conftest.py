import logging
from importlib.util import find_spec
from pathlib import Path

import pytest

from green_callbacks.clock import ScriptedClock

collect_ignore_glob = [] if find_spec("lightning") else ["*"]

# Advice of Lightning to users, and what its dependencies say of one another.
HINTS = (
    "ignore:Be aware that when using `ckpt_path`",
    "ignore:The dirpath has changed",
    "ignore:You're resuming from a checkpoint that ended before the epoch ended",
    "ignore:.*does not have many workers",
    "ignore:The number of training batches",
    "ignore:.*treespec",
    "ignore:.*LeafSpec",
    "ignore:You are trying to `self.log.*barebones",
    "ignore:Checkpoint directory",
    "ignore:.*was configured so `CSVLogger` will log to",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for hint in HINTS:
                item.add_marker(pytest.mark.filterwarnings(hint))


@pytest.fixture(autouse=True)
def quiet_lightning() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock()
