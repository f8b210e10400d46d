"""Processes of a run, played by threads: every collective waits for all of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from math import fsum, isnan, nan

LONG_SECONDS = 30.0


class ThreadRanks:
    """The view of one rank."""

    def __init__(self, rank, size, barrier, board):
        self.rank, self.size = rank, size
        self._barrier, self._board = barrier, board

    def gather(self, value):
        self._board[self.rank] = value
        self._barrier.wait(LONG_SECONDS)
        values = [self._board[rank] for rank in range(self.size)]
        self._barrier.wait(LONG_SECONDS)
        return values

    def sum(self, vector):
        vectors = self.gather(list(vector))
        assert len({len(each) for each in vectors}) == 1
        return [
            nan if any(isnan(number) for number in numbers) else fsum(numbers) for numbers in zip(*vectors, strict=True)
        ]


def on_ranks(size, body):
    """Run ``body(ranks)`` on every rank at once; return what each returned, or raise what one raised."""
    barrier, board = threading.Barrier(size), {}

    def one(rank):
        try:
            return body(ThreadRanks(rank, size, barrier, board))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return [done.result(LONG_SECONDS) for done in [pool.submit(one, rank) for rank in range(size)]]
