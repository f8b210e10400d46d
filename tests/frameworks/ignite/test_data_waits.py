"""The wait for the loader of an engine that trains."""

import pytest
from frameworks.ignite.tiny import BATCHES
from ignite.engine import Events


class SlowLoader:
    """Takes 2 s for each batch."""

    def __init__(self, clock):
        self.clock = clock

    def __len__(self):
        return BATCHES

    def __iter__(self):
        for at in range(BATCHES):
            self.clock.advance(2.0)
            yield at


def test_only_the_loader_counts(script):
    monitor = script.monitor()
    monitor.attach(script.trainer, script.evaluator)
    script.validate()
    script.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: script.clock.advance(7.0))
    script.trainer.run(SlowLoader(script.clock), max_epochs=3)
    waits = [each.data_wait_seconds for each in monitor.accountant.history if each.epoch is not None]
    assert waits == pytest.approx([2.0 * BATCHES] * 3)


def test_a_trainer_without_data_has_waited_for_nothing(script):
    monitor = script.monitor()
    monitor.attach(script.trainer, script.evaluator)
    script.trainer.run(None, max_epochs=2, epoch_length=3)
    waits = {each.data_wait_seconds for each in monitor.accountant.history if each.epoch is not None}
    assert waits <= {0.0, None}


def test_handlers_at_the_loader_are_no_wait(script):
    """They were added after the monitor to what happens before the loader, and the other way round."""
    monitor = script.monitor()
    script.trainer.add_event_handler(Events.GET_BATCH_COMPLETED, lambda: script.clock.advance(7.0))
    monitor.attach(script.trainer, script.evaluator)
    script.trainer.add_event_handler(Events.GET_BATCH_STARTED, lambda: script.clock.advance(7.0))
    script.trainer.run(SlowLoader(script.clock), max_epochs=3)
    waits = [each.data_wait_seconds for each in monitor.accountant.history if each.epoch is not None]
    assert waits == pytest.approx([2.0 * BATCHES] * 3)
