"""Reads a ledger, even if it is damaged."""

from pathlib import Path

from green_callbacks.ledger._line_replay import LineReplay
from green_callbacks.ledger.contents import LedgerContents
from green_callbacks.ledger.ledger_files import bounded_lines, opened
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


def read_ledger(path: str | Path) -> LedgerContents:
    """Read a ledger.

    Args:
        path: The file. An empty file, or a file that was cut within its head, is a ledger without records. To refuse
            such files, use :func:`green_callbacks.ledger.is_ledger` first.

    Returns:
        Its contents. Damaged lines are skipped, with one warning.

    Raises:
        LedgerError: The file does not exist, is not a ledger, or has another schema. Nothing else is raised.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from green_callbacks.ledger import Head, Lines
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "run.jsonl").write_bytes(Lines().head(Head(run_id="digits", version="0.1.0")))
        ...     read_ledger(Path(folder, "run.jsonl")).run_id
        'digits'
    """
    contents, remark = read_quietly(Path(path))
    if remark is not None:
        logger.warning("%s", remark)
    return contents


def read_quietly(path: Path) -> tuple[LedgerContents, str | None]:
    """Read a ledger without a warning.

    Args:
        path: The file.

    Returns:
        Its contents, and sentences about skipped lines and files. None instead of sentences if nothing was skipped.

    Raises:
        LedgerError: The file does not exist, is not a ledger, or has another schema.
    """
    replay = LineReplay(path)
    with opened(path) as file:
        for line in bounded_lines(file):
            replay.take(line)
    return replay.contents(), replay.remark()
