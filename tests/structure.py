#!/usr/bin/env python3
"""Holds the crate against its plan (docs/architecture.md): which wing may stand on which, and what must never be in one.

usage: tests/structure.py       prints what breaks the plan, one finding a line; the exit status says whether anything does

Files are read as text; comments do not count.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"

# From the ground up: each stands only on those before it.
WINGS = ["pure", "server", "store", "workflow", "state", "execution", "lifecycle", "observe", "lib"]

# The tables of the extension, as SQL text names them, anywhere in a string; and a string that begins as a statement does.
SQL = re.compile(r"\blayra\.(?:run|event|cell|checkpoint|lease|interaction|inheritance|inherited_key|bequeathed_key|workflow|graph|access"
                 r"|breaker\w*|event_type|validator|handler|seal|retention)\b(?!\w*\()"
                 r"|^[rc]?#*\"\s*(?:/\*.*?\*/\s*)?(?:SELECT|INSERT|UPDATE|DELETE|LOCK|WITH|CREATE|ALTER|DROP|GRANT|REVOKE)\s", re.ASCII | re.MULTILINE)
# What it says to callers, who may run that.
MESSAGES = "server::error"
FAST_PATH = re.compile(r"\b(?:fast_path|short_way|heap::|scan::|Tables\b|find_plain|Scan\b)|\.plain\(")
# A statement, or a row whose columns are read by their numbers.
ROW_LAYOUT = re.compile(r"\.(?:query|query_latest|execute|execute_latest)\(|\bspi::\{?[^;]*\b(?:At|Rows|Statement)\b|\bcolumns::|\bIntoDatum\b")


def modules():
    """Each module's path below the crate (`store::cell`) and its source without comments."""
    for file in sorted(SOURCE.rglob("*.rs")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        if parts[-1] == "mod" or (len(parts) == 1 and (SOURCE / parts[0]).is_dir()):
            continue
        yield "::".join(parts), re.sub(r"(?m)^\s*//.*$|\s//\s.*$", "", file.read_text())


def paths(source):
    """The crate-relative paths that a module names, with nested groups spread out."""
    for found in re.finditer(r"\bcrate::((?:\w+::)*)(\{|\w+)", source):
        prefix, rest = found.group(1), found.group(2)
        if rest != "{":
            yield prefix + rest
            continue
        depth, item, index = 1, "", found.end()
        while depth:
            char = source[index]
            depth += {"{": 1, "}": -1}.get(char, 0)
            if (char == "," and depth == 1) or depth == 0:
                if item.strip():
                    yield from paths("crate::" + prefix + "".join(item.split()))
                item = ""
            else:
                item += char
            index += 1


def imports(names, source):
    """The modules of the crate that one imports from."""
    for path in paths(source):
        parts = path.split("::")
        for length in (2, 1):
            if "::".join(parts[:length]) in names:
                yield "::".join(parts[:length])
                break


def wing(module):
    """A file at the top is above all wings."""
    return module.split("::")[0] if "::" in module else "lib"


def circles(graph):
    """The groups of modules that import each other, by Tarjan."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def findings():
    sources = dict(modules())
    graph = {name: sorted(set(imports(sources, source)) - {name}) for name, source in sources.items()}
    for name, source in sources.items():
        place = WINGS.index(wing(name)) if wing(name) in WINGS else None
        if place is None:
            yield f"{name} is in no wing"
            continue
        for other in graph[name]:
            if wing(other) in WINGS and WINGS.index(wing(other)) > place:
                yield f"{name} imports {other}, which is above it"
        if wing(name) == "pure" and re.search(r"\bpgrx\b", source):
            yield f"{name} knows of pgrx"
        if wing(name) not in ("server", "lib") and re.search(r"\bunsafe\b", source):
            yield f"{name} has unsafe code"
        if wing(name) != "store":
            strings = "\n".join(re.findall(r'[rc]?#"(?s:.*?)"#|c?"(?s:[^"\\]|\\.)*"', source))
            # What a function's own declaration says is SQL, and no access to a table.
            strings = re.sub(r'(?s)r#"\s*CREATE FUNCTION.*?"#', "", strings)
            if SQL.search(strings) and name != MESSAGES:
                yield f"{name} has SQL text or the name of a table"
        if WINGS.index(wing(name)) > WINGS.index("store") and wing(name) != "lib":
            if FAST_PATH.search(source):
                yield f"{name} knows of the fast path"
            if ROW_LAYOUT.search(source):
                yield f"{name} executes a statement, or knows where the columns of a row are: a function of the store does that"
    for file in sorted(SOURCE.glob("*/mod.rs")):
        if re.sub(r"(?m)^(?://.*|pub mod \w+;)?\n", "", file.read_text()):
            yield f"{file.relative_to(ROOT)} has more than the names of its files"
    page = "docs/architecture.md"
    for named in re.findall(rf"`((?:{'|'.join(WINGS)})::\w+)`", (ROOT / page).read_text()):
        if named not in sources:
            yield f"{page} names {named}, which is not there"
    listed = re.findall(r'"\.\./sql/(.*)" as', (SOURCE / "sql.rs").read_text())
    for file in sorted((ROOT / "sql").glob("*/*.sql")):
        if str(file.relative_to(ROOT / "sql")) not in listed:
            yield f"{file.relative_to(ROOT)} is not in src/sql.rs"
    for group in circles(graph):
        yield "a circle of imports: " + ", ".join(group)


def main():
    found = sorted(set(findings()))
    for line in found:
        print(f"structure: {line}")
    print(f"structure: {len(list(modules()))} modules, {len(found)} findings")
    sys.exit(bool(found))


main()
