"""Checkpoints of others, of another run, damaged or crafted: the run goes on in the right file, or says why not."""

import copy
import json
import os

import pytest
from support.hostile_states import VALUES, damaged
from support.runs import WATTS, scripted, train
from support.strategies import comparable, totals_of

from green_callbacks import read_ledger
from green_callbacks.accountant.setup import resume
from green_callbacks.errors import ConfigurationError


def trained(ledger, epochs=3, **options):
    """A finished run, its clock, and its state as it comes out of a checkpoint."""
    accountant, clock = scripted(ledger=ledger, **options)
    accountant.start()
    train(accountant, clock, range(epochs), metrics=lambda epoch: {"val_acc": epoch / 10})
    accountant.close()
    return accountant, clock, json.loads(json.dumps(accountant.state_dict(), allow_nan=False))


def resumed(state, ledger, clock=None, epochs=range(3, 5)):
    accountant, clock = scripted(clock, ledger=ledger)
    accountant.load_state_dict(state)
    accountant.start()
    train(accountant, clock, epochs)
    return accountant, accountant.close()


def assert_holds(path, history):
    contents = read_ledger(path)
    assert [comparable(each) for each in contents.history] == [comparable(each) for each in history]
    assert totals_of(contents.history) == totals_of(history)
    assert contents.is_closed


def test_a_ledger_that_may_only_be_read_is_said_and_the_run_goes_on_in_a_file_of_its_own(tmp_path, monkeypatch, caplog):
    first, clock, state = trained(tmp_path / "theirs" / "run.jsonl")
    before = (tmp_path / "theirs" / "run.jsonl").read_bytes()
    monkeypatch.setattr(resume, "_is_writable", lambda path: "theirs" not in path.parts)
    second, run = resumed(state, None, clock)
    (said,) = caplog.records
    assert "may not be written to" in said.message
    assert run.ledger.parent == tmp_path / "green-callbacks"
    assert (run.run_id, run.epochs, run.energy_joules) == (first.run_id, 5, WATTS * 50)
    assert_holds(run.ledger, second.history)
    assert (tmp_path / "theirs" / "run.jsonl").read_bytes() == before


def test_what_the_read_only_ledger_holds_beyond_the_checkpoint_counts_as_lost_work(tmp_path, monkeypatch):
    accountant, clock = scripted(ledger=tmp_path / "theirs.jsonl")
    accountant.start()
    train(accountant, clock, range(2))
    state = accountant.state_dict()
    train(accountant, clock, range(2, 4))
    accountant.close()
    monkeypatch.setattr(resume, "_is_writable", lambda path: path.name != "theirs.jsonl")
    second, run = resumed(state, None, clock, range(2, 4))
    assert (run.epochs, run.energy_joules, run.outside_joules) == (4, WATTS * 60, WATTS * 20)
    assert_holds(run.ledger, second.history)


def test_whether_a_file_may_be_written_to_is_found_by_opening_it(tmp_path):
    path = tmp_path / "run.jsonl"
    assert not resume._is_writable(path)
    path.write_bytes(b"x")
    assert resume._is_writable(path)
    assert path.read_bytes() == b"x"
    assert not resume._is_writable(tmp_path)


def test_the_users_ledger_goes_before_that_of_the_checkpoint(tmp_path, caplog):
    first, clock, state = trained("theirs.jsonl")
    before = (tmp_path / "theirs.jsonl").read_bytes()
    second, run = resumed(state, "mine.jsonl", clock)
    assert run.ledger == tmp_path / "mine.jsonl"
    assert (run.run_id, run.energy_joules) == (first.run_id, WATTS * 50)
    assert_holds("mine.jsonl", second.history)
    assert (tmp_path / "theirs.jsonl").read_bytes() == before
    assert caplog.records == []


def test_the_users_ledger_of_the_same_run_is_gone_on_with(tmp_path, caplog):
    _, clock, state = trained("run.jsonl")
    second, run = resumed(state, "run.jsonl", clock)
    assert run.ledger == tmp_path / "run.jsonl"
    assert_holds("run.jsonl", second.history)
    assert run.energy_joules == WATTS * 50
    assert caplog.records == []


def test_the_users_ledger_of_another_run_is_kept_and_the_run_goes_on_beside_it(tmp_path, caplog):
    trained("mine.jsonl", epochs=1)
    before = (tmp_path / "mine.jsonl").read_bytes()
    first, clock, state = trained("theirs.jsonl")
    second, run = resumed(state, "mine.jsonl", clock)
    assert run.ledger == tmp_path / "mine-2.jsonl"
    assert (run.run_id, run.energy_joules) == (first.run_id, WATTS * 50)
    assert_holds("mine-2.jsonl", second.history)
    assert (tmp_path / "mine.jsonl").read_bytes() == before
    (said,) = caplog.records
    assert "mine.jsonl belongs to another run than the checkpoint" in said.message
    assert "mine-2.jsonl" in said.message


def test_a_file_at_the_users_path_that_is_no_ledger_is_left_alone(tmp_path, caplog):
    _, _, state = trained("theirs.jsonl")
    accountant, clock = scripted(ledger="mine.jsonl")
    (tmp_path / "mine.jsonl").write_bytes(b"dear diary\n")  # by another process, since the accountant was made
    accountant.load_state_dict(state)
    accountant.start()
    train(accountant, clock, [3])
    run = accountant.close()
    assert run.ledger == tmp_path / "mine-2.jsonl"
    assert_holds(run.ledger, accountant.history)
    assert (tmp_path / "mine.jsonl").read_bytes() == b"dear diary\n"
    assert [record.message.split(" The run")[0] for record in caplog.records] == [
        f"{tmp_path / 'mine.jsonl'} is not a ledger."
    ]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_ledger_that_was_cut_meanwhile_is_completed_from_the_checkpoint(tmp_path, share):
    _, clock, state = trained("run.jsonl")
    path = tmp_path / "run.jsonl"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    second, run = resumed(state, None, clock)
    assert (run.epochs, run.energy_joules) == (5, WATTS * 50)
    assert_holds(run.ledger, second.history)


@pytest.mark.parametrize("content", [b"", b"\n", b"x=1\n", b"\0" * 100])
def test_a_file_that_is_no_ledger_of_the_run_is_left_alone(tmp_path, content, caplog):
    _, clock, state = trained("run.jsonl")
    path = tmp_path / "empty.conf"
    path.write_bytes(content)
    second, run = resumed(state | {"ledger": str(path)}, None, clock)
    assert path.read_bytes() == content
    assert run.ledger.parent == tmp_path / "green-callbacks"
    assert_holds(run.ledger, second.history)
    assert len(caplog.records) == 1


def test_a_ledger_of_another_run_is_left_alone(tmp_path, caplog):
    trained("other.jsonl", epochs=1)
    before = (tmp_path / "other.jsonl").read_bytes()
    _, clock, state = trained("run.jsonl")
    second, run = resumed(state | {"ledger": str(tmp_path / "other.jsonl")}, None, clock)
    assert (tmp_path / "other.jsonl").read_bytes() == before
    assert_holds(run.ledger, second.history)
    assert "belongs to another run" in caplog.text


NO_NAMES = [
    "../../pwned",
    "/etc/passwd",
    "..",
    ".",
    "a/b",
    "a\\b",
    "a\nb",
    "\x1b[31m",
    "nul\0byte",
    "x" * 5_000,
    "CON:",
]


@pytest.mark.parametrize("run_id", NO_NAMES, ids=range(len(NO_NAMES)))
def test_a_run_that_is_named_like_a_path_is_refused(tmp_path, run_id):
    _, _, state = trained("run.jsonl")
    accountant, _ = scripted(ledger=None)
    with pytest.raises(ConfigurationError, match="its run_id is no plain name"):
        accountant.load_state_dict(state | {"run_id": run_id})


NO_PATHS = ["", "a\0b", "a\nb", "\x1b]0;x\x07", "x" * 5_000, 7, True, ["run.jsonl"], {"a": 1}, b"run.jsonl"]


@pytest.mark.parametrize("ledger", NO_PATHS, ids=range(len(NO_PATHS)))
def test_a_ledger_that_is_no_path_is_refused(ledger):
    _, _, state = trained("run.jsonl")
    accountant, _ = scripted(ledger=None)
    with pytest.raises(ConfigurationError, match="its ledger is no path"):
        accountant.load_state_dict(state | {"ledger": ledger})


@pytest.mark.parametrize("ledger", ["/dev/null", "/dev/zero", "/dev/full", "/proc/self/mem", ".", "fifo", "loop"])
def test_a_path_to_what_is_no_file_is_not_opened(tmp_path, ledger):
    if ledger == "fifo":
        os.mkfifo(tmp_path / "fifo")
    if ledger == "loop":
        (tmp_path / "loop").symlink_to("loop")
    _, clock, state = trained("run.jsonl")
    second, run = resumed(state | {"ledger": ledger}, None, clock)
    assert run.ledger.parent == tmp_path / "green-callbacks"
    assert_holds(run.ledger, second.history)


REFUSED = "The account in the checkpoint is damaged: "


def load(state):
    """Load a state; return whether it was taken, and fail if it is refused by anything but a sentence of ours."""
    accountant, _ = scripted(ledger=False)
    try:
        accountant.load_state_dict(state)
    except ConfigurationError as refusal:
        message = str(refusal)
        assert message.startswith((REFUSED, "The checkpoint was written by another version")), message
        assert "\n" not in message
        assert len(message) < 400
        return False
    accountant.close()
    return True


@pytest.mark.parametrize("key", ["version", "run_id", "ledger", "history", "step", "checkpoints"])
def test_a_state_with_a_wrong_or_missing_part_is_taken_or_refused_in_one_sentence(key):
    _, _, state = trained(ledger=False)
    for value in VALUES:
        load(state | {key: copy.deepcopy(value)})
    load({name: each for name, each in state.items() if name != key})


def test_states_that_are_none_are_refused_in_one_sentence():
    for value in VALUES:
        if not isinstance(value, dict):
            assert not load(value)


@pytest.mark.no_cover
def test_damaged_states_are_taken_or_refused_in_one_sentence():
    _, _, state = trained(ledger=False)
    state["checkpoints"] = {"val_acc": {"mode": "max", "files": {"/a.ckpt": 0}}}
    taken = [load(damaged(state, seed)) for seed in range(60)]
    assert 0 < sum(taken) < len(taken)


def test_a_state_that_is_refused_leaves_the_accountant_as_it_was(tmp_path):
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    train(accountant, clock, [0])
    with pytest.raises(ConfigurationError):
        accountant.load_state_dict({"version": 3})
    assert accountant.is_live
    train(accountant, clock, [1])
    run = accountant.close()
    assert (run.epochs, run.ledger) == (2, tmp_path / "run.jsonl")
