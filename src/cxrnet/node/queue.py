"""The queue of a node on disk: one row an instance, in SQLite, whole after a kill at any moment.

    received -> screened -> forwarded,  and failed from either of the first two

A row is `received` when its file is on disk, `screened` when its results are, `forwarded` when they were taken. What
was under way when the program ended is still in the state before, and is done again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cxrnet.errors import NodeError

State = Literal["received", "screened", "forwarded", "failed"]
STATES: tuple[State, ...] = get_args(State)

_TABLE = """
CREATE TABLE IF NOT EXISTS work (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL,
    sender TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'screened', 'forwarded', 'failed')),
    outcome TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    received REAL NOT NULL,
    changed REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS work_by_state ON work (state, due, number);
"""
_COLUMNS = "number, name, instance, sender, bytes, state, outcome, code, reason, tries, due, received, changed"


@dataclass(frozen=True)
class Work:
    """One row.

    Attributes:
        number: Counts up; what people call it by.
        name: Of its file and of its folder of results; made up here, never what was sent.
        instance: Digest of its SOP Instance UID (see `cxrnet.node.spool.digest`).
        sender: AE title that sent it.
        bytes: Size of its file.
        state: Where it is.
        outcome: `scored` or `refused` by the gate, once screened.
        code: Why it failed, or was last sent back, for programs.
        reason: The same for people.
        tries: Times that the next step was begun.
        due: Time before which the next step is not begun, in seconds since 1970.
        received: When it came.
        changed: When its state last changed.
    """

    number: int
    name: str
    instance: str
    sender: str
    bytes: int
    state: State
    outcome: str
    code: str
    reason: str
    tries: int
    due: float
    received: float
    changed: float


class Queue:
    """The rows of one spool. It can be called from several threads; close it at the end.

    Args:
        path: The database; it is made where there is none.

    Raises:
        NodeError: It cannot be opened, or is no queue.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a sender is only told when it is on the disk
            self._connection.executescript(_TABLE)
        except sqlite3.Error as error:
            msg = f"{path}: cannot be used as a queue ({error}); free space, or choose another spool"
            raise NodeError(msg) from error

    def add(self, *, name: str, instance: str, sender: str, size: int) -> int:
        """Return the number of a new row, `received`, which is on the disk by then."""
        now = time.time()
        with self._lock:
            cursor = self._connection.execute(
                "INSERT INTO work (name, instance, sender, bytes, state, due, received, changed) "
                "VALUES (?, ?, ?, ?, 'received', ?, ?, ?)",
                (name, instance, sender, size, now, now, now),
            )
            return int(cursor.lastrowid or 0)

    def begin(self, state: State, *, but: frozenset[int] = frozenset()) -> Work | None:
        """Return the next row that is `state` and due, one more try noted; None where there is none.

        Rows that were tried less often go first, then older ones: what ends the program each time it is tried does
        not keep the others from being done after the restart.

        Args:
            state: Where it is.
            but: Numbers that are already under way.
        """
        with self._transaction():
            rows = self._select(
                "state = ? AND due <= ? ORDER BY tries, number LIMIT ?", state, time.time(), len(but) + 1
            )
            found = next((row for row in rows if row.number not in but), None)
            if found is not None:
                self._connection.execute("UPDATE work SET tries = tries + 1 WHERE number = ?", (found.number,))
        return found

    def advance(self, number: int, state: State, *, outcome: str | None = None) -> None:
        """Move a row on; its attempts start at zero."""
        now = time.time()
        self._run(
            "UPDATE work SET state = ?, outcome = coalesce(?, outcome), code = '', reason = '', tries = 0, due = ?, "
            "changed = ? WHERE number = ?",
            (state, outcome, now, now, number),
        )

    def fail(self, number: int, code: str, reason: str) -> None:
        """End a row with a reason."""
        self._run(
            "UPDATE work SET state = 'failed', code = ?, reason = ?, changed = ? WHERE number = ?",
            (code, reason, time.time(), number),
        )

    def postpone(self, number: int, code: str, reason: str, *, seconds: float, is_counted: bool = True) -> None:
        """Let a row wait before the next try, and note why.

        Args:
            number: Its number.
            code: Why, for programs.
            reason: The same for people.
            seconds: How long.
            is_counted: Whether this try counts.
        """
        self._run(
            "UPDATE work SET code = ?, reason = ?, due = ?, tries = tries - ? WHERE number = ?",
            (code, reason, time.time() + seconds, 0 if is_counted else 1, number),
        )

    def retry(self, *, screened: frozenset[str]) -> int:
        """Put failed rows back in the line and return how many.

        Args:
            screened: Names whose results are on the disk: these are only forwarded again.
        """
        now, rows = time.time(), self.rows("failed")
        with self._transaction():
            for row in rows:
                state = "screened" if row.name in screened else "received"
                self._connection.execute(
                    "UPDATE work SET state = ?, code = '', reason = '', tries = 0, due = ?, changed = ? "
                    "WHERE number = ?",
                    (state, now, now, row.number),
                )
        return len(rows)

    def rows(self, *states: State, limit: int = -1, newest: bool = False) -> list[Work]:
        """Return the rows that are in one of `states` (all where none is named), in the order they came."""
        places = ", ".join("?" * len(states or STATES))
        order = "DESC" if newest else "ASC"
        with self._lock:
            return self._select(f"state IN ({places}) ORDER BY number {order} LIMIT ?", *(states or STATES), limit)

    def counts(self) -> dict[State, int]:
        """Return how many rows are in each state."""
        with self._lock:
            found = dict(self._connection.execute("SELECT state, count(*) FROM work GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def reasons(self) -> list[tuple[str, int]]:
        """Return the codes of the failed rows and how often each is, most frequent first."""
        with self._lock:
            return self._connection.execute(
                "SELECT code, count(*) FROM work WHERE state = 'failed' GROUP BY code ORDER BY 2 DESC, 1"
            ).fetchall()

    def waiting(self) -> int:
        """Return how many rows wait for a step."""
        with self._lock:
            found = self._connection.execute("SELECT count(*) FROM work WHERE state IN ('received', 'screened')")
            return int(found.fetchone()[0])

    @property
    def changes(self) -> int:
        """Rows written since the queue was opened: while it stays the same, so do the rows."""
        return self._connection.total_changes

    def find(self, number: int) -> Work | None:
        """Return a row, None where there is none of this number."""
        with self._lock:
            return next(iter(self._select("number = ?", number)), None)

    def delete(self, number: int) -> Work | None:
        """Delete a row, whatever its state, and return it; None where there is none of this number."""
        with self._transaction():
            found = self._select("number = ?", number)
            self._connection.execute("DELETE FROM work WHERE number = ?", (number,))
        return next(iter(found), None)

    def forget(self, *states: State, before: float) -> list[Work]:
        """Delete the rows in `states` that last changed before a time, and return them."""
        places = ", ".join("?" * len(states))
        with self._transaction():
            gone = self._select(f"state IN ({places}) AND changed < ? ORDER BY number", *states, before)
            self._connection.execute(f"DELETE FROM work WHERE state IN ({places}) AND changed < ?", (*states, before))
        return gone

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _select(self, condition: str, *values: object) -> list[Work]:
        found = self._connection.execute(f"SELECT {_COLUMNS} FROM work WHERE {condition}", values)
        return [Work(*row) for row in found.fetchall()]

    def _run(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock:
            self._connection.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of the block, or nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
