"""States of checkpoints that nobody has written: types, values, lengths and keys go wrong, by a seed."""

import copy
import json
import random
import zlib
from array import array
from base64 import b64encode

from green_callbacks import EpochRecord, History
from green_callbacks.records import Landing, PhaseEnergy, Plan
from green_callbacks.records.history.state.thinning import MOST_EPOCHS
from green_callbacks.records.plan import encode_plan
from support.scripted_run import GERMANY, device, record

_NUMBERS = array("d", [1.0, float("nan"), float("inf"), -1e308, 1e308, 0.0])


def _packed(raw):
    return b64encode(zlib.compress(raw)).decode()


VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3,
    2**31,
    2**63,
    10**30,
    10**400,
    0.5,
    -0.0,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "x",
    "1",
    "é\udcff\x1b[2J",
    "=" * 5,
    "x" * 100_000,
    [],
    [[]],
    [None],
    [1, "x"],
    ["x"] * 9,
    {},
    {"all": 0, "n": 10**12},
    {"": {"": {}}},
    [{}, [], [[]]],
    b"bytes",
    {1: 2},
    {None: 1},
    _packed(b""),
    _packed(b"\0"),
    _packed(b"\0" * 10_000_000),
    _packed(_NUMBERS.tobytes()),
    _packed(array("i", [5, 4, 3, -1, 2**31 - 1]).tobytes()),
    _packed(b"\xff" * 4096),
)


def _deep(depth):
    nested = []
    for _ in range(depth):
        nested = [nested]
    return nested


def _bomb(kind):
    """An object that whoever looks into it without care pays for."""
    return {"deep": _deep(100_000), "wide": [0] * 200_000, "names": {str(at): 0 for at in range(200_000)}}[kind]


def _records(count):
    other = GERMANY.__class__(g_per_kwh=50.0, source="x", found_by="provider", flags=("stale",))
    for epoch in range(count):
        if epoch % 7 == 0:
            yield record(None, devices={}, intensity=other)
        yield record(
            epoch % (count - 2),
            devices={"gpu:0": device(5.0 + epoch, gap_seconds=epoch % 2), "cpu:0": device(None)},
            phases={"train": PhaseEnergy(1.0, 2.0), "validation": PhaseEnergy(None, 1.0)},
            metrics={"val_acc": epoch / count, **({"odd": 1.0} if epoch % 2 else {})},
            learning_rate=0.1 / (1 + epoch // 3),
            step=epoch * 10,
            samples=7,
            tokens=9,
            flops=1e9,
            data_wait_seconds=1.5,
            closes_epoch=epoch % 5 > 0,
        )


def whole_state():
    """A state with something in every column."""
    return json.loads(json.dumps(History(_records(12)).to_columns()))


def thinned_state():
    """A state of so long a run that it is thinned."""
    epochs = (EpochRecord.scripted(epoch=at, emissions_kg=1e-3, metrics={"a": at}) for at in range(MOST_EPOCHS + 2))
    return json.loads(json.dumps(History(epochs).to_columns()))


def plan_state():
    """A plan with something in every field."""
    landing = Landing(first_step=6, steps=3, epoch=2, last_epoch=3, from_factor=0.9, reason="Enough.")
    limits = {"epochs": 5, "min_epochs": 1, "min_steps": 1, "steps": 9, "seconds": 3.0, "emissions_kg": 0.5}
    plan = Plan(**limits, learning_rate_drops=(2, 3), landing=landing)
    return json.loads(json.dumps(encode_plan(plan)))


def damaged(state, seed):
    """Return a copy of a state in which some places went wrong.

    Args:
        state: What a checkpoint holds.
        seed: Says where and how.
    """
    chance = random.Random(seed)
    if chance.random() < 0.03:
        return chance.choice([*VALUES, _bomb("deep"), _bomb("wide"), _bomb("names")])
    changed = copy.deepcopy(state)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        _damage(changed, chance)
    return changed


def _damage(state, chance):
    places = list(_places(state))
    if not places:
        return
    holder, key = chance.choice(places)
    kind = chance.randrange(10)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = holder[chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))]
    elif kind == 2:
        holder[key] = _bomb(chance.choice(["deep", "wide", "names"]))
    elif kind == 3 and isinstance(holder, dict):
        holder[chance.choice(["", "x", "rows", "fine", "all", "é"])] = copy.deepcopy(chance.choice(VALUES))
    elif kind <= 6 and isinstance(holder[key], str):
        holder[key] = _altered(holder[key], chance)
    else:
        holder[key] = copy.deepcopy(chance.choice(VALUES))


def _altered(text, chance):
    """Change what a packed column holds, or the text itself."""
    at = chance.randrange(len(text) + 1)
    match chance.randrange(4):
        case 0:
            return text[:at]
        case 1:
            return text[:at] + chance.choice("A=/+\n é0") + text[at + 1 :]
        case 2:
            return text + text
    values = [chance.choice([0, 1, -1, 2**31 - 1, -(2**31)]) for _ in range(chance.randrange(60))]
    return _packed(array("i", values).tobytes() if chance.random() < 0.5 else _NUMBERS[: len(values)].tobytes())


def _places(state):
    """Go through all that a state holds: every holder with every key."""
    stack = [state]
    while stack:
        holder = stack.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        if len(keys) > 1000:  # a bomb: once is enough
            continue
        for key in keys:
            yield holder, key
            stack.append(holder[key])
