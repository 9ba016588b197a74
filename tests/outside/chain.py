"""The hash chain, computed a second time: in Python, with the blake3 package, from the plain rows of two tables.

It follows docs/hash-chain.md and shares nothing with the extension, so an auditor can read it and run it against a
database whose extension he does not trust. `problems` returns one line for each hash that does not come out.
"""

import json
from dataclasses import dataclass

from blake3 import blake3

TAG = b"layra-event-1"
FIRST_PREVIOUS = bytes(32)

EVENTS = """
    SELECT version, type, payload::text, payload_hash, changed, cells_hash, actor, on_behalf_of,
           (extract(epoch FROM at) * 1000000)::bigint, idempotency_key, checkpoint_kind, checkpoint_label, hash
      FROM layra.event WHERE run_id = %s ORDER BY version
"""
CELLS = """
    SELECT version, scope, key, ordinal, value::text, hash, base
      FROM layra.cell WHERE run_id = %s ORDER BY version
"""


@dataclass
class Event:
    version: int
    type: str
    payload: str | None
    payload_hash: bytes
    changed: list
    cells_hash: bytes
    actor: str
    on_behalf_of: str | None
    at: int
    idempotency_key: str | None
    checkpoint_kind: str | None
    checkpoint_label: str | None
    hash: bytes


@dataclass
class Cell:
    version: int
    scope: str
    key: str
    ordinal: int
    value: str | None
    hash: bytes | None
    base: int | None

    @property
    def name(self):
        """As an event lists it."""
        return f"{self.scope}/{self.key}" + (f"/{self.ordinal}" if self.scope == "context" else "")

    @property
    def place(self):
        """What cells are sorted by."""
        return self.scope.encode(), self.key.encode(), self.ordinal


class Number(str):
    """As it is written: 1.00 stays 1.00."""


def parse(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def text_of(value):
    """As jsonb's text: keys by their length, then by their bytes."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{text_of(key)}: {text_of(value[key])}" for key in keys) + "}"
    return json.dumps(value, ensure_ascii=False)


def applied(delta, old):
    """What docs/storage.md says that a delta makes of a value."""
    if isinstance(delta, str):
        head, tail, middle = delta.split(" ", 2)
        bytes_ = old.encode()
        return (bytes_[: int(head)] + middle.encode() + bytes_[len(bytes_) - int(tail) :]).decode()
    if isinstance(delta, dict):
        assert set(delta) <= {"p", "r", "s"}
        new = old | {key: applied(part, old[key]) for key, part in delta.get("p", {}).items()}
        for key in delta.get("r", []):
            del new[key]
        return new | delta.get("s", {})
    new, used = [], 0
    for piece in delta:
        if isinstance(piece, list):
            new += piece
            continue
        parts = [(int(index), part) for index, part in piece.items()] if isinstance(piece, dict) else []
        start, count = map(int, piece.split(" ")) if isinstance(piece, str) else (parts[0][0], 0)
        assert start >= used
        new += old[start : start + count] + [applied(part, old[index]) for index, part in parts]
        used = parts[-1][0] + 1 if parts else start + count
    return new


def digest(bytes_):
    return blake3(bytes_).digest()


def field(value):
    """One field of a hashed record: absent, or its length and its bytes."""
    if value is None:
        return b"\x00"
    if isinstance(value, str):
        bytes_ = value.encode()
    elif isinstance(value, int):
        bytes_ = value.to_bytes(8, "big", signed=True)
    else:
        bytes_ = bytes(value)
    return b"\x01" + len(bytes_).to_bytes(8, "big") + bytes_


def value_hash(text):
    return None if text is None else digest(text.encode())


def cells_hash(cells):
    record = b""
    for cell in sorted(cells, key=lambda cell: cell.place):
        record += field(cell.scope) + field(cell.key) + field(cell.ordinal) + field(value_hash(cell.value))
    return digest(record)


def event_hash(run_id, event, previous):
    """From the columns of the event alone: the chain holds also where payloads and cells are gone."""
    fields = (
        previous, run_id, event.version, event.type, event.actor, event.on_behalf_of, event.at, event.idempotency_key,
        event.checkpoint_kind, event.checkpoint_label, event.payload_hash, event.cells_hash,
    )  # fmt: skip
    return digest(TAG + b"".join(map(field, fields)))


def read(connection, run_id):
    events = [Event(*row) for row in connection.execute(EVENTS, [run_id])]
    cells = {}
    values = {}
    for row in connection.execute(CELLS, [run_id]):
        cell = Cell(*row)
        if cell.base is not None:
            # Where there is nothing to apply it to, it is as it stands, and does not come out.
            before = values.get(cell.place)
            cell.value = text_of(applied(parse(cell.value), parse(before))) if before is not None else cell.value
        values[cell.place] = cell.value
        cells.setdefault(cell.version, []).append(cell)
    return events, cells


def problems(connection, run_id):
    events, cells = read(connection, run_id)
    found = []
    previous = FIRST_PREVIOUS
    for number, event in enumerate(events, start=1):
        mine = sorted(cells.pop(event.version, []), key=lambda cell: cell.place)
        comparisons = [
            ("version", event.version, number),
            # A payload that was erased leaves its hash behind, and the chain holds.
            ("payload_hash", event.payload_hash, value_hash(event.payload) or event.payload_hash),
            ("changed", list(event.changed or []), [cell.name for cell in mine]),
            ("cells_hash", event.cells_hash, cells_hash(mine)),
            ("hash", event.hash, event_hash(run_id, event, previous)),
            *((f"hash of {cell.name}", cell.hash, value_hash(cell.value)) for cell in mine),
        ]
        found += [
            f"{run_id} version {event.version}: {what} is {stored!r}, computed {computed!r}"
            for what, stored, computed in comparisons
            if stored != computed
        ]
        previous = event.hash
    found += [f"{run_id} version {version}: cells without an event" for version in cells]
    return found


def head(connection, run_id):
    """The head's hash, computed, as `digest` has to print it."""
    events, _ = read(connection, run_id)
    return event_hash(run_id, events[-1], events[-2].hash if len(events) > 1 else FIRST_PREVIOUS).hex()


# --- runs that are gone, and all of them -------------------------------------------------------------------------

SEALS = """
    SELECT run_id, number, previous, what, owner, workflow, workflow_version, first_version, last_version, head_hash, events, cells,
        bytes, (extract(epoch FROM at) * 1000000)::bigint, actor, on_behalf_of, reason, hash
    FROM layra.seal ORDER BY run_id, number
"""


def seals(connection):
    """{run_id: [(last_version, hash), ...]}, after each of them was computed."""
    found = {}
    for run_id, number, previous, *rest, stored in connection.execute(SEALS):
        before = found.setdefault(run_id, [])
        assert number == len(before) + 1
        assert previous == (before[-1][1] if before else None)
        fields = (previous, run_id, number, *rest)
        computed = digest(b"layra-seal-1" + b"".join(map(field, fields)))
        assert stored == computed, (run_id, number)
        before.append((rest[5], computed))
    return found


def heads(connection):
    """What `heads` has to return, as a superuser calls it."""
    found = {run_id: list(rows) for run_id, rows in seals(connection).items()}
    newest = "SELECT DISTINCT ON (run_id) run_id, version, hash FROM layra.event ORDER BY run_id, version DESC"
    for run_id, version, stored in connection.execute(newest):
        found.setdefault(run_id, []).append((version, stored))
    return [(run_id, version, hash) for run_id in sorted(found, key=str.encode) for version, hash in found[run_id]]


def all_heads_hash(connection):
    """As `digest()` has to print it."""
    record = b"".join(field(part) for head in heads(connection) for part in head)
    return digest(b"layra-heads-1" + record).hex()
