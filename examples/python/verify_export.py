#!/usr/bin/env python3
"""Verifies exports of layra_state without a database: python verify_export.py FILE...

FILE has the lines that layra.export_run returned, in their order; - reads them from standard input. With --copy before it, it is a file
of COPY in its text format, which has each backslash twice. Needs the package blake3. docs/export.md has the format, docs/hash-chain.md
the hashes.

Prints the run, its newest version, the hash of that event and the hash of all lines of each file that is sound, for who has kept one
of them elsewhere; else what is wrong, and exits with 1.
"""

import json
import sys

from blake3 import blake3

COUNTED = ("seal", "definition", "graph", "event", "cell", "checkpoint", "interaction", "lease", "key")
SEAL = (
    "number", "what", "owner", "workflow", "workflow_version", "first_version", "last_version", "head_hash", "events", "cells",
    "bytes", "at", "actor", "on_behalf_of", "reason",
)  # fmt: skip


class Wrong(Exception):
    pass


class Number(str):
    """As it is written: 1.00 stays 1.00."""


def parse(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def text_of(value):
    """The text that PostgreSQL has for a jsonb value: keys sorted by their length, then by their bytes."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{text_of(key)}: {text_of(value[key])}" for key in keys) + "}"
    return json.dumps(value, ensure_ascii=False)


def digest(*parts):
    return blake3(b"".join(parts)).digest()


def hash_of(value):
    return digest(text_of(value).encode())


def field(value):
    if value is None:
        return b"\x00"
    if isinstance(value, Number):
        data = int(value).to_bytes(8, "big", signed=True)
    else:
        data = value if isinstance(value, bytes) else value.encode()
    return b"\x01" + len(data).to_bytes(8, "big") + data


def require(holds, problem):
    if not holds:
        raise Wrong(problem)


class Export:
    """What is known of an export from the lines so far."""

    def __init__(self):
        self.lines, self.hash = 0, blake3(b"layra-export-1")
        self.counts = dict.fromkeys(COUNTED, 0)
        self.header = self.event = self.trailer = None
        self.version, self.head = 0, bytes(32)
        self.seal = self.definition = None
        self.graphs, self.revisions = set(), {}

    def line(self, text):
        require(self.trailer is None, "there are lines after the trailer")
        line = parse(text)
        self.lines += 1
        require(int(line.pop("line")) == self.lines, "it has another number")
        ((name, thing),) = line.items()
        require((self.lines == 1) == (name == "header"), "the header is the first line, and no other")
        if name == "trailer":
            self.finish()
            return self.compare(thing)
        data = text_of(parse(text)).encode()
        self.hash.update(b"\x01" + len(data).to_bytes(8, "big") + data)
        if name != "header":
            self.counts[name] += 1
        if name not in ("cell", "graph"):
            self.close()
        # The others have nothing that could be computed from them alone.
        getattr(self, "of_" + name, lambda thing: None)(thing)

    def of_header(self, header):
        require(header["format"] == "1", "its format is not known")
        self.header = header

    def of_seal(self, seal):
        require(int(seal["number"]) == self.counts["seal"], "a seal is missing")
        values = {"head_hash": bytes.fromhex(seal["head_hash"]), "number": seal["number"]}
        fields = [values.get(key, seal.get(key)) for key in SEAL]
        self.seal = digest(b"layra-seal-1", field(self.seal), field(self.header["run_id"]), *map(field, fields))
        require(self.seal.hex() == seal["hash"], "the seal does not match its hash")

    def of_definition(self, definition):
        workflow = self.header["workflow"]
        require(all(definition[key] == workflow[key] for key in ("owner", "name", "version")), "it is another definition")
        require(hash_of(definition["definition"]).hex() == workflow["hash"], "the definition does not match its hash")
        self.definition = workflow["hash"]

    def of_graph(self, graph):
        parts = [text_of(graph[key]) if key in graph else "" for key in ("nodes", "edges")]
        require(digest("\n".join(parts).encode()).hex() == graph["hash"], "the graph does not match its hash")
        self.graphs.add((graph["owner"], graph["hash"]))

    def of_event(self, event):
        require(int(event["version"]) == self.version + 1, "an event is missing")
        if self.version == 0:
            payload = event["payload"]
            require(payload.get("seal") == (self.seal and self.seal.hex()), "the seals are not those that the first event names")
            require(payload.get("workflow") == self.header.get("workflow"), "the first event names another workflow")
            require(self.definition == self.header.get("workflow", {}).get("hash"), "the definition is missing")
        self.version += 1
        self.event, self.cells = event, []

    def of_cell(self, cell):
        require(self.event and cell["version"] == self.event["version"], "it is the cell of another event")
        place = cell["scope"], cell["key"], int(cell["ordinal"]) if cell["scope"] == "context" else 0
        revision = int(cell["revision"])
        require(revision == self.revisions.get(place, 0) + 1, "a change of the cell is missing")
        self.revisions[place] = revision
        if place == ("engine", "layra.graph", 0) and "value" in cell:
            require((cell["value"]["owner"], cell["value"]["hash"]) in self.graphs, "the graph is missing")
        value_hash = hash_of(cell["value"]) if "value" in cell else None
        self.cells.append(((place[0].encode(), place[1].encode(), place[2]), value_hash))

    def close(self):
        """The event whose cells were read."""
        event, self.event = self.event, None
        if event is None:
            return
        version = event["version"]
        places = [place for place, _ in self.cells]
        require(len(places) == int(event["cells"]), f"event {version} has another number of cells")
        require(all(a < b for a, b in zip(places, places[1:])), f"the cells of event {version} are not in order")
        cells = b"".join(
            field(scope) + field(key) + field(ordinal.to_bytes(8, "big", signed=True)) + field(value_hash)
            for (scope, key, ordinal), value_hash in self.cells
        )
        checkpoint = event.get("checkpoint", {})
        fields = [
            self.head, self.header["run_id"], version, event["type"], event["actor"], event.get("on_behalf_of"), event["at"],
            event.get("idempotency_key"), checkpoint.get("kind"), checkpoint.get("label"), hash_of(event["payload"]), digest(cells),
        ]  # fmt: skip
        self.head = digest(b"layra-event-1", *map(field, fields))
        require(self.head.hex() == event["hash"], f"event {version} does not match its hash")

    def finish(self):
        self.close()
        require(self.version > 0, "there are no events")

    def compare(self, trailer):
        counts = {name + "s": str(count) for name, count in self.counts.items()}
        expected = counts | {
            "lines": str(self.lines), "version": str(self.version), "head_hash": self.head.hex(), "hash": self.hash.digest().hex(),
        }  # fmt: skip
        different = sorted(key for key in expected.keys() | trailer.keys() if expected.get(key, "") != trailer.get(key, ""))
        require(not different, f"the trailer has another {', another '.join(different)}")
        self.trailer = trailer


def verify(lines):
    """The export that the lines are; raises Wrong."""
    export = Export()
    for number, text in enumerate(lines, 1):
        try:
            export.line(text)
        except Wrong as wrong:
            raise Wrong(f"line {number}: {wrong}") from None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise Wrong(f"line {number}: it is not a line of an export") from None
    require(export.trailer is not None, "the trailer is missing")
    return export


def main(arguments):
    sys.setrecursionlimit(10_000)  # Values can be nested deeply.
    copy, status = False, 0
    for argument in arguments:
        if argument == "--copy":
            copy = True
            continue
        with sys.stdin if argument == "-" else open(argument, encoding="utf-8", newline="\n") as file:
            lines = (line.removesuffix("\n") for line in file)
            try:
                export = verify(line.replace("\\\\", "\\") for line in lines) if copy else verify(lines)
                print(export.header["run_id"], export.version, export.head.hex(), export.hash.digest().hex())
            except (Wrong, UnicodeDecodeError) as wrong:
                print(f"{argument}: {wrong}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
