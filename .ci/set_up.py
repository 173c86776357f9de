"""Makes .venv ready for what is asked of it: `run` (what Linewatch needs) or `dev` (its tests too).

Called by every target of the Makefile. It uses nothing but the standard library of Python 3.11 or 3.12, does its
work once (a stamp in .venv says for which lock files and which Python) and is then a matter of milliseconds. Two
calls at the same time are safe: the second waits for the first.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}
SUITABLE = ((3, 11), (3, 12))


def stamp_of(level: str) -> str:
    """What the stamp must say for `.venv` to be as the lock file, the project file and this Python want it."""
    digest = hashlib.sha256()
    for path in (LOCKS[level], ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return f"{sys.version_info.major}.{sys.version_info.minor} {digest.hexdigest()}"


def is_ready(level: str) -> bool:
    """Whether `.venv` stands and was last made ready for the level, or for more."""
    if not (VENV / "bin" / "python").exists():
        return False
    levels = ("run", "dev") if level == "run" else ("dev",)
    return any(_said(each) == stamp_of(each) for each in levels)


def _said(level: str) -> str:
    stamp = VENV / f".ready-{level}"
    return stamp.read_text() if stamp.exists() else ""


def _pip(*arguments: str) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", *quiet, *arguments]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(
            "Setting up did not succeed: pip's own words are above. "
            "Check that this machine reaches a Python package index, then try again."
        )


def make_ready(level: str) -> None:
    """Creates `.venv` where there is none for this Python, installs the pinned packages, then Linewatch itself."""
    print(
        f"Setting up .venv for '{level}' with Python {sys.version.split()[0]} (once; a minute or two)",
        flush=True,
    )
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = VENV / "bin" / "python"
    if VENV.exists() and not ((VENV / "lib" / version).is_dir() and python.exists()):
        shutil.rmtree(VENV)
    if not python.exists():
        venv.create(VENV, with_pip=True)
    for stamp in VENV.glob(".ready-*"):
        stamp.unlink()
    _pip("--require-hashes", "--only-binary", ":all:", "-r", str(LOCKS[level]))
    _pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    (VENV / f".ready-{level}").write_text(stamp_of(level))
    print("Set up.", flush=True)


def main() -> None:
    """Reads the level, takes the lock, and makes ready what is not."""
    level = sys.argv[1] if len(sys.argv) > 1 else "run"
    if level not in LOCKS:
        sys.exit(f"'{level}' is not a level: say run or dev.")
    if sys.version_info[:2] not in SUITABLE:
        sys.exit(f"Linewatch needs Python 3.11 or 3.12; this is {sys.version.split()[0]}.")
    if is_ready(level):
        return
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_ready(level):
            make_ready(level)


if __name__ == "__main__":
    main()
