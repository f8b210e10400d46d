"""The format of a ledger, schema 2: an append-only file of JSON lines.

Every line is an object with a ``type``. The first line is a head. Its first bytes are :data:`HEAD`. Readers pass over
fields and types that they do not know. An absent field is None, unless a default is given here.

``run``: the head. A process begins the run, or goes on with it, and a *stretch* begins.
    - ``schema``: 2. ``run_id``: a plain name. ``version``: of the package.
    - ``plan``: the fields of the plan that are known.
    - ``monitor``, ``mode`` (``max`` or ``min``), ``pue_source``, ``host``.
    - ``devices``: ``uuid``, ``product`` and ``default_limit_watts``, by the name of the device.
    - ``labels``, ``versions``: texts by name.
``devices``: a set of devices.
    - ``set``: its number, which is 1,000 times the number of the stretch, plus its place in the stretch.
    - ``devices``: a list of ``[name, component, method, tolerance, flags]``.
``record``: one record.
    - ``set``: its devices. ``epoch``, ``step``, ``closes_epoch`` (default true), ``complete`` (default true).
    - ``at``: its beginning, in ISO 8601 with a time zone. ``seconds``: its length.
    - ``joules``, ``low``, ``high``, ``gaps``: lists of a number (J, gaps in s) or null for each device of the set.
    - ``phases``: ``[joules, seconds]`` by name. Where seconds are absent, they are those of the record.
    - ``intensity``, ``pue``: where absent, those of the line before it in the same stretch.
    - ``metrics``: numbers by name. ``"nan"``, ``"inf"`` and ``"-inf"`` stand for what JSON does not know.
    - ``learning_rate``, ``samples``, ``tokens``, ``flops``.
``heartbeat``: what has been used since the last record, as a record.
    Counts only if no record follows. It is then the last that is known of a process that was killed.
``verdicts``: what the policies said after the record before it.
    - ``values``: for each policy, the list of its numbers, with six digits.
    - ``changed``: for each policy of which more than numbers changed: ``policy`` (its place), ``code``, ``stop``,
      ``names`` (of its numbers), and ``reason``, where code or stop changed.
    Verdicts are functions of the records, so no reader needs this line.
``rewind``: the run was resumed after ``step`` and does ``epoch`` and all later ones again.
    What was recorded of them beyond was used all the same. It counts as outside epochs.
``plan``: a ``plan`` that became known, or changed.
``checkpoints``: the files of the front of a metric that are kept, from here on.
    - ``monitor``, ``mode``.
    - ``files``: by path, the position of its record among those that the file reads back as. Files in the folder of
      the ledger or beside it go by a path from there, so that all can be moved together.
``notice``: what could not act, be measured or be kept.
    - ``key``: what it is about. Of one key, the last line counts.
    - ``text``: the sentence or two. Where it is absent, what was said of the key no longer holds.
``end``: the run was closed.
    - ``stop_reason``.
    - ``offset``: where this line begins, in bytes.
    - ``closing``: the totals, as :mod:`green_callbacks.ledger.closing_line` writes them. They are a cache.
      The records stay the truth.
"""

from typing import Final, get_args

from green_callbacks.records import Method
from green_callbacks.records.intensity import FoundBy

SCHEMA: Final = 2
HEAD: Final = b'{"type":"run","schema":'
"""The first bytes of every ledger."""

VERDICTS: Final = b'{"type":"verdicts",'
"""The first bytes of a line that no reader needs."""

SETS_PER_STRETCH: Final = 1_000
"""How many sets of devices a stretch may name before another number stands for it."""

METHODS: Final = frozenset(get_args(Method))
FOUND_BY: Final = frozenset(get_args(FoundBy))
PHASES: Final = frozenset({"train", "validation", "test", "predict", "other"})
"""All phases that the accountant knows."""

NOT_FINITE: Final = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
"""Numbers that JSON does not know, by the texts that stand for them."""

PLAN_COUNTS: Final = ("epochs", "min_epochs", "steps", "epoch_steps")
PLAN_AMOUNTS: Final = ("seconds", "emissions_kg")
PLAN_SPENT: Final = ("spent_before_kg", "spent_before_kwh")
PLAN_FLAGS: Final = ("anneals", "schedule_unreadable")
PLAN_DROPS: Final = "learning_rate_drops"
"""The fields of a plan, by what they hold."""
