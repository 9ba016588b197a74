"""The table on the terminal, docs/benchmarks.md, and benches/figures.json, which bench-check compares with."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import callgrind
import throughput
from server import PG_CONFIG
from table import LINES, Row, number

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benches" / "figures.json"
PAGE = ROOT / "docs" / "benchmarks.md"
UNMET = ROOT / "benches" / "unmet.md"
WIDTHS = (70, 10, 46, 11, 4)
MET = {True: "yes", False: "NO", None: ""}


def cells(row):
    return row.what, number(row.value), row.unit, row.goal, MET[row.met]


def print_head():
    print("  ".join(f"{title:<{width}}" for title, width in zip(("what", "measured", "", "goal", "met"), WIDTHS, strict=True)))


def print_row(row):
    print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells(row), WIDTHS, strict=True)).rstrip(), flush=True)


def read_figures():
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {}


def output(*command):
    return subprocess.check_output(command, text=True, cwd=ROOT).strip()


def commit():
    """The commit that is measured; marked where the sources differ from it."""
    changed = output("git", "status", "--porcelain", "--", "src", "sql", "Cargo.toml", "Cargo.lock")
    return output("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def write(measured):
    figures = read_figures()
    now = commit()
    for name, rows in measured.items():
        figures[name] = {"commit": now, "rows": [
            {"what": row.what, "value": float(row.value), "unit": row.unit, "goal": row.goal,
             "raw": {key: float(size) if not isinstance(size, int) else size for key, size in row.raw.items()},
             "guarded": row.guarded}
            for row in rows
        ]}  # fmt: skip
    figures = {name: figures[name] for name in LINES if name in figures}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(figures))


def raw(row):
    return ", ".join(f"{key} {number(size)}" for key, size in row.raw.items())


def page(figures):
    commits = {}
    for name, found in figures.items():
        commits.setdefault(found["commit"], []).append(name)
    newest = max(commits, key=lambda found: len(commits[found]))
    others = "".join(
        f" The lines {', '.join(names)} are of {found}." for found, names in commits.items() if found != newest
    )
    rows = [Row(**row) for found in figures.values() for row in found["rows"]]
    goals = [row.met for row in rows if row.goal]
    lines = [
        "# Benchmarks", "",
        "What the extension costs, beside the same work as hand-written SQL and beside what people use today. Written by",
        "`make bench`; do not edit.", "",
        f"{sum(goals)} of {len(goals)} goals are met.", "",
        "| what | measured | | goal | met | figures behind it |",
        "| --- | ---: | --- | --- | --- | --- |",
        *[f"| {' | '.join(cells(row))} | {raw(row)} |" for row in rows], "",
        *UNMET.read_text().strip().splitlines(), "",
        "## How each line is measured", "",
        *[f"- **{name}**: {line.how}" for name, line in LINES.items() if name in figures], "",
        *NOTES.strip().splitlines(), "",
        "## Measured with", "",
        f"- commit {newest}.{others}",
        f"- {output(PG_CONFIG, '--version')}, {output('valgrind', '--version')}, Python {platform.python_version()},"
        f" {processor()}, {os.cpu_count()} cores",
        "- " + ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        "", "Settings of the server for instructions:", "", "```ini", callgrind.CONF.strip(), "```", "",
        "Settings of the server for throughput (fsync and full_page_writes are on, as they are by default):", "",
        "```ini", throughput.CONF.strip(), "```",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


PACKAGES = ("psycopg", "langgraph-checkpoint-postgres", "dbos", "absurd-sdk", "absurdctl", "eventsourcing")


def processor():
    for found in Path("/proc/cpuinfo").read_text().splitlines():
        if found.startswith("model name"):
            return found.split(":")[1].strip()
    return platform.machine()


NOTES = """
**Instructions** are counted by callgrind on a single-user server, in a backend that is warm (30 calls before, all pages
in memory), for calls on different runs by a role without special privileges. They are the same on a busy machine as on
an idle one; two measurements differ by less than 0.1 %. They leave out what the kernel does, and they leave out waiting.
*As a prepared statement* is what a client has: `EXECUTE`, in a transaction of its own, with the commit. *Inside one
statement* is one SELECT that makes all calls.

**Hand-written SQL** is `benches/by_hand.sql`: tables with primary keys and PL/pgSQL functions with cached plans. They do the same
for the run that the extension does (lock, version check, event, hash chain, current value, history) and nothing else of
it: no owners, no idempotency keys, no schemas, no rollback. Valgrind's processor has no SHA instructions, which would save the
hand-written functions some 2,000 of its instructions a call.

**Bytes** of WAL are those between two positions of the write-ahead log, with `full_page_writes` off on every side;
bytes on disk are those of tables, TOAST and indexes after VACUUM.

**Ratios of speed** come from runs that take turns on one server, with fsync on.

Measure again, or some lines only, and see where a call's instructions go:

```console
$ make bench                            # everything: some 15 minutes
$ benches/run set_variable wal          # these lines; --write also puts them into this page
$ benches/profile set_variable          # the functions in which a call spends its instructions
$ make bench-check                      # instructions and bytes against those of this page: at most 5 % more
```
"""
