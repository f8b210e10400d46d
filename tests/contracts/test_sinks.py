"""What every sink promises, whatever it writes."""

import copy
import pickle

import pytest
from support.runs import ListSink, scripted, train
from support.scripted_run import finished, record, run_context

from green_callbacks import MlflowSink, Sink, Summary, TensorBoardSink, Verdict, WandbSink
from green_callbacks.records import History

SINKS = {
    "mlflow": MlflowSink,
    "summary": Summary,
    "tensorboard": TensorBoardSink,
    "wandb": WandbSink,
}
VERDICT = Verdict(stop=False, code="warning", reason="Half is spent.", values={"green/budget_left_kg": 0.5})
RECORDS = [
    record(None),
    record(0, metrics={"val_acc": 0.5}, learning_rate=0.1, samples=100, step=10, verdicts=(VERDICT,)),
    record(1, metrics={"val_acc": float("nan"), "val_loss": float("inf")}),
    record(2, gpu_joules=None, cpu_joules=None),
    record(3, seconds=0.0),
    record(4, devices={}, complete=False),
]


@pytest.fixture(params=SINKS.values(), ids=SINKS.keys())
def sink(request):
    return request.param()


def run_through(sink, folder, before=()):
    history = History([*before])
    sink.at_edge()
    sink.open(run_context(folder, history, before=History([*before])))
    for each in RECORDS:
        history.append(each)
        sink.at_edge()
        sink.write(each)
    sink.finish(finished(history, "The budget is spent."))
    sink.close()


def files(folder):
    return sum(each.is_file() for each in folder.rglob("*"))


def test_it_is_one(sink):
    assert isinstance(sink, Sink)


def test_a_constructor_creates_nothing(sink, tmp_path):
    assert files(tmp_path) == 0


def test_it_takes_every_record_and_is_unchanged_by_a_second_close(sink, tmp_path):
    run_through(sink, tmp_path / "logs")
    before = files(tmp_path)
    sink.close()
    assert files(tmp_path) == before


def test_a_run_may_have_no_record_at_all(sink, tmp_path):
    sink.open(run_context(tmp_path / "logs"))
    sink.finish(finished(History()))
    sink.close()
    sink.open(run_context(tmp_path / "logs"))
    sink.close()
    assert isinstance(sink, Sink)


def test_it_can_be_closed_without_having_been_opened(sink, tmp_path):
    sink.close()
    assert files(tmp_path) == 0


def test_a_run_may_go_on_with_it(sink, tmp_path):
    run_through(sink, tmp_path / "logs")
    run_through(sink, tmp_path / "logs", before=RECORDS)
    assert isinstance(sink, Sink)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_it_copies_and_pickles_as_its_options_before_and_after_a_run(sink, tmp_path, clone):
    run_through(clone(sink), tmp_path / "first")
    run_through(sink, tmp_path / "second")
    run_through(clone(sink), tmp_path / "third")
    assert type(clone(sink)) is type(sink)


def test_it_may_be_told_that_epochs_are_done_again(sink, tmp_path):
    history = History(RECORDS)
    sink.rewind(history)
    sink.open(run_context(tmp_path / "logs", history, before=history.copy(), is_resumed=True))
    history.rewind(2)
    sink.rewind(history.copy())
    sink.write(record(2))
    sink.finish(finished(history))
    sink.close()
    sink.rewind(history)
    assert isinstance(sink, Sink)


def test_a_run_tells_its_sinks_that_epochs_are_done_again():
    class Told(ListSink):
        def rewind(self, before):
            self.records.append([each.epoch for each in before])

    first, clock = scripted()
    with first:
        train(first, clock, range(3))
    sink = Told()
    second, clock = scripted(sinks=[sink], strict=True)
    second.load_state_dict(first.state_dict())
    with second:
        train(second, clock, [1])

    assert sink.contexts[0].is_resumed
    assert sink.records[0] == [0, None, None]
    assert [each.epoch for each in sink.records[1:]] == [1]


def test_a_run_drives_it_with_no_failure(sink):
    other = ListSink()
    accountant, clock = scripted(sinks=[sink, other], strict=True)
    with accountant:
        train(accountant, clock, range(3), metrics=lambda epoch: {"val_acc": epoch / 10})
    assert len(other.records) == 3
