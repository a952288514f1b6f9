"""The queue of a node on disk: one row per instance, in SQLite, consistent after a kill at any moment.

    received -> screened -> forwarded,  and failed from either of the first two

A row is `received` when its file is on disk, `screened` when its results are, `forwarded` when they were accepted. A
worker claims a row before its next step. Claims end with the program: what it was at is done again.
"""

import sqlite3
import threading
import time
from dataclasses import dataclass, fields
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
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL,
    received REAL NOT NULL,
    changed REAL NOT NULL,
    is_claimed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS work_by_state ON work (state, not_before, number);
"""
_OLD_COLUMNS = {"tries": "attempts", "due": "not_before"}
"""Columns of queues that cxrnet 0.1 has made, and their names now."""


@dataclass(frozen=True)
class Job:
    """One row."""

    number: int  # counts up; people call the job by it
    name: str  # of its file and of its folder of results; made up here, never what was sent
    instance: str  # digest of its SOP Instance UID (see `cxrnet.node.log.digest`)
    sender: str  # AE title that sent it
    bytes: int  # size of its file
    state: State
    outcome: str  # `scored` or `refused` by the gate, once screened
    code: str  # why it failed, or why its last attempt did, for programs
    reason: str  # the same for people
    attempts: int  # how often the next step was started, this time included
    not_before: float  # time before which the next step is not started, in seconds since 1970
    received: float
    changed: float  # when its state last changed
    is_claimed: bool  # whether a worker has it


_COLUMNS = ", ".join(field.name for field in fields(Job))


class Queue:
    """The rows of one spool. It can be called from several threads; close it at the end."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a sender is only answered when it is on the disk
            self._migrate()
            self._connection.executescript(_TABLE)
        except sqlite3.Error as error:
            raise NodeError(
                f"{path}: cannot be used as a queue ({error}); free space, or choose another spool"
            ) from error

    def add(self, *, name: str, instance: str, sender: str, size: int) -> int:
        """Return the number of a new row, `received`, which is on the disk by then."""
        now = time.time()
        with self._lock:
            cursor = self._connection.execute(
                "INSERT INTO work (name, instance, sender, bytes, state, not_before, received, changed) "
                "VALUES (?, ?, ?, ?, 'received', ?, ?, ?)",
                (name, instance, sender, size, now, now, now),
            )
            self._changed.notify_all()
            return int(cursor.lastrowid or 0)

    def claim(self, state: State, *, seconds: float = 0.0) -> Job | None:
        """Return the next row in `state` that is due and not claimed, its attempt counted; None without one.

        Waits up to `seconds` for a change of the queue.

        Rows with fewer attempts go first, then older ones: an instance that ends the program at each attempt does not
        keep the others from being done after the restart.
        """
        statement = (
            "UPDATE work SET attempts = attempts + 1, is_claimed = 1 WHERE number = (SELECT number FROM work WHERE "
            f"state = ? AND NOT is_claimed AND not_before <= ? ORDER BY attempts, number LIMIT 1) RETURNING {_COLUMNS}"
        )
        with self._lock:
            found = self._jobs(statement, state, time.time())
            if not found and seconds:
                self._changed.wait(seconds)
                found = self._jobs(statement, state, time.time())
        return found[0] if found else None

    def release(self, number: int | None = None) -> None:
        """End the claim of a row, or those of all: the program that made them has ended."""
        self._run("UPDATE work SET is_claimed = 0 WHERE is_claimed AND number = coalesce(?, number)", (number,))

    def mark(self, number: int, state: State, *, outcome: str | None = None) -> None:
        """Move a row to its next state; resets the attempt counter."""
        now = time.time()
        self._run(
            "UPDATE work SET state = ?, outcome = coalesce(?, outcome), code = '', reason = '', attempts = 0, "
            "is_claimed = 0, not_before = ?, changed = ? WHERE number = ?",
            (state, outcome, now, now, number),
        )

    def fail(self, number: int, code: str, reason: str) -> None:
        """End a row with a reason."""
        self._run(
            "UPDATE work SET state = 'failed', code = ?, reason = ?, is_claimed = 0, changed = ? WHERE number = ?",
            (code, reason, time.time(), number),
        )

    def retry_later(self, number: int, code: str, reason: str, *, seconds: float, is_counted: bool = True) -> None:
        """Let a row wait before its next attempt, which is not counted unless `is_counted`, and note why."""
        self._run(
            "UPDATE work SET code = ?, reason = ?, not_before = ?, attempts = attempts - ?, is_claimed = 0 "
            "WHERE number = ?",
            (code, reason, time.time() + seconds, 0 if is_counted else 1, number),
        )

    def retry_failed(self, *, screened: frozenset[str]) -> int:
        """Queue failed rows again and return how many; those with results on the disk are only forwarded again."""
        rows = self.rows("failed")
        for row in rows:
            self.mark(row.number, "screened" if row.name in screened else "received")
        return len(rows)

    def rows(self, *states: State, limit: int = -1, newest: bool = False) -> list[Job]:
        """Return the rows that are in one of `states` (all by default), in the order they came."""
        where = f"state IN ({', '.join('?' * len(states or STATES))}) ORDER BY number {'DESC' if newest else 'ASC'}"
        return self._jobs(f"SELECT {_COLUMNS} FROM work WHERE {where} LIMIT ?", *(states or STATES), limit)

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

    def find(self, number: int) -> Job | None:
        """Return a row, None for an unknown number."""
        return next(iter(self._jobs(f"SELECT {_COLUMNS} FROM work WHERE number = ?", number)), None)

    def delete(self, number: int) -> Job | None:
        """Delete a row, whatever its state, and return it; None for an unknown number."""
        return next(iter(self._jobs(f"DELETE FROM work WHERE number = ? RETURNING {_COLUMNS}", number)), None)

    def delete_finished(self, *states: State, before: float) -> list[Job]:
        """Delete the rows in `states` that last changed before a time, and return them."""
        where = f"state IN ({', '.join('?' * len(states))}) AND changed < ?"
        return self._jobs(f"DELETE FROM work WHERE {where} RETURNING {_COLUMNS}", *states, before)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def _jobs(self, statement: str, *values: object) -> list[Job]:
        with self._lock:
            return [Job(*row) for row in self._connection.execute(statement, values).fetchall()]

    def _run(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock:
            self._connection.execute(statement, values)
            self._changed.notify_all()

    def _migrate(self) -> None:
        """Rename and add columns of a queue that an earlier version has made."""
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(work)").fetchall()}
        for old in _OLD_COLUMNS.keys() & columns:
            self._connection.execute(f"ALTER TABLE work RENAME COLUMN {old} TO {_OLD_COLUMNS[old]}")
        if columns and "is_claimed" not in columns:
            self._connection.execute("ALTER TABLE work ADD COLUMN is_claimed INTEGER NOT NULL DEFAULT 0")
