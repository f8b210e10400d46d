"""What is written to TensorBoard never goes back, unless it says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted_run import record, run_context
from support.tensorboard_events import Events, read_events

from green_callbacks.records import EpochRecord, History
from green_callbacks.sinks import TensorBoardSink
from green_callbacks.sinks.tensorboard.axis import Axis

TAG = "green/emissions_total_g"
QUALITY = "green/1_quality_by_mg_co2e"


class Process:
    """A process that trains, and what its run has recorded and drawn so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = History()
        self.sink: TensorBoardSink | None = None

    def start(self, *, is_resumed: bool = False) -> None:
        """Begin a stretch, in this process or in one that goes on with the run."""
        self.sink = TensorBoardSink(self.folder)
        before = self.history.copy()
        self.sink.open(run_context(self.folder, self.history, before=before, is_resumed=is_resumed, monitor="val_acc"))

    def close(self) -> None:
        assert self.sink is not None
        self.sink.close()

    def write(self, each: EpochRecord) -> None:
        assert self.sink is not None
        self.history.append(each)
        self.sink.write(each)

    def rewind(self, epoch: int, step: int | None = None) -> None:
        assert self.sink is not None
        self.history.rewind(epoch, step)
        self.sink.rewind(self.history.copy())

    def epochs(self, *epochs: int, steps: int | None = 10, done: int = 0) -> None:
        """Train whole epochs, of so many steps each."""
        for count, epoch in enumerate(epochs, start=1):
            step = None if steps is None else done + count * steps
            self.write(record(epoch, step=step, metrics={"val_acc": 0.5}))

    def events(self) -> Events:
        return read_events(self.folder)

    def places(self) -> list[int]:
        return self.events().steps(TAG)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.close()


def test_fits_of_one_epoch_continue_where_the_optimizer_counts_on(process: Process):
    for fit in range(6):
        process.start()
        process.epochs(0, done=10 * fit)
        process.close()

    assert process.places() == [9, 19, 29, 39, 49, 59]
    assert process.events().restarts == []


def test_fits_of_one_epoch_continue_where_the_optimizer_is_new(process: Process):
    for _ in range(6):
        process.start()
        process.epochs(0)
        process.close()

    assert process.places() == [9, 19, 29, 39, 49, 59]


def test_fits_of_one_epoch_continue_where_no_steps_are_known(process: Process):
    for _ in range(6):
        process.start()
        process.epochs(0, steps=None)
        process.close()

    assert process.places() == [0, 1, 2, 3, 4, 5]


def test_a_second_fit_of_fresh_weights_continues(process: Process):
    process.start()
    process.epochs(0, 1, 2)
    process.epochs(0, 1, steps=20)

    assert process.places() == [9, 19, 29, 49, 69]


def test_a_count_that_begins_again_within_a_fit_continues(process: Process):
    process.start()
    process.epochs(0, 1)
    process.epochs(2, 3)  # the model was compiled again

    assert process.places() == [9, 19, 29, 39]


def test_what_lies_outside_epochs_between_fits_draws_nothing_that_goes_back(process: Process):
    for _ in range(3):
        process.start()
        process.epochs(0)
        process.close()
        process.start()
        process.write(record(None, metrics={"val_acc": 0.4}))
        process.close()

    assert process.places() == [9, 19, 29]


def test_parts_and_ends_of_epochs_share_the_axis(process: Process):
    process.start()
    for epoch in range(2):
        done = 150 * epoch
        process.write(record(epoch, step=done + 100, closes_epoch=False))
        process.write(record(epoch, step=done + 150))

    assert process.places() == [99, 149, 249, 299]


def test_a_part_without_steps_stands_at_its_epoch(process: Process):
    process.start()
    process.write(record(3, closes_epoch=False))
    process.write(record(3))
    process.write(record(4))

    assert process.places() == [3, 3, 4]


def test_an_epoch_that_was_cut_short_and_begins_again_keeps_its_number(process: Process):
    process.start()
    process.epochs(0, steps=None)
    process.write(record(1, complete=False))
    process.epochs(1, 2, steps=None)

    assert process.places() == [0, 1, 1, 2]


def test_a_resumed_run_drops_what_a_killed_one_had_drawn_beyond_its_checkpoint(process: Process):
    process.start()
    process.epochs(0, 1)
    checkpoint = process.history.copy()
    process.epochs(2, 3, 4, done=20)
    process.close()

    process.history = checkpoint  # there is no ledger that knows of the others
    process.start(is_resumed=True)
    process.epochs(2, done=20)
    process.close()

    assert process.events().restarts == [20]
    assert process.places() == [9, 19, 29]


def test_a_resumed_run_drops_what_it_does_again(process: Process):
    process.start()
    process.epochs(0, 1, 2, 3)
    process.close()

    process.start(is_resumed=True)  # with the ledger, which holds all epochs
    process.rewind(2)
    process.epochs(2, 3, 4, done=20)
    process.close()

    assert process.events().restarts[-1] == 20
    assert process.places() == [9, 19, 29, 39, 49]


def test_a_checkpoint_that_is_restored_in_the_middle_of_a_fit_drops_what_is_done_again(process: Process):
    process.start()
    process.epochs(0, 1, 2)
    process.rewind(1)
    process.epochs(1, 2, 3, done=10)

    assert process.events().restarts == [10]
    assert process.places() == [9, 19, 29, 39]


def test_a_rewind_into_an_epoch_keeps_its_parts(process: Process):
    process.start()
    process.write(record(0, step=10, closes_epoch=False))
    process.write(record(0, step=20, closes_epoch=False))
    process.rewind(0, 10)
    process.write(record(0, step=18))

    assert process.places() == [9, 17]


def test_the_second_of_two_fits_is_rewound_on_its_own_stretch_of_the_axis(process: Process):
    process.start()
    process.epochs(0, 1)
    process.epochs(0, 1)
    process.rewind(1)
    process.epochs(1, done=10)

    assert process.places() == [9, 19, 29, 39]


def test_emissions_are_not_undone_and_their_curve_stays_whole(process: Process):
    process.start()
    process.epochs(0, 1, 2)
    process.rewind(1)
    process.epochs(1, done=10)
    process.close()

    assert process.events().steps(QUALITY) == [500, 2000]
    assert [value for _, value in process.events().points(TAG)] == pytest.approx([0.5, 2.0], rel=1e-6)


def test_a_rewind_to_the_very_beginning_leaves_page_and_layout(process: Process):
    process.start()
    process.epochs(0, 1)
    process.rewind(0)
    process.epochs(0)
    process.close()

    assert process.places() == [9]
    assert len(process.events().pages) == 2
    assert process.events().layouts[0] == process.events().layouts[-1]


def test_a_run_that_goes_on_in_its_process_restarts_nothing(process: Process):
    for fit in range(2):
        process.start()
        process.epochs(fit, done=10 * fit)
        process.close()

    assert process.events().restarts == []


def test_every_stretch_has_one_file(process: Process, tmp_path: Path):
    for _ in range(3):
        process.start()
        process.epochs(0, 1)
        process.close()

    assert len(list(tmp_path.iterdir())) == 3


STEPS = st.one_of(st.none(), st.integers(0, 30))
EPOCH = st.tuples(st.just("epoch"), st.integers(0, 4), STEPS)
PART = st.tuples(st.just("part"), st.integers(0, 4), STEPS)
CUT = st.tuples(st.just("cut"), st.integers(0, 4), STEPS)
EVALUATE = st.just(("evaluate", None, None))
REWIND = st.tuples(st.just("rewind"), st.integers(0, 4), STEPS)
ACROSS = st.sampled_from(["again", "resumed", "forgotten"]).map(lambda how: (how, None, None))


@settings(max_examples=150, deadline=None)
@given(done=st.lists(st.one_of(EPOCH, EPOCH, PART, CUT, EVALUATE, REWIND, ACROSS), max_size=25))
def test_no_curve_ever_goes_back_unless_the_file_says_so(
    tmp_path_factory: pytest.TempPathFactory, done: list[tuple[str, int | None, int | None]]
):
    process = Process(tmp_path_factory.mktemp("run"))
    process.start()
    checkpoint = process.history.copy()
    for what, epoch, step in done:
        if what == "rewind":
            assert epoch is not None
            process.rewind(epoch, step)
        elif what in ("again", "resumed", "forgotten"):
            process.close()
            checkpoint, process.history = process.history.copy(), checkpoint if what == "forgotten" else process.history
            process.start(is_resumed=what != "again")
        else:
            closing, complete = what not in ("part", "cut"), what != "cut"
            process.write(record(epoch, step=step, closes_epoch=closing, complete=complete, metrics={"val_acc": 0.5}))
    process.close()

    events = process.events()
    for tag in events.scalars:
        if tag != QUALITY or not any(what == "forgotten" for what, *_ in done):  # emissions that are forgotten go back
            assert events.steps(tag) == sorted(events.steps(tag)), tag


@given(st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 50)), st.booleans(), st.booleans())))
def test_a_run_that_goes_on_stands_where_it_would_have_stood(rows: list[tuple[int, int | None, bool, bool]]):
    records = [record(e, step=step, closes_epoch=closes, complete=done) for e, step, closes, done in rows]
    whole = Axis()
    places = [whole.place(each) for each in records]

    for cut in range(len(records)):
        axis = Axis.of(History(records[:cut]))
        assert [axis.place(each) for each in records[cut:]] == places[cut:]
