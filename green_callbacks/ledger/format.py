"""The format of a ledger is JSON lines, in a file that only grows. This is schema 2.

Every line is a JSON object with a ``type``. The file begins with a ``run`` line, whose first bytes are :data:`HEAD`.
Readers ignore types and fields that they do not know. An absent field means None, unless the table gives a default.

The lines that one process writes are a *session*. A session begins with a ``run`` line. In a session, a line leaves out
the intensity and the PUE if they have not changed, and refers to its devices by number.

```
{"type":"run","schema":2,"run_id":"20260801T120000-1a2b3c","version":"0.1.0","plan":{"epochs":2}, …}
{"type":"devices","set":4711000,"devices":[["gpu0","gpu","counter",0.0,[]]]}
{"type":"record","set":4711000,"epoch":0,"at":"2026-08-01T12:00:01Z","seconds":60.0,"joules":[18000.0], …}
{"type":"end","stop_reason":null,"offset":1234,"closing":{"rows":1,"epochs":1, …}}
```

# Line types

| type | content |
|---|---|
| `run` | A process begins or resumes the run. |
| `devices` | A set of devices. Records refer to it by number. |
| `record` | The energy, emissions and metrics of an epoch, of a part of one, or of time outside epochs. |
| `heartbeat` | What was used since the last record. At most one a minute. |
| `verdicts` | What the policies said about the record before it. |
| `rewind` | The run was resumed from a checkpoint and repeats epochs. |
| `plan` | The plan became known or changed. |
| `checkpoints` | The checkpoint files that `FrontCheckpoint` keeps from here on. |
| `notice` | Something cannot act, be measured or be kept, or this is over. |
| `end` | The run was closed. |

## `run`

| field | unit or type | meaning |
|---|---|---|
| `schema` | count | Version of this format: 2. |
| `run_id` | text | Name of the run: at most 100 letters, digits, dots, dashes and underscores. |
| `version` | text | Version of the package. |
| `plan` | object | The fields of a `plan` line that are known now. Default: none. |
| `monitor` | text | Key of the watched metric. |
| `mode` | text | `max` or `min`: which way the metric improves. Default: `max`. |
| `pue_source` | text | Where the PUE comes from. Default: `not known`. |
| `host` | text | Name of the machine. Default: empty. |
| `devices` | object | By name of the device: `uuid` (text), `product` (text), `default_limit_watts` (W). |
| `labels` | object | Texts that the user gave the run, by name. |
| `versions` | object | Versions of Python and of the frameworks, by name. |
| `budgets` | list | The budgets of the run. Default: none. |
| `budgets[].kg` | kgCO2e | Limit of a budget of emissions. |
| `budgets[].kwh` | kWh | Limit of a budget of facility energy. |
| `budgets[].project` | text | Folder or glob pattern of the runs that share the budget. |
| `parent` | text | Name of the run of `green-callbacks run` inside which this process runs. |
| `ancestors` | list of text | The runs inside which that run runs, the nearest first. Default: none. |
| `earlier` | list of lists of text | For each earlier process, the runs inside which it ran. Default: none. |
| `hosts` | object | Identity of each machine of the run so far, by its name. Its containers have the same. |
| `process` | text | Identity of the process. Runs of one process divide the energy of a device among them. |

The energy of a run is also in the energy of its `parent`, if both have the same `host`. A sum counts it once.

## `devices`

| field | unit or type | meaning |
|---|---|---|
| `set` | count | Number of the set: 1,000 times the number of the session, plus a count from 0. |
| `devices` | list | One `[name, component, method, tolerance, flags]` per device. Absent beside `like`. |
| `like` | count | A set before with the same names and components. Only for more than 64 devices. |
| `methods`, `tolerances` | runs of text, of ratios | What differs from that set, device by device. Default: the same. |
| `flags` | runs of lists of text | The flags where they differ. Default: the same. |

The tolerance is the systematic relative error of the device, for example 0.05 for ±5 %. The method is `counter`,
`sampled` or `modelled`.

## `record` and `heartbeat`

| field | unit or type | meaning |
|---|---|---|
| `set` | count | The set of devices. |
| `epoch` | count | Index of the epoch. Absent outside epochs. |
| `step` | count | Optimizer steps at the end of the record. |
| `closes_epoch` | true, false | Whether the epoch ends with this record. Default: true. |
| `complete` | true, false | Whether the epoch ran to its end. Default: true. |
| `at` | ISO 8601, UTC | When the record begins. |
| `seconds` | s | Length of the record. |
| `joules` | column of J | Energy of each device of the set. Null where it was not measured. |
| `low`, `high` | column of J | Bounds of that energy, device by device. |
| `gaps` | column of s | Time in which a device could not be read. Default: 0. |
| `phases` | object | `[joules, seconds]` by phase, in J and s. Default of the seconds: those of the record. |
| `intensity` | object | Carbon intensity, with `g_per_kwh` in gCO2e/kWh. Default: that of the line before. |
| `pue` | ratio ≥ 1 | Power usage effectiveness. Default: that of the line before. |
| `metrics` | object | Values that were fresh in this record, by key. |
| `learning_rate` | number | Learning rate at the end. |
| `samples`, `tokens` | count | Training samples and tokens seen. |
| `flops` | operations | Floating-point operations of the training. |
| `steps` | count | Optimizer steps done in this record. |
| `data_wait_seconds` | s | Time that training waited for its next batch, estimated from every 47th step. |
| `activity` | list of lists | What each device of the set did besides using energy. Null where it was not observed. |
| `activity[][0]` | s | Time in which it was observed. |
| `activity[][1]` | 0 to 1 | Share of that time in which a kernel ran. |
| `activity[][2]`, `activity[][3]` | MHz, °C | Mean clock of the multiprocessors, mean temperature. |
| `activity[][4]` | 0 to 1 | Share of that time in which clocks were lowered for any of the next three reasons. |
| `activity[][5]`, `activity[][6]` | 0 to 1 | Share with a chip that was too hot, and share at the power limit. |
| `activity[][7]` | 0 to 1 | Share with a brake of the power supply. |
| `activity[][8]` | W | Power limit in force at the end. |

The lists of an activity leave out unknown values at their end, and devices at the end of the set. An activity is
recorded for at most 64 devices.

A record of more than 64 devices has columns of another form. `{"runs":[[1535,0.0],[1,2.5]]}` is 1,535 times 0.0 and
once 2.5. A text is base64 of the numbers in float64, the least byte first, with a NaN for null.

JSON has no NaN and no infinities. The texts `"nan"`, `"inf"` and `"-inf"` stand for them.
The fields of an intensity are described by `green_callbacks.records.Intensity`.
A heartbeat counts only if no record of its process follows. It then holds the last that is known of a killed process.

## `verdicts`

| field | unit or type | meaning |
|---|---|---|
| `values` | list | For each policy, the list of its numbers, rounded to six digits. |
| `changed` | list | One object for each policy whose code, `stop` or names of numbers changed. |
| `changed[].policy` | count | Index of the policy. |
| `changed[].code` | text | State of the policy: `waiting`, `active`, `warning`, `landing` or `stopping`. |
| `changed[].stop` | true, false | Whether the policy wants to stop. |
| `changed[].names` | list of text | Names of its numbers, in the order of `values`. |
| `changed[].reason` | text | Why. Only where code or `stop` changed. |

Verdicts can be computed again from the records, so no reader needs these lines.

## `rewind`

| field | unit or type | meaning |
|---|---|---|
| `epoch` | count | The first epoch that is repeated. |
| `step` | count | Optimizer steps of the checkpoint. |

Records of that epoch and of later epochs, beyond that step, become rows outside epochs. Their energy still counts.

## `plan`

| field | unit or type | meaning |
|---|---|---|
| `plan.epochs`, `plan.min_epochs` | epochs | Planned epochs, and epochs before which the framework does not stop. |
| `plan.steps`, `plan.epoch_steps` | steps | Optimizer steps of the run, and of one epoch. |
| `plan.min_steps` | steps | Optimizer steps before which the framework does not stop. |
| `plan.seconds` | s | Planned time. |
| `plan.emissions_kg` | kgCO2e | Planned emissions. |
| `plan.learning_rate_drops` | list of epochs | Epochs at which the learning rate falls to half or less. |
| `plan.anneals` | true, false | Whether the learning rate ends near zero. Default: false. |
| `plan.schedule_unreadable` | true, false | Whether a learning-rate schedule cannot be read ahead. Default: false. |
| `plan.spent_before_kg` | kgCO2e | What other runs have spent of the same budget. Default: 0. |
| `plan.spent_before_kwh` | kWh | The facility energy that they have spent. Default: 0. |
| `plan.shared` | list | What the other runs of a project have spent and hold. Default: none. |
| `plan.shared[].project` | text | The project, as the budget names it. |
| `plan.shared[].spent_kg`, `plan.shared[].spent_kwh` | kgCO2e, kWh | What the other runs have spent. |
| `plan.shared[].held_kg`, `plan.shared[].held_kwh` | kgCO2e, kWh | What they hold beyond that. |
| `plan.shared[].withheld_kg`, `plan.shared[].withheld_kwh` | kgCO2e, kWh | A rest that this run may not use. |
| `plan.shared[].limit_kg`, `plan.shared[].limit_kwh` | kgCO2e, kWh | The budget that was set for all runs. |
| `plan.landing.first_step`, `plan.landing.steps` | steps | Optimizer steps before the landing, and its length. |
| `plan.landing.epoch` | index | Epoch after which, or in which, the landing began. |
| `plan.landing.last_epoch` | index | Epoch after which training stops. Absent where it stops inside an epoch. |
| `plan.landing.steps_a_batch` | steps | Optimizer steps of a batch. |
| `plan.landing.from_factor` | 0 to 1 | Factor of the learning rate at the beginning of the landing. |
| `plan.landing.reason` | text | Why training stops at the end of the landing. |
| `plan.landing.begun_step` | steps | Steps when the longer landing began that this landing replaces. |
| `plan.landing_refused` | true, false | Whether the loop cannot scale its learning rate. Default: false. |

A session that trains no epoch, such as a final test, keeps the landing of the session before it.

## `checkpoints`

| field | unit or type | meaning |
|---|---|---|
| `monitor` | text | Key of the metric. |
| `mode` | text | `max` or `min`: which way the metric improves. |
| `files` | object | By path or URL of the file: the index of its record in the history that this file reads back as. |

A path in the folder of the ledger, or in a folder beside it, is relative to the folder of the ledger. So the ledger and
its checkpoints can be moved together.

## `notice`

| field | unit or type | meaning |
|---|---|---|
| `key` | text | What the notice is about. For each key, the last line counts. |
| `text` | text | One or two sentences. Absent where the notice no longer holds. |

## `end`

| field | unit or type | meaning |
|---|---|---|
| `stop_reason` | text | Why a policy ended the run. |
| `offset` | bytes | Where this line begins in the file. A reader trusts `closing` only if this is true. |
| `closing.run_id` | text | Name of the run. |
| `closing.rows`, `closing.epochs` | count | Number of records, and of finished epochs. |
| `closing.seconds` | s | Accounted time. |
| `closing.joules` | J | Energy of the IT equipment. |
| `closing.facility_kwh` | kWh | Energy of the facility, PUE included. |
| `closing.kg`, `closing.low_kg`, `closing.high_kg` | kgCO2e | Emissions and their bounds. |
| `closing.measured_share` | 0 to 1 | Share of the energy that was measured. |
| `closing.samples`, `closing.tokens` | count | Training samples and tokens seen. |
| `closing.effort` | list | `[count, amount, low, high]` of training, for the records with such a count. |
| `closing.flops` | operations | Floating-point operations of the training. |
| `closing.steps` | count | Optimizer steps of the last fit. |
| `closing.devices` | object of J | Energy by device. Empty where there are more than eight devices. |
| `closing.zone` | text | Zone of the last record's electricity. |
| `closing.monitor`, `closing.mode` | text | The watched or first validation metric, and which way it improves. |
| `closing.front` | list | `[kgCO2e, value, epoch]` of each new best value of the metric, thinned. |
| `closing.curve` | list | `[kgCO2e, value, epoch]` at the end of each epoch, thinned. |
| `closing.uniform` | true, false | Whether devices, intensity and PUE are the same in all records. Default: false. |
| `closing.head` | bytes | Where the last head of the file begins. |

The four entries of `closing.effort` are steps, samples and tokens with their energy in J, and floating-point operations
with their emissions in gCO2e. An entry is null without such a count. The energy is that of the phase `train`.

The closing is a cache of sums. The records stay the truth.

>>> from green_callbacks.ledger import SCHEMA
>>> SCHEMA
2
"""

from typing import Final

SCHEMA: Final = 2
"""Version of the format, written into every head. Readers refuse any other version."""

HEAD: Final = b'{"type":"run","schema":'
"""First bytes of every ledger."""

VERDICTS: Final = b'{"type":"verdicts",'
"""First bytes of a ``verdicts`` line, which readers skip."""

ALTERABLE: Final = ("methods", "tolerances", "flags")
"""Columns in which a set of devices may differ from the set that it is like."""

SETS_PER_SESSION: Final = 1_000
"""Number of sets of devices that a session may name before it takes a new number."""

PHASES: Final = frozenset({"train", "validation", "test", "predict", "other"})
"""All phases that the accountant knows."""

NOT_FINITE: Final = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
"""Numbers that JSON does not know, by the texts that stand for them."""

PLAN_COUNTS: Final = ("epochs", "min_epochs", "min_steps", "steps", "epoch_steps")
PLAN_AMOUNTS: Final = ("seconds", "emissions_kg")
PLAN_SPENT: Final = ("spent_before_kg", "spent_before_kwh")
PLAN_FLAGS: Final = ("anneals", "schedule_unreadable", "landing_refused")
PLAN_SHARED: Final = "shared"
PLAN_DROPS: Final = "learning_rate_drops"
PLAN_LANDING: Final = "landing"
"""The fields of a plan, grouped by the kind of value that they hold."""
