"""The pages of the documentation, and how their examples are run.

A page is run from top to bottom in a database of its own, which has the extension unless the page creates it:

  ```sql      goes to one psql session that lasts for the page, as a reader would type it
  ```sh       runs in bash, in an empty directory that lasts for the page; the database is PGDATABASE
  ```python   runs in a Python of its own; not in the README, which shows parts of the programs in examples/

Output and errors together must be what the ```text block behind it says, if there is one. Without one they may be
anything but an error. Blocks in other languages are only shown.
"""

import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ERROR = re.compile(r"^(ERROR|FATAL|PANIC|psql|\w+: error): ", re.MULTILINE)


@dataclass
class Block:
    """A fenced block, and the text block that follows it with nothing but empty lines in between."""

    language: str
    code: str
    line: int
    expected: str | None
    expected_span: tuple | None


def blocks(page):
    text = page.read_text(encoding="utf-8")
    fenced = list(FENCED.finditer(text))
    found = []
    for this, after in zip(fenced, [*fenced[1:], None]):
        follows = after is not None and after[1] == "text" and not text[this.end() : after.start()].strip()
        found.append(
            Block(
                language=this[1],
                code=this[2],
                line=text.count("\n", 0, this.start()) + 1,
                expected=after[2] if follows else None,
                expected_span=after.span(2) if follows else None,
            )
        )
    return found


def tidy(output):
    """Without blanks at the ends of lines and empty lines at both ends, which nobody sees."""
    return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")


# What no page can foresee.
UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def same(output, expected):
    """Whether this was printed, but for ids that are random."""
    return UUID.sub("UUID", tidy(output)) == UUID.sub("UUID", tidy(expected))


class Session:
    """A psql that is fed block by block."""

    MARK = "-- end of block --"

    def __init__(self, environment):
        self.process = subprocess.Popen(
            ["psql", "-X"], env=environment, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, code):
        self.process.stdin.write(f"{code}\n\\echo {self.MARK}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.strip() == self.MARK:
                return "".join(lines)
            lines.append(line)
        return "".join(lines) + "psql: the session has ended"

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def run_program(command, code, environment, directory):
    done = subprocess.run(
        [*command, code], env=environment, cwd=directory, text=True, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout + (f"ERROR: exit status {done.returncode}\n" if done.returncode else "")


def run_page(page, database):
    """Runs a page in this database: its blocks that are run, each with what it printed."""
    environment = os.environ | {
        "PGDATABASE": database, "PGTZ": "UTC", "PGDATESTYLE": "ISO", "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8",
        "PATH": f"{os.environ.get('PG_BINDIR', '')}:{os.environ['PATH']}",
    }  # fmt: skip
    session = Session(environment)
    try:
        with tempfile.TemporaryDirectory() as directory:
            results = []
            for block in blocks(page):
                if block.language == "sql":
                    results.append((block, session.run(block.code)))
                elif block.language == "sh":
                    results.append((block, run_program(["bash", "-e", "-c"], block.code, environment, directory)))
                elif block.language == "python" and page.name != "README.md":
                    results.append((block, run_program([sys.executable, "-c"], block.code, environment, directory)))
            return results
    finally:
        session.close()


@contextmanager
def database_for(page, server):
    """A new database for a page. The roles and databases that the page creates go with it."""
    name = f"docs_{os.getpid()}_{page.stem.replace('-', '_').lower()}"
    roles, databases = "SELECT rolname FROM pg_roles", "SELECT datname FROM pg_database"
    with psycopg.connect(server, autocommit=True) as maintenance:

        def names(query):
            return {row[0] for row in maintenance.execute(query)}

        roles_before, databases_before = names(roles), names(databases)
        maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            if not any("CREATE EXTENSION layra_state" in block.code for block in blocks(page) if block.language == "sql"):
                with psycopg.connect(server, dbname=name, autocommit=True) as connection:
                    connection.execute("CREATE EXTENSION layra_state")
            yield name
        finally:
            for database in names(databases) - databases_before:
                maintenance.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
            for role in names(roles) - roles_before:
                maintenance.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def problems(page, results):
    """What a page says wrongly, one text for each block."""
    found = []
    for block, output in results:
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.expected is None:
            if ERROR.search(output):
                found.append(f"{where}: the block fails, and no text block says so\n{output}")
        elif not same(output, block.expected):
            found.append(f"{where}: expected\n{tidy(block.expected)}\n--- but it prints\n{tidy(output)}")
    return found


def update(page, results):
    """Rewrites the text blocks of a page with what its examples print; True where something changed."""
    text = before = page.read_text(encoding="utf-8")
    for block, output in reversed(results):
        if block.expected_span is not None and not same(output, block.expected):
            start, end = block.expected_span
            text = text[:start] + tidy(output) + "\n" + text[end:]
    page.write_text(text, encoding="utf-8")
    return text != before
