"""How the claims of a session follow one another, and how they follow the earlier sessions of the run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from green_callbacks.registry.files.known_runs import Known
from green_callbacks.registry.files.told_sessions import Told
from green_callbacks.registry.protocol import Claim

_ROUNDING: Final = 1e-9
"""Share of an amount below which a difference is a rounding error of sums. No unit, by experiment."""


def first_told(claim: Claim, known: Known) -> Told:
    """Return what a session tells with its first claim, before it asks for anything.

    What the earlier sessions of the run have told and held counts as spent. The offset makes up for what the first
    total of the session lacks of it. It deducts what that total repeats.

    Args:
        claim: The first claim of the session.
        known: What is known before the claim.
    """
    earlier = known.sessions_of(claim.run_id).values()
    counted = sum(
        told.spent + told.offset + (0.0 if told.has_ended(known.kept.ends) else told.held) for told in earlier
    )
    entry = known.kept.entries.get(claim.run_id)
    before = max(counted, entry.spent if entry else 0.0)
    order = max((told.order for told in earlier), default=0) + 1
    offset = max(claim.spent, before) - claim.spent - counted
    return Told(
        run_id=claim.run_id,
        session=claim.session,
        order=order,
        number=0,
        offset=offset if abs(offset) > _ROUNDING * before else 0.0,
        spent=claim.spent,
        under_way=0.0,
        wanted=0.0,
        limit=claim.limit,
    )


def next_told(claim: Claim, last: Told | None, known_before: Callable[[], Known]) -> Told:
    """Return what a session tells with a claim, before it asks for anything.

    Args:
        claim: The claim. A total below an earlier total of the session has arrived late, and changes nothing.
        last: What this process has told last for the session. None for its first claim.
        known_before: Returns what is known before the claim.
    """
    if last is None:
        known = known_before()
        last = known.sessions_of(claim.run_id).get((claim.run_id, claim.session)) or first_told(claim, known)
    return replace(
        last,
        number=last.number + 1,
        spent=max(last.spent, claim.spent),
        under_way=claim.under_way,
        wanted=0.0,
        limit=claim.limit,
        is_asking=False,
        is_ended=claim.is_ended,
        epoch_cost=last.epoch_cost if claim.epoch_cost is None else claim.epoch_cost,
        host=claim.host,
        ledger=claim.ledger,
        told_at=0.0,
    )
