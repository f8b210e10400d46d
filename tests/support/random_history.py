"""Histories with all that happens to a run: outside rows, parts, refits, rewinds, drops, odd values."""

import math
import random

from green_callbacks.records import EpochRecord, History

METRICS = ("val_acc", "val_loss")
_RATES = (0.1, 0.1, 0.1, 0.09, 0.04, 0.01, 0.0)


class RandomRun:
    """A run that is made up record by record.

    Args:
        seed: What it is made up from.
        calm: Leave out rewinds, refits and outside rows, so that windows grow long.
    """

    def __init__(self, seed, *, calm=False):
        self.history = History()
        self._chance = random.Random(seed)
        self._calm = calm
        self._epoch = self._step = 0
        self._noise = self._chance.choice([0.0, 1e-6, 0.01, 1.0])
        self._rate = 0.1

    def go_on(self):
        """Do one thing: add a record, rewind, or begin another fit."""
        what = self._chance.random()
        if not self._calm and what < 0.02 and self._epoch:
            self._epoch = self._chance.randrange(self._epoch)
            self.history.rewind(self._epoch)
            return
        if not self._calm and what < 0.03:
            self._epoch = 0
        if not self._calm and what < 0.15:
            self.history.append(EpochRecord.scripted(emissions_kg=self._cost()))
            return
        self._step += 10
        if not self._calm and what < 0.3:
            part = EpochRecord.scripted(epoch=self._epoch, emissions_kg=self._cost(), step=self._step)
            self.history.append(part._replace(closes_epoch=False))
            return
        self._finish_epoch()

    def _finish_epoch(self):
        if self._chance.random() < 0.03:
            self._rate = self._chance.choice(_RATES)
        self.history.append(
            EpochRecord.scripted(
                epoch=self._epoch,
                emissions_kg=self._cost(),
                metrics={name: self._value(name) for name in METRICS if self._chance.random() < 0.9},
                learning_rate=self._rate if self._chance.random() < 0.9 else None,
                step=self._step if self._chance.random() < 0.9 else None,
            )
        )
        self._epoch += 1

    def _cost(self):
        return self._chance.choice([0.0, 0.01, 0.01, 0.01, 0.01 * self._chance.random(), 0.1])

    def _value(self, name):
        if self._chance.random() < 0.03:
            return self._chance.choice([math.nan, math.inf, -math.inf])
        learned = 1 - math.exp(-self._epoch / 20) + self._noise * self._chance.gauss(0, 1)
        return learned if name == "val_acc" else 1 - learned
