"""Claims of small runs, and processes that make them at the same time."""

import os
import pickle
import traceback

from green_callbacks.registry import Claim
from support.forking import forked

EPOCH = 0.5


def claim(run_id="run", session="a", *, spent=0.0, under_way=0.0, wanted=0.0, limit=100.0, **more):
    """Return a claim with a large limit, which wants nothing."""
    return Claim(
        run_id=run_id, session=session, spent=spent, under_way=under_way, wanted=wanted, limit=limit, **more
    )  # fmt: skip


def spend_until_refused(url, run_id, limit):
    """Hold one epoch after the other as long as the registry grants it. Return what was spent."""
    from green_callbacks.registry.sql import SqlRegistry

    registry = SqlRegistry(url, "digits", "emissions_kg")
    spent = 0.0
    while registry.claim(claim(run_id, spent=spent, wanted=EPOCH, limit=limit)).is_granted:
        spent += EPOCH
    registry.claim(claim(run_id, spent=spent, limit=limit, is_ended=True))
    registry.close()
    return spent


def in_processes(work, arguments):
    """Run work at the same time in one forked process per tuple of arguments. Return the results in their order."""
    started = []
    for each in arguments:
        reading, writing = os.pipe()
        child = forked()
        if child == 0:
            os.close(reading)
            try:
                result = pickle.dumps(work(*each))
            except BaseException:  # noqa: BLE001  a fork must never return into the tests
                result = pickle.dumps(traceback.format_exc())
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(result)
            os._exit(0)
        os.close(writing)
        started.append((child, reading))
    results = []
    for child, reading in started:
        with os.fdopen(reading, "rb") as pipe:
            results.append(pickle.loads(pipe.read()))
        os.waitpid(child, 0)
    assert not any(isinstance(result, str) for result in results), results
    return results
