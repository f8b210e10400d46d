"""Trains on two processes with GREEN_CALLBACKS=1, and then with the variable on rank 0 alone.

``switched_on_ranks.py FOLDER``
"""

import os
import sys
import time
from pathlib import Path

from frameworks.lightning.tiny import TinyModule, quiet
from lightning.pytorch import Trainer

from green_callbacks._frameworks.switched_on import rank_agreement
from green_callbacks.clock import ScriptedClock


def main(folder: Path) -> None:
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    for name, is_set, seconds in (("both", True, 20.0), ("one", rank == 0, 1.0), ("again", rank == 0, 20.0)):
        rank_agreement.FIRST_RANK_SECONDS = seconds
        os.environ["GREEN_CALLBACKS"] = str(int(is_set))
        trainer = Trainer(**quiet(folder / name) | {"devices": 2, "strategy": "ddp", "max_epochs": 2})
        began = time.monotonic()
        trainer.fit(TinyModule(ScriptedClock()))
        (folder / f"{name}{rank}.seconds").write_text(str(time.monotonic() - began))
        (folder / f"{name}{rank}.txt").write_text(str(trainer.current_epoch))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
