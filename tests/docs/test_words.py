"""The project speaks the language that people search in: these words must not come back.

Each line of WORDS is what is not written and what is written instead. Released scripts and the entries of released versions stay as
they are; so do names of other projects (apt's patches) and of PostgreSQL's functions (octet_length).
"""

import re
import subprocess

import pytest
from pages import ROOT

WORDS = {
    r"\boctets?\b(?!_length)": "bytes",
    r"\bshort way\b|\bplain tables?\b|\bwithout a plan\b": "fast path, direct heap access; the slow path is SQL",
    r"\bkept plans?\b": "cached plan",
    r"\bpatch(es|ed)? (of|for) (a|the) value|\bwhat a patch is\b": "delta",
    r"\bby hand\b": "manually; hand-written SQL",
    r"\bone's own\b|\bof somebody's\b": "your own, custom",
    r"\bfit to go on\b": "ready to continue",
    r"\banew\b": "again",
    r"\bpassed over\b": "skipped",
    r"\bdeprived of\b": "revoked",
    r"\blies (before|after|behind)\b": "precedes, follows",
    r"\bwhat one may notice\b": "observable differences",
    r"\bright to (try|probe)\b": "probe permit",
    r"\banswer(s)? (to the first call )?(got|was) lost\b": "lost response",
    r"\bsome chance in it\b": "exponential backoff with jitter",
    r"\bexists already\b": "already exists",
    r"\bbreaks \d+ rule": "violates 1 rule, violates 2 rules",
    r"\b(rule|problem)\(s\)": "1 rule, 2 rules",
    r"\bis no JSON Schema\b": "is not a valid JSON Schema",
}

FROZEN = {line.split()[1] for line in (ROOT / "sql/released.sha256").read_text(encoding="utf-8").splitlines()}
# What people read: pages, SQL with its comments, messages, and what scripts print. This file has the words in it.
SUFFIXES = {".md", ".sql", ".py", ".spec", ".control", ".json", ""}
WHERE = ("docs/", "sql/", "tests/", "benches/", "examples/", ".ci/", "README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md",
         "Makefile", "META.json", "layra_state.control")  # fmt: skip
NOT = ("tests/data/", "tests/expected/", "tests/docs/test_words.py", "examples/node/package-lock.json")


def files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout.splitlines()
    return [
        ROOT / name
        for name in listed
        if name.startswith(WHERE) and not name.startswith(NOT) and (ROOT / name).suffix in SUFFIXES
        and (ROOT / name).name not in FROZEN and (ROOT / name).is_file()
    ]  # fmt: skip


def text_of(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    # Entries of released versions are history.
    return text[: text.index("\n## [0.2.0]")] if path.name == "CHANGELOG.md" else text


def test_there_is_something_to_read():
    names = {str(path.relative_to(ROOT)) for path in files()}
    assert {"README.md", "docs/storage.md", "sql/functions/runs.sql", "Makefile", ".ci/setup"} <= names


@pytest.mark.parametrize("pattern", WORDS)
def test_word_has_not_come_back(pattern):
    found = []
    for path in files():
        text = text_of(path)
        for match in re.finditer(pattern.replace(" ", r"[\s#>-]+"), text, re.IGNORECASE):
            found.append(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}")
    assert not found, f"write {WORDS[pattern]!r} instead:\n" + "\n".join(found)
