"""The landing that rank 0 decides, on all ranks."""

from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.records import Landing


def agreed(pending: Landing | None, ranks: Ranks) -> Landing | None:
    """Return the landing that rank 0 is about to begin. Every rank calls this at the same hook.

    Args:
        pending: The landing that this rank is about to begin, or None. Only rank 0 decides.
        ranks: The processes of the run.
    """
    if ranks.size == 1:
        return pending
    mine = _numbers(pending) if ranks.rank == 0 and pending is not None else [0.0] * 7
    is_one, first_step, steps, epoch, last_epoch, steps_a_batch, from_factor = ranks.sum(mine)
    if not is_one:
        return None
    if pending is not None and ranks.rank == 0:
        return pending
    return Landing(
        first_step=int(first_step),
        steps=int(steps),
        epoch=int(epoch),
        last_epoch=None if last_epoch < 0 else int(last_epoch),
        steps_a_batch=int(steps_a_batch),
        from_factor=from_factor,
        reason="Rank 0 decided to land.",
    )


def agreed_step(step: int | None, ranks: Ranks) -> int | None:
    """Return the optimizer steps so far that rank 0 knows. Every rank calls this at the same hook.

    Args:
        step: The steps that this rank knows. None if unknown.
        ranks: The processes of the run.
    """
    mine = [1.0, float(step)] if ranks.rank == 0 and step is not None else [0.0, 0.0]
    is_known, steps = ranks.sum(mine)
    return int(steps) if is_known else None


def _numbers(landing: Landing) -> list[float]:
    return [
        1.0,
        float(landing.first_step),
        float(landing.steps),
        float(landing.epoch),
        -1.0 if landing.last_epoch is None else float(landing.last_epoch),
        float(landing.steps_a_batch),
        landing.from_factor,
    ]
