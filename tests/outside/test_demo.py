"""The demo on a server of its own, as it kills a process of it: it succeeds, is short enough to be watched, and prints what
docs/demo.svg shows; and it fails where an answer is not what it should be."""

import html
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "examples/demo/run"


def run(server, script=DEMO, **options):
    environment = server.environment() | options.pop("environment", {})
    return subprocess.run([script], capture_output=True, text=True, timeout=900, cwd=ROOT, env=environment, **options)


@pytest.fixture(scope="module")
def demo(private_server):
    """What the demo printed, and what psql answered, to which it hands over where KEEP is set."""
    done = run(private_server(), environment={"KEEP": "1"}, input="SELECT count(*) FROM layra.runs;\n")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return done.stdout


def as_shown(text):
    """Without what differs from run to run."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", text)
    text = re.sub(r"[0-9a-f]{16}\.\.\.", "HASH", text)
    text = re.sub(r"kill -9 \d+|PostgreSQL \S+", "", text)
    return re.sub(r"(figure|bytes a version).*", r"\1", text)


def test_every_answer_is_what_it_should_be(demo):
    assert "NOT WHAT IT SHOULD BE" not in demo
    scenes = re.findall(r"^(\d)  (?:\w.*)\n\S.*\n\w*(?:-1)?> ", demo, re.MULTILINE)
    assert scenes == list("12345"), "each scene has a heading, one line that introduces it, and begins with a question"
    assert 60 <= len(demo.split("The server stays up")[0].splitlines()) <= 90


def test_keep_leaves_the_server_up_and_hands_over_to_psql(demo):
    assert re.search(r"The server stays up.*\n count \n-+\n +1\n", demo, re.DOTALL)


def test_the_recording_shows_what_the_demo_prints(demo):
    recorded = re.findall(r"<text [^>]*>(.*?)</text>", (ROOT / "docs/demo.svg").read_text())
    printed = demo[: demo.index("\nThe server stays up")].rstrip().splitlines()
    assert as_shown("\n".join(map(html.unescape, recorded))) == as_shown("\n".join(printed))


def test_it_fails_where_an_answer_is_wrong(tmp_path, private_server):
    """A version is other than the script expects: it says so, goes on, and its status is not 0."""
    script = tmp_path / "run"
    source = DEMO.read_text()
    broken = source.replace('call 10 "SELECT layra.checkpoint', 'call 11 "SELECT layra.checkpoint')
    assert broken != source
    script.write_text(broken)
    script.chmod(0o755)
    done = run(private_server(), script)
    assert done.returncode == 1
    assert done.stdout.count("NOT WHAT IT SHOULD BE") == 1
    assert done.stdout.endswith("Not everything is as it should be.\n")
