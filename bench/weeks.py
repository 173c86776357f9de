"""Weeks of life with a flow that learns: `linewatch run --learn` follows files that grow, and a desk outside it answers.

Worlds are fed one after the other, day by day. When the flow is through a day, the desk works the highest-scored new alerts
of each detector it looks after, as many as it has room for (nobody twice in a week), and some of the rows that were put up
for review. What it finds is read from the truth, which no flow sees, and told some days later: of alerts as a stream of
labels, of rows as `linewatch decide review:…` does. The same without `--learn` is the frozen flow.

    python -m bench.weeks --world BEFORE --world AFTER --detector mule_account --capacity 10 --out taught.json
    python -m bench.weeks --world BEFORE --world AFTER --detector mule_account --frozen --out frozen.json
    python -m bench.weeks --compare frozen.json taught.json
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

import msgspec
import polars as pl

from alerts.record import when_text
from alerts.store import AlertStore
from bench.learning import DAY_US, KINDS, guilty_of
from console.retraining import Span, material, retrain
from detectors.discovery import detector
from events.tokens import Key
from flows.answering import answer, up_for_review
from flows.promoting import check_fits, publish
from flows.shelf import KEY
from flows.sinks import Tally
from models.errors import ModelError
from models.evaluating.intervals import wilson
from models.registry import Registry
from models.scorecard import Scorecard
from models.signing import signer_of
from models.training import equal_alerts, values_of

AGAIN_DAYS: Final = 7
STREAMS: Final = ("payments", "accounts", "telecoms", "links", "watch", "labels")
_WAIT_S: Final = 0.05
_STUCK_S: Final = 900.0
_T95: Final = {2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 7: 2.36, 11: 2.20, 15: 2.13, 23: 2.07}
_HOUR_US: Final = 3_600_000_000
_JSON: Final = msgspec.json.Encoder()


def days_of(world: Path, streams: Iterable[str]) -> dict[int, dict[str, pl.DataFrame]]:
    """A world's records by the day on which they were recorded."""
    found: dict[int, dict[str, pl.DataFrame]] = defaultdict(dict)
    for stream in streams:
        path = world / f"{stream}.parquet"
        if path.exists():
            frame = pl.read_parquet(path)
            day = (pl.col("recorded_ts").dt.timestamp("us") // DAY_US).alias("day")
            for (number,), rows in frame.group_by(day, maintain_order=True):
                found[int(number)][stream] = rows  # type: ignore[call-overload,unused-ignore]
    return found


def written(path: Path, frame: pl.DataFrame) -> int:
    """Append records to a growing file, as a supplier would; gives how many."""
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    told = frame.with_columns(pl.col(times).dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"))
    days = [name for name, kind in told.schema.items() if kind == pl.Date]
    rows = told.with_columns(pl.col(days).dt.to_string("%Y-%m-%d")).iter_rows(named=True)
    with path.open("ab") as file:
        file.writelines(_JSON.encode({k: v for k, v in row.items() if v is not None}) + b"\n" for row in rows)
    return frame.height


@dataclass(slots=True)
class Flow:
    """`linewatch run` in a process of its own, over files that grow."""

    data: Path
    learns: bool
    streams: tuple[str, ...]
    key: str
    fed: int = 0
    process: subprocess.Popen[bytes] | None = None

    def path(self, stream: str) -> Path:
        """The growing file of a stream."""
        return self.data / "in" / f"{stream}.ndjson"

    def start(self) -> None:
        """Start it, or start it again."""
        self.path("").parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "console.cli", "run", "--data", str(self.data)]
        for stream in self.streams:
            self.path(stream).touch()
            command += [f"--{stream}", str(self.path(stream))]
        environment = os.environ | {"LINEWATCH_TOKEN_KEY": self.key}
        with (self.data / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                command + (["--learn"] if self.learns else []), env=environment, stdout=log, stderr=log
            )

    def stop(self) -> None:
        """Stop it as a person does, with SIGINT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)

    def alert_from(self, thresholds: Mapping[str, float], day: int) -> None:
        """Let people set from where detectors alert, before the first record."""
        at = when_text(day * DAY_US)
        rows = [
            {"event_id": f"threshold-{name}", "ts": at, "recorded_ts": at, "source": "bench", "kind": "threshold",
             "detector": name, "body": {"threshold": threshold}}
            for name, threshold in thresholds.items()
        ]  # fmt: skip
        (self.data / "control").mkdir(parents=True, exist_ok=True)
        (self.data / "control" / "bench.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def feed(self, rows: Mapping[str, pl.DataFrame]) -> None:
        """Let a day's records appear."""
        for stream, frame in rows.items():
            self.fed += written(self.path(stream), frame)

    def tell(self, labels: list[dict[str, Any]]) -> None:
        """Let labels appear."""
        self.fed += len(labels)
        with self.path("labels").open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in labels)

    def wait(self) -> None:
        """Until everything that was fed is through, to the alerts in the store."""
        assert self.process is not None
        since = time.monotonic()
        while True:
            letters, alerts = (self._tally(name) for name in ("letters", "alerts"))
            taken = sum(n for stream, n in letters.events.items() if stream != "control")
            taken += sum(letters.rejected.values())
            taken += sum(
                n for name, n in letters.counts.items() if name.startswith(("repeated.", "dropped."))
            )
            if taken >= self.fed and alerts.ticks >= letters.ticks:
                return
            if self.process.poll() is not None or time.monotonic() - since > _STUCK_S:
                raise SystemExit(f"the flow stands: {taken} of {self.fed}; see {self.data / 'run.log'}")
            time.sleep(_WAIT_S)

    def _tally(self, name: str) -> Tally:
        try:
            return msgspec.json.decode(
                (self.data / "recovery" / "run" / f"{name}.json").read_bytes(), type=Tally
            )
        except (OSError, msgspec.DecodeError):
            return Tally()


Guilty = dict[str, list[tuple[int, int]]]


@dataclass(slots=True)
class Desk:
    """Who works one detector's alerts: how many a day, how long until something is known."""

    name: str
    capacity: int
    drawn: int
    delay: int
    last: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    due: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[int, list[tuple[Any, dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))
    days: list[dict[str, Any]] = field(default_factory=list)

    def work(self, day: int, flow: Flow, guilty: Guilty) -> None:
        """One day's alerts, the highest score first; then rows that were drawn."""
        store = AlertStore(f"sqlite:///{flow.data / 'alerts.sqlite'}")
        fresh = store.alerts(detector=self.name, status=None, since=day * DAY_US)
        store.close()
        fresh = tuple(a for a in fresh if day - self.last.get(a.subject.name, -AGAIN_DAYS) >= AGAIN_DAYS)
        hits = picked = 0
        for alert in sorted(fresh, key=lambda a: (-a.score, a.alert_id)):
            if picked == self.capacity or self.last.get(alert.subject.name) == day:
                continue
            self.last[alert.subject.name] = day
            right = is_guilty(guilty, alert.subject.name, alert.first_event_ts, alert.last_event_ts)
            picked, hits = picked + 1, hits + right
            self.due[day + self.delay].append(self._label(alert.alert_id, right, day + self.delay))
        possible = {
            a.subject.name
            for a in fresh
            if is_guilty(guilty, a.subject.name, a.first_event_ts, a.last_event_ts)
        }
        self.days.append({"day": day, "reviewed": picked, "right": hits, "alerts": len(fresh),
                          "possible": min(len(possible), self.capacity)})  # fmt: skip
        if flow.learns and self.drawn:
            self._draw(day, flow, guilty)

    def _draw(self, day: int, flow: Flow, guilty: Guilty) -> None:
        rows = [one for one in up_for_review(flow.data, self.name) if one.name not in self.seen]
        for row in rows[: self.drawn]:
            self.seen.add(row.name)
            right = is_guilty(guilty, row.subject, row.ts, row.ts)
            said = {"outcome": "confirmed" if right else "innocent", "confidence": "high", "by": "DC Example",
                    "reason": "other_evidence" if right else "explained_by_holder",
                    "role": self._role() if right else None}  # fmt: skip
            self.answers[day + self.delay].append((row, said))

    def _role(self) -> str:
        return "victim" if detector(self.name).victim else "complicit"

    def _label(self, alert_id: str, right: bool, day: int) -> dict[str, Any]:
        at = when_text(day * DAY_US + 9 * _HOUR_US)
        said = {"event_id": f"desk-{alert_id[:24]}", "ts": at, "recorded_ts": at, "source": "desk", "about": f"alert:{alert_id}",
                "origin": "analyst", "by": "DC Example", "typology": detector(self.name).typology,
                "label": "confirmed" if right else "innocent",
                "reason_code": "other_evidence" if right else "explained_by_holder"}  # fmt: skip
        return said | ({"role": self._role()} if right else {})

    def tell(self, day: int, flow: Flow) -> None:
        """What has become known by now."""
        flow.tell(self.due.pop(day, []))
        for row, said in self.answers.pop(day, []):
            answer(flow.data, row, said, day * DAY_US + 9 * _HOUR_US)


def is_guilty(guilty: Guilty, subject: str, first: int, last: int) -> bool:
    """Whether the truth names a subject for a time that touches this one."""
    return any(a <= last and first <= b for a, b in guilty.get(subject, ()))


def retrained(data: Path, name: str, span: Span, kinds: Iterable[str]) -> dict[str, Any]:
    """As an owner does now and then: train on what the flow kept, and let two people promote what validates better.

    Better than the champion did when it scored those rows, with what it had learnt by then.
    """
    about, day = detector(name), span.to_ts // DAY_US
    registry = Registry(data / "models", signer_of(data / KEY, make=True), clock=lambda: span.to_ts)
    found = material(data, about, span, {}, lambda *_: None)
    told: dict[str, Any] = {"day": day, "rows": found.examples.height, "promoted": ""}
    try:
        done = retrain(registry, about, found, span, "A. Owner", "weekly")
    except ModelError as why:
        return told | {"not_trained": str(why)}
    scored = precision_of(done.champions)
    made = {card.kind: card for card in done.cards}
    validated = {kind: precision_of(card.measures) for kind, card in made.items()}
    kind = max((k for k in kinds if k in made), key=lambda k: validated[k])
    told |= {"champion": scored, "validated": validated}
    if validated[kind] > scored:
        version = made[kind].version
        check_fits(registry, version)
        words = (
            f"average precision {validated[kind]:.3f} on the latest part, {scored:.3f} as the champion scored"
        )
        registry.promote(version, by="A. Owner", agreed_by="B. Second", why=words)
        publish(registry, data)
        told["promoted"] = version
    return told


def precision_of(measures: Iterable[Any]) -> float:
    """The average precision on the validation period."""
    return next(
        (m.value or 0.0 for m in measures if m.name == "average precision" and m.where == "validation"), 0.0
    )


def live(asked: argparse.Namespace) -> dict[str, Any]:
    """Feed the worlds, day by day."""
    key = "5a" * 32
    streams = tuple(
        s for s in STREAMS if any((w / f"{s}.parquet").exists() for w in asked.world) or s == "labels"
    )
    flow = Flow(asked.data, not asked.frozen, streams, key)
    desks = [
        Desk(name, capacity, asked.drawn, asked.delay)
        for name in asked.detector
        for capacity in asked.capacity
    ]
    if flow.learns and len(asked.capacity) > 1:
        raise SystemExit("one desk teaches a flow: give --capacity once, or --frozen")
    changes, retrainings, first, done = [], [], None, 0
    story: Story | None = None
    flow.data.mkdir(parents=True, exist_ok=True)
    thresholds = {name: float(value) for name, _, value in (each.partition("=") for each in asked.threshold)}
    for world in asked.world:
        guilty = {d.name: guilty_of(world, Key("k1", bytes.fromhex(key)), KINDS[d.name]) for d in desks}
        days = days_of(world, [s for s in streams if s != "labels" or not asked.desk_only])
        begins, ends = max(min(days), done + 1), max(days)
        for early in [
            day for day in sorted(days) if day < begins
        ]:  # recorded while the world before still went on
            flow.feed(days.pop(early))
        changes.append(begins)
        if first is None:
            first = begins
            flow.alert_from(thresholds, first)
            flow.start()
        for day in range(begins, ends + 1):
            done = day
            for desk in desks:
                if flow.learns:
                    desk.tell(day, flow)
            flow.feed(days.pop(day, {}))
            flow.wait()
            for desk in desks:
                desk.work(day, flow, guilty[desk.name])
            if asked.retrain_every and flow.learns and (day - first + 1) % asked.retrain_every == 0:
                since = max(first, day + 1 - asked.window) if asked.window else first
                span = Span(since * DAY_US, (day + 1) * DAY_US, (day + 1) * DAY_US, asked.horizon)
                retrainings += [
                    {"detector": d.name} | retrained(flow.data, d.name, span, asked.kind) for d in desks
                ]
            if asked.story:
                story = story or Story(asked.detector[0], flow, first, asked.horizon, asked.spoilt)
                story.evening(day)
            if asked.verbose:
                print(when_text(day * DAY_US)[:10], [d.days[-1] for d in desks], flush=True)
    flow.stop()
    measures = flow.data / "models" / "measures.json"
    return {
        "worlds": [str(w.name) for w in asked.world], "frozen": asked.frozen, "kinds": asked.kind, "thresholds": thresholds,
        "changes": changes, "days": {f"{d.name} {d.capacity}": d.days for d in desks}, "retrained": retrainings,
        "story": None if story is None else story.ended(),
        "moved": json.loads(measures.read_text())["moved"] if measures.exists() else [],
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- the story of a champion


@dataclass(slots=True)
class Story:
    """What an owner does over the weeks with one detector: retrain, let it challenge, promote it, promote a bad one."""

    name: str
    flow: Flow
    first: int
    horizon: int
    spoilt: str
    trees: str = ""
    bad: str = ""
    gone: bool = False
    seen: set[int] = field(default_factory=set)
    late: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)

    def evening(self, day: int) -> None:
        """What is done on the evening of a day."""
        number = day - self.first + 1 - self.late
        if number == RESTART:
            self.flow.stop()
            self.flow.start()
            self._say(number, "stopped and started again")
        elif number == CHALLENGE:
            try:
                self._challenge(day)
            except ModelError as why:  # everything from here on is a day later
                self.late += 1
                self._say(number, "not retrained", why=str(why))
        elif number == PROMOTE:
            self._say(number, "compared", compared=self._command("compare", self.name, "--json"))
            self._registry(day).promote(
                self.trees, by="A. Owner", agreed_by="B. Second", why="as compared in shadow"
            )
            publish(self._registry(day), self.flow.data)
            self._say(number, f"{self.trees} promoted")
        elif number == SPOIL:
            self._spoil(day)
        elif not self.gone and (number == SPOIL - 1 or 0 < number - SPOIL <= LOOKED):
            self._look(number)

    def _look(self, number: int) -> None:
        """Whether the champion was put back by itself since yesterday, and what its owner then sees."""
        time.sleep(
            _GUARD_S
        )  # a followed flow holds champions against those before once a minute, when rows come
        done = self._registry(0).rolled_back(self.name)
        if done is not None and done.number not in self.seen:
            self.seen.add(done.number)
            self.gone = done.before == self.bad
            owner = self._run("list", self.name).stderr.decode().strip()
            self._say(
                number,
                f"{done.before} rolled back",
                by=done.by,
                at=when_text(done.at),
                why=done.why,
                owner=owner,
            )

    def _registry(self, day: int) -> Registry:
        return Registry(
            self.flow.data / "models",
            signer_of(self.flow.data / KEY, make=True),
            clock=lambda: (day + 1) * DAY_US - _HOUR_US // 60,
        )

    def _challenge(self, day: int) -> None:
        """Retrain on what the flow kept, and let the trees score in shadow."""
        about, registry = detector(self.name), self._registry(day)
        span = Span(self.first * DAY_US, (day + 1) * DAY_US, (day + 1) * DAY_US, self.horizon)
        found = material(self.flow.data, about, span, {}, lambda *_: None)
        done = retrain(registry, about, found, span, "A. Owner", "for the story")
        self.trees = next(card.version for card in done.cards if card.kind == "boosted")
        registry.challenge(self.trees, by="A. Owner", why="to be compared on live records")
        publish(registry, self.flow.data)
        told = {card.version: precision_of(card.measures) for card in done.cards}
        self._say(CHALLENGE, f"{self.trees} challenges", rows=found.examples.height,
                  validated=told | {done.champion: precision_of(done.champions)})  # fmt: skip

    def _spoil(self, day: int) -> None:
        """Promote a mistake somebody could make: see SPOILT."""
        about, registry = detector(self.name), self._registry(day)
        own = about.scorecard().version
        self.bad, weights, intercept = f"{about.id}-{about.version}.rbad", dict(own.weights), own.intercept
        if self.spoilt == "turned":
            weights, intercept = {name: -weight for name, weight in weights.items()}, 1.0
        else:
            heaviest = sorted(weights, key=lambda name: -abs(weights[name]))[: len(weights) // 2]
            weights |= dict.fromkeys(heaviest, 0.0)
        bad = msgspec.structs.replace(own, version=self.bad, intercept=intercept, weights=weights)
        threshold = 0.5
        if (
            self.spoilt == "blind"
        ):  # from a threshold at which it raises as many as the one before: nobody sees it by number
            span = Span(self.first * DAY_US, (day + 1) * DAY_US, (day + 1) * DAY_US, self.horizon)
            rows = material(self.flow.data, about, span, {}, lambda *_: None).examples
            values = values_of(rows, [signal.feature for signal in about.signals])
            stands = registry.model(self.trees, about.signals).score(values)
            line = registry.card(self.trees).threshold
            threshold = equal_alerts(rows, stands, line, Scorecard(about.signals, bad).score(values))
        card = msgspec.structs.replace(
            registry.card(self.trees),
            version=self.bad,
            kind="scorecard",
            threshold=threshold,
            note=SPOILT[self.spoilt],
        )
        registry.register(card, msgspec.to_builtins(bad))
        registry.promote(self.bad, by="A. Owner", agreed_by="B. Second", why="by mistake")
        publish(registry, self.flow.data)
        self._say(SPOIL, f"{self.bad} promoted", what_is_wrong=SPOILT[self.spoilt], threshold=threshold)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "console.cli", "models", *arguments, "--data", str(self.flow.data)],
            capture_output=True, check=False, env=os.environ | {"LINEWATCH_TOKEN_KEY": self.flow.key},
        )  # fmt: skip

    def _command(self, *arguments: str) -> Any:
        done = self._run(*arguments)
        return [json.loads(line) for line in done.stdout.splitlines()] or done.stderr.decode()

    def _say(self, number: int, what: str, **more: Any) -> None:
        self.told.append({"day": number + self.late, "what": what} | more)
        print(number + self.late, what, more, flush=True)

    def ended(self) -> dict[str, Any]:
        """What was done, by whom and why, and which versions raised alerts."""
        store = AlertStore(f"sqlite:///{self.flow.data / 'alerts.sqlite'}")
        alerts = store.alerts(detector=self.name, status=None)
        store.close()
        spans: dict[str, list[int]] = {}
        for alert in alerts:
            day = alert.raised_ts // DAY_US - self.first + 1
            version = alert.model_version.partition("+")[0] + ("+" if "+" in alert.model_version else "")
            low, high, count = spans.get(version, [day, day, 0])
            spans[version] = [min(low, day), max(high, day), count + 1]
        lines = [msgspec.to_builtins(one) for one in self._registry(0).promotions(self.name)]
        return {"told": self.told, "promotions": lines, "versions": spans}


RESTART, CHALLENGE, PROMOTE, SPOIL = 10, 21, 28, 35
"""On the evening of which day what is done."""
LOOKED: Final = 12
"""For so many days after it the flow is given the time to judge every evening."""
SPOILT: Final = {
    "turned": "its signs are turned round, as if confirmed and innocent had been taken for each other",
    "blind": "it does not see the heavier half of its signals, as if their columns had been empty when it was trained",
}
_GUARD_S: Final = 62.0


# ------------------------------------------------------------------------------------------------------ what came of it


def weekly(told: Mapping[str, Any], name: str) -> list[tuple[int, int]]:
    """By week: how many could have been reviewed, and how many reviews were right."""
    first, capacity = told["changes"][0], int(name.rpartition(" ")[2])
    weeks: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for one in told["days"][name]:
        weeks[(one["day"] - first) // 7][0] += capacity
        weeks[(one["day"] - first) // 7][1] += one["right"]
    return [(weeks[w][0], weeks[w][1]) for w in sorted(weeks)]


def gained(
    pairs: list[tuple[Mapping[str, Any], Mapping[str, Any]]], name: str, *, after: bool
) -> tuple[float, float, float]:
    """By how much more of the reviews were right with learning, in whole weeks of all pairs, with 95 % (t over weeks)."""
    differences = []
    for frozen, taught in pairs:
        change = (frozen["changes"][-1] - frozen["changes"][0]) // 7
        for week, ((seen, right), (seen2, right2)) in enumerate(
            zip(weekly(frozen, name), weekly(taught, name), strict=True)
        ):
            if seen and seen2 and (week >= change) == after:
                differences.append(right2 / seen2 - right / seen)
    mean = fmean(differences)
    freedom = len(differences) - 1
    t = next((v for k, v in sorted(_T95.items()) if k >= freedom), 1.96)
    half = t * stdev(differences) / len(differences) ** 0.5
    return mean, mean - half, mean + half


def recovered(told: Mapping[str, Any], name: str) -> int | None:
    """In how many days after the change the reviews of a week find nine tenths of what they found in the fortnight before."""
    right = {int(one["day"]): int(one["right"]) for one in told["days"][name]}
    change = int(told["changes"][-1])
    before = sum(right.get(day, 0) for day in range(change - 14, change)) / 2
    for last in range(change + 6, max(right) + 1):
        if sum(right.get(day, 0) for day in range(last - 6, last + 1)) >= 0.9 * before:
            return last - change + 1
    return None


WAYS: Final = {"taught": ("-", "o"), "retrained": ("-.", "s"), "retrained trees": (":", "^")}
"""How a flow learnt, and how its line is drawn."""


def way_of(told: Mapping[str, Any]) -> str:
    """How a run's flow learnt."""
    if told["frozen"]:
        return "frozen"
    if not told["retrained"]:
        return "taught"
    return "retrained trees" if told.get("kinds") == ["boosted"] else "retrained"


def say(files: list[Path], out: Path | None) -> None:
    """Tables of frozen and taught runs, by detector and capacity."""
    told = [json.loads(path.read_text()) for path in files]
    for name in dict.fromkeys(n for one in told for n in one["days"]):
        ways = {way: found for way in WAYS if (found := _pairs(told, name, way))}
        if not ways:
            continue
        detector_, _, capacity = name.partition(" ")
        print(f"\n{detector_}, {capacity} reviews a day, {max(map(len, ways.values()))} pairs of worlds")
        frozen = next(iter(ways.values()))
        print(f"| week | frozen | {' | '.join(ways)} |\n|---|---|{'---|' * len(ways)}")
        for week in range(len(weekly(frozen[0][0], name))):
            sides = [(frozen, 0), *((pairs, 1) for pairs in ways.values())]
            shares = [_share([weekly(pair[side], name)[week] for pair in pairs]) for pairs, side in sides]
            print(f"| {week + 1} | {' | '.join(f'{share:.3f}' for share in shares)} |")
        for way, pairs in ways.items():
            for after, words in ((False, "before"), (True, "after")):
                mean, low, high = gained(pairs, name, after=after)
                print(
                    f"{way}: {mean:+.3f} of the reviews more found {words} the change ({low:+.3f} to {high:+.3f})"
                )
        days = {"frozen": [recovered(pair[0], name) for pair in frozen]}
        days |= {way: [recovered(pair[1], name) for pair in pairs] for way, pairs in ways.items()}
        print("recovered in days:", days)
        if out is not None:
            _plot(ways, name, out / f"learning-{detector_}-{capacity}.svg")


def _pairs(told: list[dict[str, Any]], name: str, way: str) -> list[tuple[Any, Any]]:
    mine = [one for one in told if name in one["days"]]
    frozen = {tuple(one["worlds"]): one for one in mine if one["frozen"]}
    return [
        (frozen[tuple(one["worlds"])], one)
        for one in mine
        if way_of(one) == way and tuple(one["worlds"]) in frozen
    ]


def _share(counts: list[tuple[int, int]]) -> float:
    return sum(right for _, right in counts) / max(1, sum(seen for seen, _ in counts))


def _plot(ways: Mapping[str, list[tuple[Any, Any]]], name: str, out: Path) -> None:
    """Shares by week with intervals of 95 % (Wilson's, of all pairs' reviews together)."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "linewatch"
    figure, axes = plt.subplots(figsize=(7, 3.6))
    frozen = next(iter(ways.values()))
    lines = {"frozen": (frozen, 0, "--", "x")} | {way: (pairs, 1, *WAYS[way]) for way, pairs in ways.items()}
    told = []
    for n, (words, (pairs, side, style, marker)) in enumerate(lines.items()):
        counts = [
            (sum(s for s, _ in each), sum(r for _, r in each))
            for each in zip(*(weekly(pair[side], name) for pair in pairs), strict=True)
        ]
        shares = [right / max(1, seen) for seen, right in counts]
        bounds = [wilson(right, seen) for seen, right in counts]
        around = [
            [max(0.0, s - low) for s, (low, _) in zip(shares, bounds, strict=True)],
            [max(0.0, high - s) for s, (_, high) in zip(shares, bounds, strict=True)],
        ]
        weeks = [week + 1 + 0.06 * n for week in range(len(shares))]
        axes.errorbar(weeks, shares, around, fmt=style, marker=marker, capsize=2, elinewidth=0.8, label=words)
        told.append(f"{words}: " + ", ".join(f"{share:.2f}" for share in shares))
    change = (frozen[0][0]["changes"][-1] - frozen[0][0]["changes"][0]) / 7 + 0.5
    axes.axvline(change, color="grey", linewidth=0.8)
    axes.annotate("criminals change", (change + 0.05, 0.95), fontsize=8)
    detector_, _, capacity = name.partition(" ")
    pairs_ = max(map(len, ways.values()))
    title = f"{detector_}, {capacity} reviews a day, {pairs_} pair{'s' * (pairs_ > 1)} of worlds"
    axes.set(title=title, xlabel="week", ylabel="right, of the places to review", ylim=(0, 1.02))
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})
    plt.close(figure)
    _describe(
        out,
        title,
        f"Right reviews as a share of the places to review, by week, with intervals of 95 %. {'; '.join(told)}.",
    )


def _describe(picture: Path, title: str, words: str) -> None:
    """Give a drawing a title and a description, for those who hear it read."""
    head, tag, rest = picture.read_text().partition("<svg ")
    inside, close, rest = rest.partition(">")
    said = f'<title id="title">{title}</title>\n <desc id="desc">{words}</desc>'
    picture.write_text(f'{head}{tag}role="img" aria-labelledby="title desc" {inside}{close}\n {said}{rest}')


def main() -> None:
    """Run, or compare runs."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--world", type=Path, action="append", default=[])
    asked.add_argument("--detector", action="append", choices=sorted(KINDS))
    asked.add_argument("--capacity", type=int, action="append", help="reviews a day of each detector")
    asked.add_argument("--drawn", type=int, default=2, help="rows put up for review that are answered, a day")
    asked.add_argument("--delay", type=int, default=2, help="days until an outcome is known")
    asked.add_argument(
        "--threshold", action="append", default=[], metavar="DETECTOR=SCORE", help="from where it alerts"
    )
    asked.add_argument("--frozen", action="store_true", help="without --learn")
    asked.add_argument("--desk-only", action="store_true", help="no labels but the desk's")
    asked.add_argument("--retrain-every", type=int, default=0, metavar="DAYS")
    asked.add_argument(
        "--window", type=int, default=0, metavar="DAYS", help="of retraining: the latest so many days alone"
    )
    asked.add_argument(
        "--kind",
        action="append",
        choices=["scorecard", "boosted"],
        help="which of what is retrained may be promoted",
    )
    asked.add_argument(
        "--horizon", type=int, default=14, help="of retraining: days of silence that count as innocence"
    )
    asked.add_argument(
        "--story", action="store_true", help="retrain, challenge, promote, spoil and be rolled back"
    )
    asked.add_argument(
        "--spoilt", choices=["turned", "blind"], default="turned", help="what is wrong with the bad one"
    )
    asked.add_argument("--data", type=Path, default=Path("weeks-data"))
    asked.add_argument("--verbose", action="store_true")
    asked.add_argument("--compare", type=Path, nargs="+")
    asked.add_argument("--out", type=Path)
    told = asked.parse_args()
    told.capacity = told.capacity or [10]
    told.kind = told.kind or ["scorecard", "boosted"]
    if told.compare:
        say(told.compare, told.out)
        return
    began = datetime.now(UTC)
    done = live(told) | {"minutes": (datetime.now(UTC) - began).total_seconds() / 60}
    if told.out is not None:
        told.out.write_text(json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
