"""The naive twin: the same payments, features, gates and scores, one Bytewax key for each account, one event at a time.

What one would write first, written with care: lines decoded by msgspec into records, two keyed steps in plain Python,
gates as Python expressions, river's logistic regression asked row by row, the same episodes and the same alert store.
It is given some detectors about accounts and keeps only the features that they need, where the real path keeps every
declared feature whatever it is asked for. It does less than the real path in other ways too: no devices, no legs, no
lawful-basis gate, no dead letters, no several inputs in one order, no snapshots. That it finds the same alerts as the
path with the same detectors is tested.
"""

import hashlib
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op
import msgspec
from bytewax._bytewax import cluster_main
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulLogic
from river import compose, linear_model, preprocessing

from alerts.episodes import Episodes
from alerts.record import Counterfactual, Fact, Fire, Reason, Subject
from bench.measuring import peak_bytes
from bench.plain_features import NAN, PlainFeatures, Row, needed
from bench.watched import TOKEN_KEY, chosen
from detectors.base import Detector
from detectors.discovery import all_detectors
from events.codes import STATUSES, code_of
from features.declare import duration
from features.declared import CATALOGUE
from features.plan import feature_of
from features.rows import ROUND_SUMS_MINOR, Entity, Flag, Kind, Role
from flows.national_hop import TickDone
from flows.sinks import AlertsSink
from places.forces import forces

_BATCH: Final = 1_000
_NATIONAL: Final = "national"
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_USUAL_RATE: Final = 0.02
_ACCEPTED: Final = code_of(STATUSES, "accepted")
_ROUND: Final = frozenset(ROUND_SUMS_MINOR)
_FORCE: Final = {force.ons_code: float(force.code) for force in forces() if force.ons_code}
_EPOCH: Final = date(1970, 1, 1)


class Payment(msgspec.Struct):
    """A line, as far as the twin needs it."""

    event_id: str
    ts: datetime
    rail: str
    amount_minor: int
    payer_account: str
    payee_account: str
    device_id: str = ""
    payer_force: str = ""
    payee_opened: str = ""
    new_payee: bool = False


Detectors = tuple[type[Detector], ...]


def names_of(detectors: Detectors) -> frozenset[str]:
    """The features the twin keeps: what these detectors score, show and place by, and what that is made of."""
    return needed(CATALOGUE, Entity.ACCOUNT, [name for d in detectors for _, name in d.joined()])


def python_gate(detector: type[Detector]) -> Callable[[dict[str, float]], bool]:
    """A detector's gate as a Python expression over one event's features."""
    text = str(detector.gate).replace("[", "(").replace("]", ")")
    text = re.sub(r'col\("([^"]+)"\)', r"known['\1']", text)
    text = re.sub(r"dyn (?:int|float): ", "", text)
    return eval(f"lambda known: {text}")  # type: ignore[no-any-return]  # noqa: S307 - our own detectors' text


# ----------------------------------------------------------------------------------------------------------- reading


class _LinesPart(StatefulSourcePartition[Payment, None]):
    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.decode = msgspec.json.Decoder(Payment).decode

    def next_batch(self) -> list[Payment]:
        lines = [line for _, line in zip(range(_BATCH), self.file, strict=False)]
        if not lines:
            raise StopIteration
        return [self.decode(line) for line in lines]

    def snapshot(self) -> None:
        return None


class _Lines(FixedPartitionedSource[Payment, None]):
    def __init__(self, path: Path) -> None:
        self.path = path

    def list_parts(self) -> list[str]:
        return ["one"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _LinesPart:
        return _LinesPart(self.path)


class _Door:
    """Identifiers to tokens, repeats dropped, one row for each party."""

    def __init__(self) -> None:
        self.secret = bytes.fromhex(TOKEN_KEY)
        self.seen: set[str] = set()
        self.number = 0

    def token(self, kind: str, value: str) -> str:
        form = value.replace("-", "").replace(" ", "") if kind == "account" else value
        return hashlib.blake2b(f"{kind}:{form}".encode(), key=self.secret, digest_size=16).hexdigest()

    def rows(self, payment: Payment) -> Iterable[tuple[str, tuple[int, str, Row]]]:
        if payment.event_id in self.seen:
            return []
        self.seen.add(payment.event_id)
        self.number += 1
        payer, payee = (
            self.token("account", payment.payer_account),
            self.token("account", payment.payee_account),
        )
        device = self.token("device", payment.device_id) if payment.device_id else ""
        ts = round(payment.ts.timestamp() * 1e6)
        kind = int(Kind[payment.rail.upper()])
        flags = int(Flag.FINAL) | (int(Flag.ROUND) if payment.amount_minor in _ROUND else 0)
        flags |= int(Flag.NEW_PAYEE) if payment.new_payee else 0
        value = float(payment.amount_minor)
        home = _FORCE.get(payment.payer_force, NAN)
        born = (
            (date.fromisoformat(payment.payee_opened) - _EPOCH).days * _DAY_US
            if payment.payee_opened
            else NAN
        )

        def row(role: Role, own: str, other: str, home: float, born: float) -> Row:
            used = device if role == Role.PAYER else ""
            return Row(ts, kind, int(role), _ACCEPTED, flags, value, own, other, used, "", home, born, NAN)

        return [
            (payer, (self.number, payment.event_id, row(Role.PAYER, payer, payee, home, NAN))),
            (payee, (self.number, payment.event_id, row(Role.PAYEE, payee, payer, NAN, born))),
        ]


# --------------------------------------------------------------------------------------------------------- two passes


class _Kept(StatefulLogic[Any, Any, None]):
    """One key's memory; nothing is copied for snapshots, as the run keeps none (`stateful_map` would copy all)."""

    def __init__(self, step: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        self.step = step
        self.memory: Any = None

    def on_item(self, value: Any) -> tuple[list[Any], bool]:
        self.memory, out = self.step(self.memory, value)
        return [out], False

    def snapshot(self) -> None:
        return None


def _keyed(name: str, up: Any, step: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    return op.stateful(name, up, lambda _: _Kept(step))


_Half = tuple[int, str, Row, dict[str, float]]


class _First:
    """The first keyed step: a party's own features; the half goes to itself and to the other party."""

    def __init__(self, names: frozenset[str]) -> None:
        self.features = PlainFeatures(CATALOGUE, Entity.ACCOUNT, second_pass=False, names=names)

    def step(self, memory: dict[Any, Any] | None, item: tuple[int, str, Row]) -> tuple[dict[Any, Any], _Half]:
        memory = {} if memory is None else memory
        number, event_id, row = item
        return memory, (number, event_id, row, self.features.take(row, memory))


def _to_both(item: tuple[str, _Half]) -> list[tuple[str, tuple[bool, _Half]]]:
    own, half = item
    return [(own, (True, half)), (half[2].other, (False, half))]


class _Second:
    """The second keyed step: joined with the other half, the second features, the gate and the score."""

    def __init__(self, detectors: Detectors, names: frozenset[str], *, every_row: bool) -> None:
        self.features = PlainFeatures(CATALOGUE, Entity.ACCOUNT, second_pass=True, names=names)
        self.detectors = [(d, python_gate(d), d.scorecard()) for d in detectors]
        self.models = [card.as_river() for _, _, card in self.detectors]
        self.signals = list(dict.fromkeys(s.feature for d, _, _ in self.detectors for s in d.signals))
        kept = [f for f in CATALOGUE.of(Entity.ACCOUNT) if f.name in names]
        self.asked = {f.value.of for f in kept if f.value.source == "other"}
        self.asked |= {
            f.selection.when.value.of
            for f in kept
            if f.selection and f.selection.when and f.selection.when.value.source == "other"
        }
        self.gated = self.rows = 0
        self.pipeline = None
        if every_row:
            self.pipeline = compose.Pipeline(
                preprocessing.StandardScaler(), linear_model.LogisticRegression()
            )

    def step(
        self, memory: dict[Any, Any] | None, item: tuple[bool, _Half]
    ) -> tuple[dict[Any, Any], list[Fire]]:
        if memory is None:
            memory = {"own": {}, "others": {}, "usual": {}}
        mine, half = item
        number = half[0]
        if mine:
            memory["own"][number] = half
        else:
            memory["others"][number] = half[3]
        fires: list[Fire] = []
        # in the account's own order, whichever half came first
        while memory["own"] and (first := next(iter(memory["own"]))) in memory["others"]:
            fires += self.score(memory, memory["own"].pop(first), memory["others"].pop(first))
        return memory, fires

    def score(self, memory: dict[Any, Any], half: _Half, other: dict[str, float]) -> Iterator[Fire]:
        number, event_id, row, own = half
        known = own | {f"other.{name}": other[name] for name in self.asked if name in other}
        row = msgspec.structs.replace(row, inputs=known)
        known |= self.features.take(row, memory)
        usual = self._usual(memory["usual"], known)
        self.rows += 1
        if self.pipeline is not None:
            x = {name: 0.0 if math.isnan(value) else value for name, value in known.items()}
            self.pipeline.learn_one(x, y=False)
            self.pipeline.predict_proba_one(x)
        for (detector, gate, card), model in zip(self.detectors, self.models, strict=True):
            if not gate(known):
                continue
            self.gated += 1
            values = {s.feature: known[s.feature] for s in detector.signals}
            score = model.predict_proba_one(card.strengths(values))[True]  # type: ignore[no-untyped-call]
            if score >= detector.threshold:
                yield _fire(detector, card, (number, event_id, row), known, usual, score)

    def _usual(self, memory: dict[str, tuple[float, float]], known: dict[str, float]) -> dict[str, float]:
        before = {}
        for name in self.signals:
            n, mean = memory.get(name, (0.0, NAN))
            before[name] = mean
            value = known[name]
            if not math.isnan(value):
                start = mean if n else 0.0
                memory[name] = (n + 1.0, start + max(1.0 / (n + 1.0), _USUAL_RATE) * (value - start))
        return before


def _fire(
    detector: type[Detector],
    card: Any,
    event: tuple[int, str, Row],
    known: dict[str, float],
    usual: dict[str, float],
    score: float,
) -> Fire:
    number, event_id, row = event
    values = {s.feature: known[s.feature] for s in detector.signals}
    parts = {name: part for name, part in card.contributions(values).items() if part > 0.0}
    change = card.smallest_change(values, detector.threshold)

    def words(name: str) -> str:
        return feature_of(CATALOGUE, detector.subject, name).words

    def since(name: str) -> int | None:
        within = feature_of(CATALOGUE, detector.subject, name).within
        return row.ts - duration(within) if within else None

    return Fire(
        seq=number,
        ts=row.ts,
        recorded_ts=row.ts,
        event_id=event_id,
        source="bench-payments",
        basis="synthetic-demo",
        detector=detector.id,
        detector_version=str(detector.version),
        model_version=card.version.version,
        threat=detector.threat,
        typology=detector.typology,
        four_p=detector.four_p,
        stream=detector.stream,
        subject=Subject("account", row.own),
        score=score,
        threshold=detector.threshold,
        bands=detector.bands,
        facts=tuple(Fact(n, _shown(known[n]), "", since(n), row.ts) for n in detector.facts),
        reasons=tuple(
            Reason(n, words(n), _shown(values[n]), _shown(usual[n]), part / sum(parts.values()), part)
            for n, part in sorted(parts.items(), key=lambda item: -item[1])
        ),
        contributions=card.contributions(values),
        features={n: _shown(v) for n, v in values.items()},
        usual={n: v for n, v in usual.items() if not math.isnan(v)},
        counterfactual=None
        if change is None
        else Counterfactual(change[0], _shown(values[change[0]]), change[1], words(change[0])),
        home_force=0 if math.isnan(known[detector.place]) else int(known[detector.place]),
        harm=detector.harm,
        quiet_after_us=detector.quiet_hours * _HOUR_US,
    )


def _shown(value: float) -> float | None:
    return None if math.isnan(value) else value


# ------------------------------------------------------------------------------------------------------- alerts, running


class _National:
    """One key for what crosses accounts: firings become episodes and alerts, as in the real path."""

    def __init__(self) -> None:
        self.ticks = 0

    def step(self, episodes: Episodes | None, fire: Fire) -> tuple[Episodes, TickDone]:
        episodes = episodes or Episodes()
        alerts = list(episodes.advance(fire.recorded_ts))
        alert = episodes.fire(fire)
        alerts += [] if alert is None else [alert]
        self.ticks += 1
        return episodes, TickDone(self.ticks, 1, fire.ts, tuple(alerts), time.time())


def run(path: Path, folder: Path, detectors: Detectors, *, every_row: bool) -> dict[str, Any]:
    """Run the twin over a file of payments; gives seconds, events, rows past a gate, and what it found."""
    names = names_of(detectors)
    door, first, national = _Door(), _First(names), _National()
    second = _Second(detectors, names, every_row=every_row)
    flow = Dataflow("twin")
    payments = op.input("lines", flow, _Lines(path))
    halves = _keyed("first", op.flat_map("parties", payments, door.rows), first.step)
    scored = _keyed("second", op.flat_map("to_both", halves, _to_both), second.step)
    fires = op.flat_map("fires", scored, lambda item: [(_NATIONAL, fire) for fire in item[1]])
    done = _keyed("national", fires, national.step)
    sink = AlertsSink(
        f"sqlite:///{folder / 'alerts.sqlite'}",
        folder / "alerts.ndjson",
        folder / "alerts.json",
        lambda tally: None,
    )
    op.output("alerts", done, sink)
    started = time.perf_counter()
    cluster_main(flow, [], 0, epoch_interval=timedelta(seconds=10.0))  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - started
    written = folder / "alerts.ndjson"
    lines = written.read_bytes().splitlines() if written.exists() else []
    alerts = [msgspec.json.decode(line) for line in lines]
    return {
        "seconds": seconds,
        "events": door.number,
        "gated_share": second.gated / max(1, second.rows),
        "alerts": len(lines),
        "found": sorted({(alert["detector"], alert["subjects"][0]["token"]) for alert in alerts}),
    }


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """The twin, after a warm-up, on the payments an order names."""
    with tempfile.TemporaryDirectory(prefix="linewatch-bench-") as folder:
        for name in ("warm", "run"):
            (Path(folder) / name).mkdir()
        every_row = bool(order.get("every_row"))
        detectors = chosen(order["detectors"], all_detectors())
        run(Path(order["warm"]["payments"]), Path(folder) / "warm", detectors, every_row=every_row)
        measured = run(
            Path(order["inputs"]["payments"]), Path(folder) / "run", detectors, every_row=every_row
        )
        held = {"features": len(names_of(detectors)), "detectors": [d.id for d in detectors]}
        return measured | {"holds": held, "peak_bytes": peak_bytes()}
