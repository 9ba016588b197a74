"""The hash chain, computed a second time: in Python, with the blake3 package, from what plain SQL returns.

It follows docs/hash-chain.md and shares nothing with the extension, so an auditor can read it and run it against a
database whose extension he does not trust. `problems` returns one line for each hash that does not come out.
"""

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
    SELECT version, scope, key, ordinal, value::text, hash
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

    @property
    def name(self):
        """As an event lists it."""
        return f"{self.scope}/{self.key}" + (f"/{self.ordinal}" if self.scope == "context" else "")

    @property
    def place(self):
        """What cells are sorted by."""
        return self.scope.encode(), self.key.encode(), self.ordinal


def digest(octets):
    return blake3(octets).digest()


def field(value):
    """One field of a hashed record: absent, or its length and its octets."""
    if value is None:
        return b"\x00"
    if isinstance(value, str):
        octets = value.encode()
    elif isinstance(value, int):
        octets = value.to_bytes(8, "big", signed=True)
    else:
        octets = bytes(value)
    return b"\x01" + len(octets).to_bytes(8, "big") + octets


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
    for row in connection.execute(CELLS, [run_id]):
        cells.setdefault(row[0], []).append(Cell(*row))
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
