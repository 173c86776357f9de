"""The house: its rooms import from anywhere, its names collide with nobody's, its version floors agree."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = PROJECT["tool"]["importlinter"]["root_packages"]
LOCKS = ("requirements.lock", "requirements-dev.lock")
OTHER_TEXT = {
    ".md",
    ".toml",
    ".lock",
    ".py",
    ".yml",
    ".yaml",
    ".svg",
    ".ini",
    ".cfg",
    ".txt",
    ".sh",
    ".service",
    "",
}
SKIPPED = {".git", ".venv", ".cache", "build", "dist", "linewatch-data"}


def _files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and path.suffix in OTHER_TEXT]


def _pins(name: str) -> dict[str, list[tuple[str, str]]]:
    """Each pinned package with its versions and the condition each is for."""
    pins: dict[str, list[tuple[str, str]]] = {}
    for package, version, marker in re.findall(
        r"^([a-z0-9.-]+)==(\S+)(?: ; (.*?))? \\$", (ROOT / name).read_text(), flags=re.MULTILINE
    ):
        pins.setdefault(package, []).append((version, marker))
    return pins


def test_every_room_imports_from_any_folder(tmp_path: Path) -> None:
    code = f"import {', '.join(ROOMS)}; from pathlib import Path; print(*{{Path(m.__file__).parent.parent for m in ({', '.join(ROOMS)})}})"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(ROOT)


def test_the_command_runs_from_a_folder_with_rooms_of_the_same_name(tmp_path: Path) -> None:
    for room in ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise ImportError('the wrong room')\n")
    command = Path(sys.executable).parent / "linewatch"
    done = subprocess.run([command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert PROJECT["project"]["version"] in done.stdout


def test_starting_a_flow_or_a_command_does_not_wait_for_what_only_teaching_needs() -> None:
    asked = "import sys, flows.running, console.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "flows" in loaded
    assert not loaded & {"river", "sklearn", "matplotlib", "alembic"}


def test_no_installed_distribution_has_a_room_of_ours() -> None:
    owners = importlib.metadata.packages_distributions()
    taken = {room: owners[room] for room in ROOMS if set(owners.get(room, [])) - {"linewatch"}}
    assert taken == {}


def test_every_room_is_packaged_typed_and_said_what_it_is() -> None:
    included = {
        pattern.rstrip("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert set(ROOMS) <= included
    for room in ROOMS:
        assert (ROOT / room / "py.typed").exists(), f"{room}/py.typed is missing"
        assert (ROOT / room / "__init__.py").read_text().startswith('"""'), f"{room} does not say what it is"


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    # a home folder, a build folder or a Windows drive with a user in it
    path = re.compile(rb"(?<![\w.:/-])/(?:home|root|Users|work)/[\w.]|[A-Z]:\\Users\\")
    found = [
        f"{file.relative_to(ROOT)}: {match.group().decode()}"
        for file in _files()
        for match in path.finditer(file.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_index_and_no_place_on_disk(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(
        r"^\s*(-i|-e|-f|--index|--extra-index|--find-links|--trusted)", text, flags=re.MULTILINE
    )
    assert not re.search(r" @ ", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_digest(lock: str) -> None:
    text = (ROOT / lock).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_locks_hold_what_the_project_asks_for() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    asked = {
        "requirements.lock": PROJECT["project"]["dependencies"],
        "requirements-dev.lock": [*PROJECT["project"]["dependencies"], *extras["dev"], *extras["postgres"]],
    }
    for lock, wanted in asked.items():
        pins = _pins(lock)
        for line in wanted:
            requirement = Requirement(line)
            versions = pins.get(requirement.name.lower(), [])
            assert versions, f"{lock} has no pin for {requirement.name}: run make lock"
            for version, _ in versions:
                assert requirement.specifier.contains(version), (
                    f"{lock} pins {requirement.name} {version}, not {line}"
                )


def test_the_two_locks_agree() -> None:
    run, dev = (_pins(lock) for lock in LOCKS)
    assert {name: pins for name, pins in run.items() if dev.get(name) != pins} == {}


def test_the_python_versions_agree_everywhere() -> None:
    wanted = SpecifierSet(PROJECT["project"]["requires-python"])
    minors = [minor for minor in range(8, 20) if wanted.contains(f"3.{minor}.0")]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py3{minors[0]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == f"3.{minors[0]}"
    set_up = (ROOT / ".ci" / "set_up.py").read_text()
    assert f"SUITABLE = ({', '.join(f'(3, {minor})' for minor in minors)})" in set_up
    makefile = (ROOT / "Makefile").read_text()
    for minor in minors:
        assert f"(3, {minor})" in makefile
        assert f"python3.{minor}" in makefile
    assert sys.version_info[1] in minors


def test_the_changelog_speaks_of_this_version() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert versions
    assert versions[0] == PROJECT["project"]["version"]


def test_ci_runs_what_anyone_runs_and_nothing_else() -> None:
    lines = [
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert lines == ["set -eu", 'cd "$(dirname "$0")/.."', "exec make test"]
