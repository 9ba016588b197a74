#!/usr/bin/env python3
"""Holds the crate against its plan (docs/architecture.md): which wing may stand on which, and what must never be in one.

usage: tests/structure.py            prints what breaks the plan, one finding a line; the exit status says whether anything does
       tests/structure.py --accept   writes tests/structure.known from what is found: only ever with fewer lines than before

A finding that tests/structure.known lists is work that is left: it is not an error, and a listed one that is gone has to leave
the list, so that the list only shrinks. Files are read as text; comments do not count.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
KNOWN = ROOT / "tests/structure.known"

# From the ground up: each stands only on those before it.
WINGS = ["pure", "server", "store", "workflow", "state", "execution", "lifecycle", "observe", "lib"]

# The tables of the extension, as SQL text names them.
SQL = re.compile(r"\blayra\.(?:run|event|cell|checkpoint|lease|interaction|inherited_key|workflow|graph|access|breaker\w*|event_type|validator|handler)\b(?!\w*\()"
                 r"|\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|LOCK TABLE)\s+[a-z$*(]", re.ASCII)
FAST_PATH = re.compile(r"\b(?:fast_path|short_way|plain::|Tables\b|find_plain|Scan\b)|\.plain\(")


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
            strings = "\n".join(re.findall(r'r#"(?s:.*?)"#|"(?:[^"\\]|\\.)*"', source))
            # What a function's own declaration says is SQL, and no access to a table.
            strings = re.sub(r'(?s)r#"\s*CREATE FUNCTION.*?"#', "", strings)
            if SQL.search(strings):
                yield f"{name} has SQL text or the name of a table"
        if WINGS.index(wing(name)) > WINGS.index("store") and wing(name) != "lib" and FAST_PATH.search(source):
            yield f"{name} knows of the fast path"
    listed = re.findall(r'"\.\./sql/(.*)" as', (SOURCE / "sql.rs").read_text())
    for file in sorted((ROOT / "sql").glob("*/*.sql")):
        if str(file.relative_to(ROOT / "sql")) not in listed:
            yield f"{file.relative_to(ROOT)} is not in src/sql.rs"
    for group in circles(graph):
        yield "a circle of imports: " + ", ".join(group)


def main():
    found = sorted(set(findings()))
    known = KNOWN.read_text().splitlines() if KNOWN.exists() else []
    if sys.argv[1:] == ["--accept"]:
        if known and not set(found) <= set(known):
            sys.exit("new findings are not accepted: " + "; ".join(sorted(set(found) - set(known))))
        KNOWN.write_text("".join(f"{line}\n" for line in found))
        return
    new, gone = sorted(set(found) - set(known)), sorted(set(known) - set(found))
    for line in new:
        print(f"structure: {line}")
    for line in gone:
        print(f"structure: no longer so, and has to leave tests/structure.known: {line}")
    print(f"structure: {len(list(modules()))} modules, {len(known) - len(gone)} known findings left")
    sys.exit(bool(new or gone))


main()
