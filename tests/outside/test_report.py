"""layra.report: one HTML file, as a browser shows it, with whatever is stored; and what it leaves out of a large run."""

import base64
import hashlib
import json
import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

BROWSER = Path(__file__).parent.parent / "browser"

ARTICLE = {
    "nodes": [
        {"id": "plan", "type": "agent"}, {"id": "rounds", "type": "loop", "data": {"maxCount": 3}}, {"id": "draft", "type": "agent"},
        {"id": "facts", "type": "loop"}, {"id": "look up", "type": "tool"}, {"id": "publish", "type": "human"},
    ],
    "edges": [
        {"source": "plan", "target": "rounds"}, {"source": "rounds", "target": "draft", "sourceHandle": "loop_body"},
        {"source": "draft", "target": "facts"}, {"source": "facts", "target": "look up", "sourceHandle": "loop_body"},
        {"source": "look up", "target": "facts", "sourceHandle": "loop_next"}, {"source": "facts", "target": "rounds", "sourceHandle": "loop_next"},
        {"source": "rounds", "target": "publish"},
    ],
}  # fmt: skip
# Versions in comments.
STEPS = """
    SELECT layra.start_run('article', 'article', '{"facts": []}', metadata => '{"customer": "ACME"}'); -- 1
    SELECT layra.begin_node('article', 'plan', 'worker-1', '1 hour'); -- 2
    SELECT layra.complete_node('article', 'plan', '"three sections"', '{"facts": ["the moon pulls"]}'); -- 3
    SELECT layra.enter_loop('article', 'rounds'); -- 4
    SELECT layra.next_iteration('article', 'rounds'); -- 5
    SELECT layra.begin_node('article', 'draft', 'worker-1', '1 hour'); -- 6
    SELECT layra.complete_node('article', 'draft', '"a draft"'); -- 7
    SELECT layra.next_iteration('article', 'rounds'); -- 8
    SELECT layra.exit_loop('article', 'rounds'); -- 9
    SELECT layra.checkpoint('article', 'drafted', metadata => '{"by": "nightly"}'); -- 10
    SELECT layra.set_variable('article', 'facts', '[]'); -- 11
    SELECT layra.rollback_to('article', 'drafted', 'the step lost the facts'); -- 12
    SELECT layra.begin_node('article', 'look up'); -- 13
    SELECT layra.fail_node('article', 'look up', '{"message": "no such page"}'); -- 14
    SELECT layra.append_event('article', 'crawler.page', '{"url": "https://example.com"}'); -- 15
    SELECT layra.fork_run('article', 'fork');
"""


@pytest.fixture
def article(admin):
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.define_workflow('article', %s)", [Jsonb(ARTICLE)])
        admin.execute(STEPS)
        asked = admin.execute("SELECT layra.pause_run('article', 'publish', '{\"question\": \"Publish?\"}', assignee => 'alice')").fetchone()[0]
        admin.execute("SET LOCAL layra.actor = 'alice'")
        admin.execute("SELECT layra.resume_run('article', %s, '{\"approved\": true}')", [asked])
        admin.execute("SELECT layra.pause_run('article', 'publish', '{\"question\": \"And translate?\"}')")
        yield admin


def report(connection, run_id):
    return connection.execute("SELECT layra.report(%s)", [run_id]).fetchone()[0]


def look(page, directory, word="question"):
    """What a browser finds in a page; pictures of it are in the directory."""
    directory.mkdir(exist_ok=True)
    file = directory / "page.html"
    file.write_text(page, encoding="ascii")
    command = ["node", BROWSER / "look.js", file, directory]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, env=os.environ | {"LOOK_FOR": word})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["console"] == [] and found["requests"] == [] and found["violations"] == []
    assert not [width for width, wide in found["checks"].items() if width.endswith("overflow") and wide > 0], "nothing is cut at the side"
    assert len(list(directory.glob("*.png"))) == 6
    return found["checks"]


class Parser(HTMLParser):
    """What an HTML parser sees: elements, attributes, text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.inside = [], [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.inside = tag

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.text.append(data)


def test_a_browser_shows_it_and_a_reader_can_use_it(article, tmp_path):
    """No error, no request, nothing that axe finds, at three widths, light and dark; slider, search, filters, keyboard."""
    found = look(report(article, "article"), tmp_path / "article")
    assert found["title"] == "Run article" and found["h1"] == "article"
    elements = found["elements"]
    assert elements | {"cells": 0} == {"scripts": 1, "handlers": 0, "images": 0, "events": 18, "undone": 1, "nodes": 6, "boxes": 2, "cells": 0}
    assert found["focus"] == "Skip to the content"
    newest = {name: (value, version) for name, value, version in found["newest"]}
    assert newest["facts"] == ('["the moon pulls"]', "version 12")
    assert newest["output of plan[0]"] == ('"three sections"', "version 3")
    assert json.loads(newest["node look up"][0])["status"] == "failed"
    at2 = {name: (value, version) for name, value, version in found["at2"]}
    assert at2["facts"] == ("[]", "version 1") and set(at2) == {"facts", "node plan"}
    assert found["told"].startswith("Version 2: Node plan started worker worker-1")
    assert found["slid"] == "3"
    colours = dict(found["colours"])
    assert colours["plan"] == "n completed" and colours["look up"] == "n pending" and colours["rounds"] == "n pending"
    assert found["found"] == 2 and found["status"].startswith("2 of 18 events")
    assert found["all"] == 18 and found["without_undone"] == 17
    assert found["pdf"] > 10_000


def test_it_tells_the_run(article):
    text = " ".join(" ".join(Parser(report(article, "article")).text).split())
    for said in (
        "Verified.", "article (version 1)", "Loop rounds: 2 iterations", "Rolled back to version 10", 'checkpoint "drafted"; the step lost the facts',
        "undone by version 12", "Node look up failed no such page", "Question to alice: Publish?", 'Answer: {"approved": true}',
        "for alice", "Waits for an answer", "manual checkpoint drafted", "Forked from this run: fork", "crawler.page url: https://example.com",
    ):  # fmt: skip
        assert said in text, said
    (head,) = article.execute("SELECT layra.digest('article')").fetchone()
    assert head in text


def test_the_page_allows_nothing_but_its_own_script_and_style(article):
    page = report(article, "article")
    policy = re.search(r'Content-Security-Policy content="([^"]*)"', page)[1]
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy, f"of src/pure/report: sha256-{digest}"
    assert policy.startswith("default-src 'none'; ")
    assert "style" not in dict(Parser(page).attributes)


HOSTILE = [
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", '" onmouseover="alert(1)',
    "' onfocus='alert(1)", "--><svg onload=alert(1)>", "&lt;b&gt;&#60;i&#62;", "javascript:alert(1)", "]]><!--", "\u202etxt.exe", "{{7*7}}${7*7}",
    "<b>" * 20, "x\u00adyz\u200b\ufeff", "潮汐🌊", "%3Cscript%3E", "`\\u003cscript\\u003e`", "\\\"'", "</title><h1>",
]  # fmt: skip
CONTROL = "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f"


def test_whatever_is_stored_is_shown_and_does_nothing(admin, tmp_path):
    """In names, values, payloads, questions, answers, errors, labels, reasons, and the graph."""
    with admin.transaction(force_rollback=True):
        graph = {"nodes": [{"id": f"{n} {text}", "type": text[:50]} for n, text in enumerate(HOSTILE)],
                 "edges": [{"source": f"{n} {text}", "target": f"{n + 1} {HOSTILE[n + 1]}", "sourceHandle": text} for n, text in enumerate(HOSTILE[:-1])]}  # fmt: skip
        run = HOSTILE[0]
        admin.execute("SELECT layra.define_workflow(%s, %s)", [HOSTILE[1], Jsonb(graph)])
        admin.execute("SELECT layra.start_run(%s, %s, %s, metadata => %s)", [
            run, HOSTILE[1], Jsonb({text: [text, CONTROL] for text in HOSTILE}), Jsonb({text: CONTROL for text in HOSTILE})])  # fmt: skip
        admin.execute("SELECT set_config('layra.actor', %s, true)", [HOSTILE[3]])
        for n, text in enumerate(HOSTILE):
            node = f"{n} {text}"
            admin.execute("SELECT layra.append_event(%s, %s, %s)", [run, text[:60], Jsonb({text: CONTROL + text})])
            admin.execute("SELECT layra.begin_node(%s, %s, %s)", [run, node, text])
            admin.execute("SELECT layra.fail_node(%s, %s, %s)", [run, node, Jsonb({"message": text})])
            admin.execute("SELECT layra.checkpoint(%s, %s, metadata => %s)", [run, f"{n} {text}", Jsonb({text: text})])
            admin.execute("SELECT layra.set_variables(%s, %s)", [run, Jsonb({text: [CONTROL, text, n]})])
            (asked,) = admin.execute("SELECT layra.pause_run(%s, %s, %s)", [run, node, Jsonb({"question": text})]).fetchone()
            admin.execute("SELECT layra.resume_run(%s, %s, %s)", [run, asked, Jsonb(text)])
        page = report(admin, run)
        mermaid, lines = admin.execute("SELECT layra.mermaid(%s), array(SELECT layra.explain_run(%s))", [run, run]).fetchone()
    assert page.isascii() and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page)
    parser = Parser(page)
    assert parser.tags.count("script") == 1 and not {"img", "iframe", "object", "link"} & set(parser.tags)
    assert not [name for name, _ in parser.attributes if name.startswith("on")]
    text = "".join(parser.text)
    for hostile in ("<script>alert(1)</script>", '" onmouseover="alert(1)', "\\u202etxt.exe", "潮汐🌊", "</title><h1>"):
        assert hostile in text
    assert mermaid.isascii() and "<script" not in mermaid
    assert len(lines) == len(HOSTILE) + 3 and not any("\n" in line for line in lines)
    found = look(page, tmp_path / "hostile", "alert")
    assert found["h1"] == run
    assert found["elements"]["scripts"] == 1 and found["elements"]["handlers"] == 0 and found["elements"]["images"] == 0


def test_a_large_value_is_cut_and_says_so(admin):
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.start_run('r', variables => jsonb_build_object('large', repeat('<b>&\"', 2000000)))")
        admin.execute("SELECT layra.append_event('r', 'note', to_jsonb(repeat('<i>', 3000000)))")
        page = report(admin, "r")
    assert len(page) < 100_000
    assert "<small>cut: 12.0 MB in all</small>" in page
    assert "<b>&" not in page


def many(connection, versions, updates="jsonb_build_object('v', n)"):
    connection.execute(
        f"SELECT layra.append_events('r', (SELECT jsonb_agg(jsonb_build_object('type', 'note', 'payload', '{{\"a\": 1}}'::jsonb, 'updates',"
        f" {updates})) FROM generate_series(1, %s::int) n))", [versions])  # fmt: skip


def test_ten_thousand_events_are_all_there_and_more_are_folded(admin):
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.start_run('r')")
        many(admin, 9_999, "jsonb_build_object('v' || n %% 50, repeat('<>', 20) || n)")
        page = report(admin, "r")
        assert len(page) < 5_000_000
        assert page.count("<li id=v") == 10_000 and "id=past" in page and "are not shown" not in page
        many(admin, 2_000)
        page = report(admin, "r")
    assert len(page) < 5_000_000
    assert page.count("<li id=v") == 10_000
    assert "<b>2000 events after version 1000 are not shown</b><ul><li>2000 note</ul>" in page
    assert "<li id=v1000 " in page and "<li id=v1001 " not in page and "<li id=v3001 " in page and "<li id=v12000 " in page
    assert "id=past" not in page


def test_many_values_and_many_changes_are_bounded(admin):
    """The newest changes of each, and how many came before them."""
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.start_run('r', variables => (SELECT jsonb_object_agg('w' || n, repeat('<', 1000)) FROM generate_series(1, 3000) n))")
        for _ in range(10):
            many(admin, 2_000, "(SELECT jsonb_object_agg('w' || m, m + n) FROM generate_series(1, 3) m)")
        page = report(admin, "r")
    assert len(page) < 5_000_000
    assert page.count("<details class=cell ") == 1500
    assert page.count("<tr data-v=") <= 12_000 and "changes before these are not shown" in page and "There is more" in page


def test_a_hold_and_the_runs_before_this_one_are_told(admin, role):
    alice, bob = role("alice"), role("bob")
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.grant_access(role, 'writer') FROM unnest(%s::name[]) role", [[alice, bob]])
        admin.execute(f"SET LOCAL SESSION AUTHORIZATION {bob}; SELECT layra.start_run('r'), layra.drop_run('r', 'ordered <twice>')")
        admin.execute(f"SET LOCAL SESSION AUTHORIZATION {alice}; SELECT layra.start_run('r'), layra.hold_run('r', 'audit & more')")
        page = report(admin, "r")
        assert "<dt>Held</dt><dd>audit &amp; more</dd>" in page
        assert "Run started</b> <span>after the run that seal " in page and "<b>Held</b> <span>audit &amp; more" in page
        assert "Verified." in page and "ordered" not in page, "the seal is of somebody else"
        admin.execute("SELECT layra.release_run('r', 'nothing found'); RESET SESSION AUTHORIZATION")
        (seal,) = admin.execute("SELECT left(encode(hash, 'hex'), 16) FROM layra.seal").fetchone()
        page = report(admin, "r")
        assert "<dt>Held</dt>" not in page and "<b>Hold released</b> <span>nothing found" in page
        assert f"<td>{bob}<td>1<td>ordered &lt;twice&gt;<td><code>{seal}</code>" in page and f"seal {seal} accounts for" in page
        admin.execute("UPDATE layra.seal SET reason = 'another'")
        assert "Not intact." in report(admin, "r"), "what verify finds in the seals, too"


def test_what_was_tampered_with_is_named(article):
    article.execute("UPDATE layra.event SET payload = '{}' WHERE run_id = 'article' AND version = 7")
    page = report(article, "article")
    assert "Not intact." in page and "Verified." not in page
    assert '<a href="#v7">version 7</a>: the payload does not match its hash' in page


def test_what_cannot_be_read_is_told_and_the_rest_is_there(article):
    article.execute("UPDATE layra.cell SET base = 1 WHERE run_id = 'article' AND key = 'facts' AND version = 3")
    page = report(article, "article")
    assert "Not intact." in page and "(cannot be read)" in page and "Node look up failed" in page


def test_forks_of_others_are_not_shown(admin, role):
    alice, bob = role("alice"), role("bob")
    with admin.transaction(force_rollback=True):
        admin.execute("SELECT layra.grant_access(role, 'writer') FROM unnest(%s::name[]) role", [[alice, bob]])
        admin.execute(f"SET LOCAL SESSION AUTHORIZATION {alice}; SELECT layra.start_run('shared'); RESET SESSION AUTHORIZATION")
        admin.execute(f"GRANT {alice} TO {bob}; SET LOCAL SESSION AUTHORIZATION {bob}; SELECT layra.fork_run('shared', 'of bob')")
        assert "of bob" in report(admin, "shared")
        admin.execute(f"SET LOCAL SESSION AUTHORIZATION {alice}")
        page = report(admin, "shared")
        assert "Run started" in page and "of bob" not in page
        with pytest.raises(psycopg.errors.InsufficientPrivilege), admin.transaction():
            report(admin, "of bob")


@pytest.mark.parametrize("size", [400, 401])
def test_a_graph_is_drawn_up_to_a_size(admin, size):
    with admin.transaction(force_rollback=True):
        nodes = [{"id": f"n{n}", "type": "tool"} for n in range(size)]
        edges = [{"source": f"n{n // 3}", "target": f"n{n}"} for n in range(1, size)]
        admin.execute("SELECT layra.save_state('r', %s)", [Jsonb({"nodes": nodes, "edges": edges, "execution_status": {"n0": True}})])
        page = report(admin, "r")
    assert page.count("<g class=") == (400 if size == 400 else 0)
    assert f"Table of {size} nodes" in page
