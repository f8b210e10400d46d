"""The horizontal axis of TensorBoard."""

from green_callbacks.records import EpochRecord, History


class Axis:
    """Gives every record of a run a position on the axis. Positions never decrease.

    Positions count from 0, as in the frameworks. They are optimizer steps if the first record inside an epoch knows its
    steps. Otherwise they are epochs. A fit that counts from 0 again continues after the fit before it.

    Attributes:
        next: First position after all records so far.
    """

    def __init__(self) -> None:
        self.next = 0
        self._begun_at = 0
        self._by_step: bool | None = None
        self._step = 0
        self._epoch = -1
        self._epoch_is_open = False

    @classmethod
    def of(cls, history: History) -> "Axis":
        """Return the axis of a run that is under way.

        Args:
            history: Records of the run. Records of repeated epochs, which lie outside epochs, have no position.
        """
        axis = cls()
        for row in range(len(history)):
            epoch = history.epoch_at(row)
            if epoch is not None:
                axis._put(epoch, history.step_at(row), is_whole=history.is_whole(row))
        return axis

    def place(self, record: EpochRecord) -> int:
        """Return the position of the next record.

        Args:
            record: A record inside an epoch.
        """
        return self._put(record.epoch or 0, record.step, is_whole=record.closes_epoch and record.complete)

    def _put(self, epoch: int, step: int | None, *, is_whole: bool) -> int:
        if self._by_step is None:
            self._by_step = step is not None
        begins_again = epoch < self._epoch or (epoch == self._epoch and not self._epoch_is_open)
        place = self._by_steps(step, epoch, begins_again) if self._by_step else self._by_epoch(epoch, begins_again)
        self._epoch, self._epoch_is_open, self.next = epoch, not is_whole, place + 1
        return place

    def _by_epoch(self, epoch: int, begins_again: bool) -> int:  # noqa: FBT001
        if begins_again:
            self._begun_at = self.next - epoch
        return max(self._begun_at + epoch, self.next - 1, 0)

    def _by_steps(self, step: int | None, epoch: int, begins_again: bool) -> int:  # noqa: FBT001
        if step is None:  # rare in a run whose first record knows its step
            return max(self.next - 1, 0) if epoch == self._epoch and self._epoch_is_open else self.next
        if step < self._step or (begins_again and step == self._step):
            self._begun_at = self.next
        self._step = step
        return max(self._begun_at + step - 1, self.next - 1, 0)
