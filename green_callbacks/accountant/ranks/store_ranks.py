"""The processes of a run that agree over the store of their process group."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from green_callbacks.accountant.ranks.packing import added, packed, sparse, unpacked
from green_callbacks.accountant.ranks.store import Store, settled, values_of, waited

LEADER_SECONDS: Final = 300.0
"""Longest time, in s, that rank 0 waits for the other ranks. The shortest usual limit of training itself is 600 s."""
FOLLOWER_SECONDS: Final = 1800.0
"""Longest time, in s, that other ranks wait for rank 0, which may validate or save alone. It is torch's own default."""
ENDING_SECONDS: Final = 20.0
"""Longest time, in s, that rank 0 waits at the end of a run. A machine that is taken away leaves 30 s."""
LAST_SECONDS: Final = 2.0
"""Longest time, in s, that rank 0 waits at the end until all ranks have read the last answer. They read it at once."""
_FINISHED: Final = "finished"
"""Key of the number of ranks that have read the last answer."""
_ANSWER: Final = "all"
"""First word of an answer. The first word of the end of a common run is another one."""
_GATHER: Final = "gather"
"""Name of the rounds that gather values. The rounds that add vectors are named by their length."""


class StoreRanks:
    """The processes of a run, which agree in rounds over a store. No collective of the training is involved.

    In each round, rank 0 waits for the values of all ranks, and sets the answer. A rank that no longer waits sets the
    end of the common run in place of the answer. The first to set it wins, so all ranks go on alike. A rank that
    answers another round than the others, or leaves, or is gone, ends the common run, and the others go on alone.

    Args:
        store: The store, in which no other keys lie.
        rank: Number of this process, from 0.
        size: Number of processes.
        say: Warns that the processes have parted, with the reason as a sentence.
    """

    def __init__(self, store: Store, rank: int, size: int, say: Callable[[str], object]) -> None:
        self.rank, self.size = rank, size
        self.is_together = True
        """Whether all processes still answer one another."""
        self._store = store
        self._say = say
        self._round = 0
        self._leader_seconds = LEADER_SECONDS

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401  any plain JSON value
        """Return the values of all ranks, in their order. After a parting, only the own value is known."""
        values = self._agreed(_GATHER, json.dumps(value), lambda parts: f"[{','.join(parts)}]")
        return [value] * self.size if values is None else list(json.loads(values))

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the sum of the vectors of all ranks, in float64. After a parting, the own vector."""
        made: dict[str, list[float]] = {}

        def combined(parts: list[str]) -> str:
            total = added(parts, len(vector))
            text = packed(total)
            made[text] = total  # so that rank 0 need not read its own answer
            return text

        said = self._agreed(str(len(vector)), sparse(vector), combined)
        if said is None:
            return list(vector)
        return made[said] if said in made else unpacked(said)

    def hurry(self) -> None:
        """Wait for the other ranks for a short time only, because the run ends."""
        self._leader_seconds = ENDING_SECONDS

    def finish(self) -> None:
        """Wait until all ranks have read the last answer, because the store may lie in this process."""
        if not self.is_together:
            return
        self.is_together = False
        with suppress(RuntimeError):  # without a store, nobody waits for an answer either
            self._store.add(_FINISHED, 1)
            if self.rank == 0:
                waited(lambda: self._store.add(_FINISHED, 0) >= self.size, LAST_SECONDS)

    def leave(self) -> None:
        """Tell the other ranks that this one answers no more. It may be called again, from any thread."""
        if not self.is_together:
            return
        self.is_together = False
        text = _apart(f"Rank {self.rank} has left the common run, after an exception or without a close on all ranks.")
        with suppress(RuntimeError):  # without a store, the others learn it from the store themselves
            for number in (self._round, self._round + 1):  # the open round, if it is not answered yet, and the next
                settled(self._store, str(number), text)

    def _agreed(self, kind: str, mine: str, combined: Callable[[list[str]], str]) -> str | None:
        """Return the answer of a round, or None once the processes have parted."""
        if not self.is_together:
            return None
        self._round += 1
        text = f"{kind} {mine}"
        try:
            answer = self._led(kind, text, combined) if self.rank == 0 else self._followed(text)
        except RuntimeError as failure:  # of the store, whose errors have changed their class over the years
            answer = _apart(f"The store of torch.distributed failed ({failure}).")
        except BaseException:
            self.leave()
            raise
        what, _, said = answer.partition(" ")
        if what == _ANSWER:
            return said
        self.is_together = False
        self._say(said)
        return None

    def _led(self, kind: str, mine: str, combined: Callable[[list[str]], str]) -> str:
        """Wait for all ranks, and set the answer. Return the answer that counts."""
        store, key = self._store, str(self._round)
        others = [f"{key}/{rank}" for rank in range(1, self.size)]
        if waited(lambda: store.check(others) or store.check([key]), self._leader_seconds) and store.check(others):
            said = [text.partition(" ") for text in (mine, *values_of(store, others))]
            strays = [rank for rank, (other_kind, _, _) in enumerate(said) if other_kind != kind]
            text = _apart(_called_otherwise(strays)) if strays else f"{_ANSWER} {combined([part for *_, part in said])}"
            store.delete_key(str(self._round - 1))  # which all have read that have come to this round
        else:
            missing = [rank for rank, other in enumerate(others, start=1) if not store.check([other])]
            text = _apart(f"{_ranks(missing)} did not come within {self._leader_seconds:g} s.")
        return settled(store, key, text)

    def _followed(self, mine: str) -> str:
        """Give rank 0 the value of this rank. Return the answer."""
        store, key = self._store, str(self._round)
        store.set(f"{key}/{self.rank}", mine)
        if waited(lambda: store.check([key]), FOLLOWER_SECONDS):
            answer = bytes(store.get(key)).decode()
        else:
            answer = settled(store, key, _apart(f"Rank 0 did not come within {FOLLOWER_SECONDS:g} s."))
        store.delete_key(f"{key}/{self.rank}")
        return answer


def _apart(reason: str) -> str:
    return f"apart {reason}"


def _called_otherwise(ranks: Sequence[int]) -> str:
    return (
        f"{_ranks(ranks)} called the accountant in another order than rank 0. Call it on every rank at the same place, "
        "never inside `if rank == 0:`, and leave loops on every rank."
    )


def _ranks(numbers: Sequence[int]) -> str:
    few = ", ".join(map(str, numbers[:8]))
    return f"Rank {few}" if len(numbers) == 1 else f"Ranks {few}{', …' if len(numbers) > 8 else ''}"  # noqa: PLR2004
