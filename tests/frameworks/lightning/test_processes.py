import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from frameworks.lightning.tiny import WATTS, epochs, grams
from frameworks.lightning.two_ranks import BUDGET_JOULES, EPOCH_JOULES, EPOCH_SECONDS, HOST_WATTS
from support.warm_python import run_script

from green_callbacks import read_ledger
from green_callbacks.ledger import LedgerContents

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Trained:
    folder: Path
    ledger: LedgerContents
    ranks: list[dict[str, Any]]
    said: str


@pytest.fixture(scope="module", params=["ddp", "ddp_spawn"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of two processes that a budget for three and a half epochs ended."""
    folder = tmp_path_factory.mktemp(request.param)
    done = run_script([HERE / "two_ranks.py", request.param, folder], folder)
    assert done.returncode == 0, done.stderr
    (ledger,) = folder.rglob("*.jsonl")
    ranks = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("rank*.json"))]
    return Trained(folder, read_ledger(ledger), ranks, done.stderr)


def test_every_gpu_counts_once_and_the_host_once(trained: Trained):
    for record in epochs(trained.ledger.history):
        joules = {name: device.joules for name, device in record.devices.items()}
        assert joules == {
            "gpu:0": pytest.approx(EPOCH_SECONDS * WATTS, rel=1e-9),
            "gpu:1": pytest.approx(EPOCH_SECONDS * WATTS, rel=1e-9),
            "cpu:0": pytest.approx(EPOCH_SECONDS * HOST_WATTS, rel=1e-9),
        }
        assert record.duration_seconds == pytest.approx(EPOCH_SECONDS, rel=1e-9)
        assert record.samples == 8


def test_the_phases_of_all_ranks_add_up(trained: Trained):
    for record in epochs(trained.ledger.history):
        assert sum(phase.joules or 0 for phase in record.phases.values()) == pytest.approx(EPOCH_JOULES, rel=1e-9)


def test_metrics_are_those_of_rank_0(trained: Trained):
    assert list(trained.ledger.history.metric("val_acc").values) == pytest.approx([0.0, 0.1, 0.2])


def test_one_decision_ends_all_ranks(trained: Trained):
    assert [rank["epochs"] for rank in trained.ranks] == [3, 3]
    assert trained.ledger.history.finished_epochs == 3
    assert trained.ranks[0]["reason"] == trained.ledger.stop_reason
    assert trained.ranks[1]["reason"] is not None


def test_every_rank_sees_the_same_numbers(trained: Trained):
    total_g, left_wh = grams(3 * EPOCH_JOULES), grams(BUDGET_JOULES - 3 * EPOCH_JOULES)
    assert [rank["total_g"] for rank in trained.ranks] == [pytest.approx(total_g, rel=1e-6)] * 2
    assert [rank["budget_left_wh"] for rank in trained.ranks] == [pytest.approx(left_wh, rel=1e-6)] * 2


def test_only_rank_0_keeps_the_history(trained: Trained):
    assert trained.ranks[0]["records"] >= 3
    assert trained.ranks[1]["records"] == 0


def test_every_rank_knows_the_best_of_the_front_and_the_files_are_in_the_ledger(trained: Trained):
    (best,) = {rank["best"] for rank in trained.ranks}
    assert Path(best).name.startswith("front-epoch=2-val_acc=0.2-kg=")
    kept = trained.ledger.checkpoints["val_acc"].rows
    assert sorted(kept) == sorted(map(str, trained.folder.glob("front/*.ckpt")))
    assert best in kept
    assert len(kept) == 2


def test_what_rank_0_cannot_save_holds_up_no_other(trained: Trained):
    assert {rank["unsaved"] for rank in trained.ranks} == {""}
    assert trained.said.count("could not be saved or removed") >= 1


@pytest.mark.parametrize("trained", ["ddp"], indirect=True)
def test_a_spent_budget_is_refused_by_all_ranks(trained: Trained):
    assert {file.name for file in trained.folder.glob("refused*.txt")} == {"refused0.txt", "refused1.txt"}


def test_nobody_is_warned_of_numbers_that_are_agreed_upon(trained: Trained):
    assert "green/" not in trained.said
