"""The Python environment of the benchmarks, target/bench-venv, with the packages that they compare with."""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "benches" / "requirements.txt"
VENV = ROOT / "target" / "bench-venv"


def reexecute():
    """Runs this script again in that environment, which is made first where it is missing; returns where it is there."""
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if Path(sys.prefix) == VENV:
        return
    installed = VENV / "requirements.txt"
    if not installed.exists() or not filecmp.cmp(REQUIREMENTS, installed, shallow=False):
        print("benches: installing Python packages into target/bench-venv (about a minute)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
        shutil.copy(REQUIREMENTS, installed)
    if shutil.which("valgrind") is None:
        sys.exit("benches: there is no valgrind: apt-get install -y --no-install-recommends valgrind libc6-dbg")
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, *sys.argv])
