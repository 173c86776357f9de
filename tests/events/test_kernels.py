"""Compiled kernels are kept where an update cannot find stale ones."""

import subprocess
import sys
from pathlib import Path

import pytest

_ASK = "import events.kernels, numba; print(numba.config.CACHE_DIR)"


def _folder(monkeypatch: pytest.MonkeyPatch, house: Path, cache: Path) -> str:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    asked = subprocess.run(
        [sys.executable, "-c", _ASK], cwd=house, capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()


def test_a_changed_source_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = Path(__file__).resolve().parents[2]
    house = tmp_path / "house"
    for name in ("events/__init__.py", "events/kernels.py", "events/codes.py", "events/tokens.py"):
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        (house / name).write_bytes((ours / name).read_bytes())
    before = _folder(monkeypatch, house, tmp_path / "cache")
    again = _folder(monkeypatch, house, tmp_path / "cache")
    (house / "events/codes.py").write_bytes((house / "events/codes.py").read_bytes() + b"\n# changed\n")
    after = _folder(monkeypatch, house, tmp_path / "cache")

    assert before == again
    assert before != after
    assert Path(after).parent == tmp_path / "cache"
