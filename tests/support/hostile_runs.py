"""Ledgers whose every text tries to become markup, as a log folder of strangers may hold them."""

from pathlib import Path

from green_callbacks.ledger import Head, Lines, closing_of
from green_callbacks.records import DeviceInfo, EpochRecord, History, Intensity, Plan, Verdict


def write_hostile_runs(folder: Path, texts: list[str]) -> list[Path]:
    """Write one run for each text, which stands in every field that a ledger has for texts.

    Args:
        folder: The log folder.
        texts: The texts.

    Returns:
        The ledgers.
    """
    return [_write(folder / f"run_{number}" / "green-callbacks", number, text) for number, text in enumerate(texts)]


def _write(folder: Path, number: int, text: str) -> Path:
    plain = text.encode("utf-8", "replace").decode()[:300]  # a reader refuses longer texts in a head
    head = Head(
        run_id=f"hostile-{number}",
        version=plain,
        plan=Plan(epochs=3),
        monitor=plain[:100],
        pue_source=plain,
        host=plain,
        devices={plain[:100]: DeviceInfo(uuid=plain, product=plain)},
        labels={plain[:100]: plain},
        versions={plain[:100]: plain},
    )
    place = Intensity(g_per_kwh=400.0, zone=plain[:50], name=plain, source=plain, found_by="argument", flags=(plain,))
    lines, history = Lines(), History()
    content = bytearray(lines.head(head))
    for epoch in range(3):
        metrics = {plain[:100]: 0.5 + 0.1 * epoch}
        record = EpochRecord.scripted(epoch=epoch, emissions_kg=0.1 * (number + 1), metrics=metrics)
        history.append(record._replace(intensity=place))
        content += lines.record(history[-1])
        content += lines.verdicts([Verdict(stop=epoch == 2, code="stopping", reason=plain)])
    content += lines.notice(plain[:100], plain)
    closing = closing_of(head.run_id, history, monitor=head.monitor, mode="max", stop_reason=plain)
    content += lines.end(plain, closing, len(content))
    folder.mkdir(parents=True)
    path = folder / f"{head.run_id}.jsonl"
    path.write_bytes(content)
    return path
