"""A small world for the flows: one mule, one deal line, ordinary people; and a flow run in processes of its own."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flows.running import RunOptions, Summary

KEY = "5a" * 32
START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)

EXTRA = Path(__file__).parent / "extra"
"""On the path of every flow that is run here: detectors of the tests' own, beside those that are shipped."""

RUNNER = """
import sys, msgspec
from pathlib import Path
from flows.running import RunOptions, replay
options = msgspec.json.decode(sys.stdin.buffer.read(), type=RunOptions, dec_hook=lambda kind, value: kind(value))
print(msgspec.json.encode(replay(options)).decode())
"""


def _environment(data: Path) -> dict[str, str]:
    """What a process of the flow is told: the same in every way to run it, so that all run the same detectors."""
    path = os.pathsep.join([str(EXTRA), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"LINEWATCH_DATA": str(data), "LINEWATCH_TOKEN_KEY": KEY, "PYTHONPATH": path}


def _stamp(at: datetime) -> str:
    return at.isoformat()


def _payment(n: int, at: datetime, payer: str, payee: str, pence: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"p{n:06d}",
        "ts": _stamp(at),
        "source": "bank",
        "rail": "fps",
        "amount_minor": pence,
        "payer_account": payer,
        "payee_account": payee,
        "payment_id": f"pay{n:06d}",
    } | more


def _payments(rng: random.Random) -> list[dict[str, Any]]:
    records = []
    people = [f"00-00-20 {k:08d}" for k in range(60)]
    mule = "00-00-11 00000001"
    for n in range(2_500):
        at = START + timedelta(seconds=rng.uniform(0, 4 * 86_400))
        payer, payee = rng.sample(people, 2)
        phone = {"payer_phone": f"+44770090{int(payer[-3:]):04d}"[:13]} if rng.random() < 0.3 else {}
        records.append(
            _payment(n, at, payer, payee, rng.randrange(100, 9_000), device_id=f"d{payer[-2:]}", **phone)
        )
    for n in range(40):
        at = START + timedelta(days=3, minutes=25 * n)
        records.append(
            _payment(5_000 + 2 * n, at, people[n % 30], mule, 60_000 + 100 * n, payee_opened="2026-02-10")
        )
        out = at + timedelta(minutes=7)
        records.append(
            _payment(
                5_001 + 2 * n,
                out,
                mule,
                f"00-00-40 {n % 4:08d}",
                59_000 + 100 * n,
                payer_phone="+447700900001",
            )
        )
    records.sort(key=lambda r: str(r["ts"]))
    return records


def _telecoms(rng: random.Random) -> list[dict[str, Any]]:
    line, records = "+447700900001", []

    def add(at: datetime, **record: Any) -> None:
        records.append({"event_id": f"t{len(records):06d}", "ts": _stamp(at), "source": "operator"} | record)

    for _ in range(2_500):
        at = START + timedelta(seconds=rng.uniform(0, 4 * 86_400))
        a, b = rng.sample(range(100, 200), 2)
        kind = rng.choice(["call", "sms", "data"])
        if kind == "data":
            add(at, kind="data", number=f"+447700900{a}", bytes_down=rng.randrange(10**7), bytes_up=1_000)
        elif kind == "sms":
            add(at, kind="sms", number=f"+447700900{a}", other_number=f"+447700900{b}", direction="mo")
        else:
            add(
                at, kind="call", number=f"+447700900{a}", other_number=f"+447700900{b}", direction="mt",
                phase="complete", answered=True, duration_s=rng.randrange(5, 400), imei=f"0010000{a:07d}0",
            )  # fmt: skip
    burner = {"prepaid": True, "sim_activated": "2026-02-25", "imei": "001000001234567"}
    for flare in range(9):
        at = START + timedelta(days=1 + flare // 3, hours=4 * (flare % 3) + 6)
        for k in range(40):
            add(
                at + timedelta(seconds=4 * k),
                kind="sms",
                number=line,
                other_number=f"+447700900{100 + k}",
                direction="mo",
                **burner,
            )
        for k in range(0, 40, 5):
            add(
                at + timedelta(minutes=5 + k), kind="call", number=line, other_number=f"+447700900{100 + k}",
                direction="mt", phase="complete", answered=True, duration_s=24, **burner,
            )  # fmt: skip
    records.sort(key=lambda r: str(r["ts"]))
    return records


def _control() -> list[dict[str, Any]]:
    at = START + timedelta(days=2, hours=5)
    return [
        {"event_id": "c1", "ts": _stamp(at), "source": "desk", "kind": "threshold", "detector": "mule_account", "body": {"threshold": 0.45}},
    ]  # fmt: skip


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Files of a few days: payments, telecoms, links and one control row."""
    folder = tmp_path_factory.mktemp("world")
    rng = random.Random(7)
    links = [
        {"event_id": "l1", "ts": _stamp(START), "source": "bank", "a": "account:00-00-11 00000001",
         "b": "number:+447700900001", "kind": "registered", "from": _stamp(START - timedelta(days=20))}
    ]  # fmt: skip
    streams = {"payments": _payments(rng), "telecoms": _telecoms(rng), "links": links, "control": _control()}
    inputs = {}
    for stream, records in streams.items():
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        inputs[stream] = (str(path),)
    return inputs


@dataclass(frozen=True)
class Outcome:
    """What a flow left behind."""

    alerts: bytes
    ends: dict[str, dict[str, Any]]
    summary: dict[str, Any]
    kills: int


def _wait_until_it_works(process: subprocess.Popen[bytes], kept: Path) -> None:
    """Until it writes what it knows, or is through: to be killed while it starts is to be killed before anything is."""

    def written() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in kept.rglob("*") if path.is_file()}

    before = now = written()
    while now == before and process.poll() is None:
        time.sleep(0.02)
        # A file may be replaced between being listed and being looked at: then it was at work.
        try:
            now = written()
        except FileNotFoundError:
            return


@dataclass(frozen=True)
class Flow:
    """Runs the real flow in processes of its own, and can kill it on the way."""

    folder: Path

    def run(
        self,
        inputs: dict[str, tuple[str, ...]],
        *,
        name: str,
        processes: int = 1,
        recovery: bool = False,
        kill_after: Callable[[], float] | None = None,
        store: str | None = None,
        **settings: str,
    ) -> Outcome:
        """Run to the end, killed and started again, at most 4 times, `kill_after` seconds after it began to work."""
        at = self.folder / name
        at.mkdir(exist_ok=True)
        options = {
            "inputs": inputs,
            "store": store or f"sqlite:///{at / 'alerts.sqlite'}",
            "data": str(at),
            "recovery": str(at / "recovery") if recovery else None,
            "processes": processes,
            "alerts_out": str(at / "alerts.ndjson"),
            "digests": True,
            "epoch_seconds": 0.05 if recovery else None,
        }
        environment = _environment(at) | settings
        kills, done = 0, b""
        while True:
            process = subprocess.Popen(
                [sys.executable, "-c", RUNNER],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=environment, start_new_session=True,
            )  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(json.dumps(options).encode())
            process.stdin.close()
            process.stdin = None
            if kill_after is not None and kills < 4:
                _wait_until_it_works(process, at / "recovery")
                deadline = time.monotonic() + kill_after()
                while process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    kills += 1
                    continue
            done, errors = process.communicate(timeout=600)  # machines may be busy
            assert process.returncode == 0, errors.decode()[-3000:]
            break
        run = (at / "recovery" if recovery else at) / "run" / "ends"
        ends = {path.stem: json.loads(path.read_text()) for path in sorted(run.glob("*.json"))}
        return Outcome((at / "alerts.ndjson").read_bytes(), ends, json.loads(done.splitlines()[-1]), kills)


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    """The real flow."""
    return Flow(tmp_path)


@pytest.fixture(scope="session")
def make_flow() -> Callable[[Path], Flow]:
    """The real flow, in a folder of the caller's."""
    return Flow


# ------------------------------------------------------------------------------------------------- a run without end

LIVE = """
import sys, msgspec
from flows.running import RunOptions, run
options = msgspec.json.decode(sys.stdin.buffer.read(), type=RunOptions, dec_hook=lambda kind, value: kind(value))
run(options)
"""
AGAIN = """
import sys, msgspec
from pathlib import Path
from flows.running import RunOptions, replay_ledger
options = msgspec.json.decode(sys.stdin.buffer.read(), type=RunOptions, dec_hook=lambda kind, value: kind(value))
print(msgspec.json.encode(replay_ledger(Path(sys.argv[1]), options)).decode())
"""
PATIENCE_S = 150.0
"""How long a condition is waited for before a test fails: far more than it takes, for machines that are busy."""


class Live:
    """A supervised run over files that grow, as `linewatch run` does it."""

    def __init__(self, folder: Path, store: Path | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.store = store or self.data / "alerts.sqlite"
        self.inputs = folder / "inputs"
        self.words = folder / "words.txt"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.data.mkdir(parents=True, exist_ok=True)

    def replay_ledger(self, options: RunOptions, **settings: str) -> Summary:
        """Its ledger through the flow again, in a process that knows the same detectors."""
        done = subprocess.run(
            [sys.executable, "-c", AGAIN, str(self.data / "ledger")],
            input=msgspec.json.encode(options, enc_hook=str),
            env=_environment(options.data) | settings,
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Summary)

    def start(self, streams: tuple[str, ...], processes: int = 1, **settings: str) -> None:
        """Start it; each stream is a folder of files."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for stream in streams:
            (self.inputs / stream).mkdir(parents=True, exist_ok=True)
        options = {
            "inputs": {stream: (str(self.inputs / stream),) for stream in streams},
            "store": f"sqlite:///{self.store}",
            "data": str(self.data),
            "recovery": str(self.folder / "recovery"),
            "processes": processes,
            "metrics_port": self.port,
            "follow": True,
            "alerts_out": str(self.data / "alerts.ndjson"),
            "digests": True,
            "epoch_seconds": 0.3,
        }
        environment = _environment(self.data) | settings
        with self.words.open("ab") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LIVE], stdin=subprocess.PIPE, stderr=words, stdout=words,
                env=environment, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(options).encode())
        self.process.stdin.close()

    def feed(self, stream: str, lines: list[str]) -> None:
        """Let a file of a stream grow."""
        with (self.inputs / stream / "growing.ndjson").open("a") as file:
            file.writelines(lines)

    def get(self, path: str) -> tuple[int, str]:
        """What it answers; 0 when it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()
        except OSError:
            return 0, ""

    def waits_for(self) -> list[str]:
        """Why it is not ready, in its own words; empty when it is or does not answer."""
        status, body = self.get("/readyz")
        return list(json.loads(body)["waits_for"]) if status == 503 else []

    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def number(self, name: str) -> float:
        """The sum over a metric's labels."""
        rows = [
            line
            for line in self.get("/metrics")[1].splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(float(line.rsplit(" ", 1)[1]) for line in rows)

    def taken(self) -> int:
        """How many events have gone through, as of the last epoch."""
        try:
            tally = json.loads((self.folder / "recovery" / "run" / "letters.json").read_text())
        except (OSError, ValueError):
            return 0
        return int(sum(tally["events"].values()))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until something holds; gives what it gave."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            assert self.process is None or self.process.poll() is None, f"it ended: {self.said()}"
            time.sleep(0.1)
        raise AssertionError(f"waited in vain until {what}: {self.said()}")

    def children(self) -> list[int]:
        """Its processes."""
        assert self.process is not None
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        except OSError:
            return []
        return [int(each) for each in text.split()]

    def stop(self) -> int:
        """End it as a service manager would; gives its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        self.process = None
        return status

    def kill(self) -> None:
        """Kill the supervisor and nothing else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self) -> None:
        """End whatever is left."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def said(self) -> str:
        return self.words.read_text()[-3000:] if self.words.exists() else ""

    def digests(self) -> dict[str, str]:
        ends = sorted((self.folder / "recovery" / "run" / "ends").glob("*.json"))
        return {path.stem: json.loads(path.read_text())["digest"] for path in ends}

    def alerts(self) -> bytes:
        return (self.data / "alerts.ndjson").read_bytes()


@pytest.fixture(scope="session")
def make_live() -> Callable[..., Live]:
    """A run without end, in a folder of the caller's."""
    return Live
