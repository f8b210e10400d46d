"""What Lightning's own TensorBoard files, the records and the summary say of a landing."""

from pathlib import Path

import pytest
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.loggers import TensorBoardLogger

from green_callbacks import MarginalGain, Summary, TensorBoardSink
from green_callbacks.clock import ScriptedClock

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

PAGE = "green/provenance/text_summary"


def test_a_landing_is_a_curve_from_one_to_zero_and_a_line_of_the_page(tmp_path: Path, clock: ScriptedClock):
    said: list[str] = []
    logger = TensorBoardLogger(tmp_path)
    rule = MarginalGain("val_acc", landing=0.2)
    callback = monitor(clock, policies=[rule], sinks=[TensorBoardSink(), Summary(said.append)])

    trainer(tmp_path, callback, logger=logger, max_epochs=40).fit(TinyModule(clock, (0.5, 0.9)))

    events = event_accumulator.EventAccumulator(str(logger.log_dir))
    events.Reload()
    assert [(point.step, point.value) for point in events.Scalars("green/landing")] == [
        (47, 1.0),
        (51, pytest.approx(2 / 3)),
        (55, pytest.approx(1 / 3)),
        (59, 0.0),
    ]
    page = events.Tensors(PAGE)[-1].tensor_proto.string_val[0].decode()
    assert "| landing | the learning rate went to zero. It took 3 epochs, " in page
    assert "The landing took 3 epochs, " in " ".join(said[0].split())
    rates = list(callback.accountant.history.learning_rates.values)
    assert rates == pytest.approx([0.01] * 12 + [0.01 * 2 / 3, 0.01 / 3, 0.0])
