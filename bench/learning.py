"""Does learning help: the author's scorecard frozen on day one, beside the same one taught by what analysts find.

Two worlds one after the other, the second with the same crimes done in another way. Every row that passed the gate is
in their example stores (replayed with `--learn`, no labels and LINEWATCH_SAMPLE_ONE_IN=1). Each day analysts review as
many of the highest-scored subjects as they have room for (nobody twice in a week), and some drawn at random; what they
find is read from the truth, never by a detector, and known some days later. Both queues are of the same rows.

    python -m bench.learning --before WORLD --after WORLD --detector mule_account --out docs/learning-mule_account.svg
"""

import argparse
import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from alerts.record import when_us
from detectors.base import Detector
from detectors.discovery import detector
from events.tokens import Key, token_of
from models.drift import Watch
from models.examples import VALUE, Example, ExampleStore, drawn
from models.labels import Label
from models.scorecard import Scorecard, Weights
from models.teaching import Taught, Teacher

DAY_US: Final = 86_400_000_000
AGAIN_DAYS: Final = 7
KINDS: Final = {
    "mule_account": ("mule_network",),
    "app_scam": ("app_case",),
    "account_takeover": ("takeover",),
    "card_not_present_burst": ("card_ring",),
    "courier": ("runner",),
    "cuckooed_place": ("cuckoo",),
    "deal_line": ("line",),
}
"""Which stories of the truth make an alert of a detector right."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that passed the gate."""

    example: Example
    day: int
    right: bool


def guilty_of(world: Path, key: Key, kinds: tuple[str, ...]) -> dict[str, list[tuple[int, int]]]:
    """Subjects of such stories in a world's truth, with when, to the end of the day after."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for line in (world / "truth" / "truth.ndjson").read_text().splitlines():
        story = json.loads(line)
        if story["kind"] not in kinds:
            continue
        begin = when_us(story["from"])
        end = when_us(story["to"]) if story.get("to") else begin + 30 * DAY_US
        note = json.loads(story.get("note") or "{}")
        accounts = [note["victim_account"]] if "victim_account" in note else story["accounts"]
        named = (
            [("account", each) for each in accounts]
            + [("number", each) for each in story["numbers"]]
            + [(kind, note[kind]) for kind in ("card", "cell") if kind in note]
        )
        for kind, value in named:
            hi, lo = token_of(key, kind, value)
            found[f"{kind}:{hi:016x}{lo:016x}"].append((begin, end + DAY_US))
    return found


def rows_of(world: Path, about: type[Detector], guilty: dict[str, list[tuple[int, int]]]) -> list[Row]:
    """A world's rows in their order, each with what the truth says of it."""
    frame = ExampleStore(world / "run" / "examples").examples(about.id, about.version, 0, 4 * 10**15)
    names = [name for name in frame.columns if name.startswith(VALUE)]
    rows = []
    for one in frame.sort("ts", "seq").iter_rows(named=True):
        right = any(a <= one["ts"] <= b for a, b in guilty.get(one["subject"], ()))
        example = Example(
            event_id=one["event_id"], detector=about.id, detector_version=about.version,
            model_version=one["model_version"], subject=one["subject"], ts=one["ts"], seq=one["seq"],
            score=one["score"], threshold=about.threshold, kept_as=one["kept_as"], chance=1.0,
            alert_id=one["alert_id"], side=one["side"], values={n.removeprefix(VALUE): one[n] for n in names},
        )  # fmt: skip
        rows.append(Row(example, one["ts"] // DAY_US, right))
    return rows


class Desk:
    """One queue: the day's subjects by the highest score of their rows, reviewed as far as there is room."""

    def __init__(
        self, about: type[Detector], capacity: int, drawn_a_day: int, delay: int, *, learns: bool
    ) -> None:
        self.about, self.capacity, self.drawn_a_day = about, capacity, drawn_a_day
        self.delay, self.learns = delay, learns
        self.teacher = Teacher(
            [
                Taught(
                    about.id,
                    about.version,
                    about.signals,
                    about.says_when_right(),
                    about.scorecard().version,
                    about.threshold,
                )
            ]
        )
        self.watch = Watch(["right"])
        self.weights: Weights = about.scorecard().version
        self.pending: list[tuple[int, Label]] = []
        self.last: dict[str, int] = {}
        self.found: list[dict[str, Any]] = []
        self._labels = 0

    def day(self, day: int, rows: list[Row], possible: set[str]) -> None:
        """Work through one day's rows."""
        if self.learns:
            self._learn(day)
        names = [signal.feature for signal in self.about.signals]
        values = np.array(
            [[np.nan if (v := row.example.values.get(n)) is None else v for n in names] for row in rows]
        )
        scores = Scorecard(self.about.signals, self.weights).score(values)
        best: dict[str, tuple[float, int]] = {}
        for place, row in enumerate(rows):
            subject = row.example.subject
            if (
                day - self.last.get(subject, -AGAIN_DAYS) >= AGAIN_DAYS
                and scores[place] > best.get(subject, (-1.0, 0))[0]
            ):
                best[subject] = (float(scores[place]), place)
        queue = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[: self.capacity]
        hits = 0
        for subject, (_, place) in queue:
            hits += rows[place].right
            self.last[subject] = day
            self._reviewed(day, rows[place])
        rest = [row for row in rows if row.example.subject not in self.last]
        rest.sort(key=lambda row: (not drawn(row.example.event_id, self.about.id, 50), row.example.event_id))
        for row in rest[: self.drawn_a_day]:
            self.last[row.example.subject] = day
            self._reviewed(day, row)
        self.watch.see(day * DAY_US, {"right": hits / max(1, len(queue))})
        self.found.append(
            {"day": day, "reviewed": len(queue), "right": hits, "possible": min(len(possible), self.capacity)}
        )

    def _reviewed(self, day: int, row: Row) -> None:
        """An analyst looks at a row, and says some days later what was found."""
        one = row.example
        if self.learns:
            self.teacher.take([one])
        self._labels += 1
        at = (day + self.delay) * DAY_US
        word = "confirmed" if row.right else "innocent"
        label = Label(
            event_id=f"r{self._labels}", about=f"event:{one.event_id}", label=word, at=at, origin="analyst",
            typology=self.about.typology, subjects=(one.subject,), role=self._role(row), seq=self._labels,
        )  # fmt: skip
        self.pending.append((day + self.delay, label))

    def _role(self, row: Row) -> str:
        return "" if not row.right else "victim" if self.about.victim else "complicit"

    def _learn(self, day: int) -> None:
        due = [label for at, label in self.pending if at <= day]
        self.pending = [(at, label) for at, label in self.pending if at > day]
        if due:
            self.teacher.hear(due)
            self.teacher.learn(day * DAY_US)
            self.weights = self.teacher.in_force[self.about.id]


def run(
    about: type[Detector], worlds: list[Path], key: Key, capacity: int, drawn_a_day: int, delay: int
) -> dict[str, Any]:
    """Both desks over both worlds."""
    desks = {
        "frozen": Desk(about, capacity, drawn_a_day, delay, learns=False),
        "taught": Desk(about, capacity, drawn_a_day, delay, learns=True),
    }
    change, first = 0, None
    for world in worlds:
        rows = rows_of(world, about, guilty_of(world, key, KINDS[about.id]))
        by_day: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_day[row.day].append(row)
        change = min(by_day)
        first = change if first is None else first
        for day in sorted(by_day):
            possible = {row.example.subject for row in by_day[day] if row.right}
            for desk in desks.values():
                desk.day(day, by_day[day], possible)
    return {"first": first, "change": change, "desks": desks}


def weekly(desk: Desk, first: int) -> list[tuple[int, int, int, int]]:
    """By week: reviewed, right, and how many could have been."""
    weeks: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in desk.found:
        for place, name in enumerate(("reviewed", "right", "possible")):
            weeks[(one["day"] - first) // 7][place] += one[name]
    return [(week + 1, *weeks[week]) for week in sorted(weeks)]  # type: ignore[misc]


def draw(told: dict[str, Any], about: type[Detector], capacity: int, out: Path) -> None:
    """Precision at capacity by week, as a picture."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "linewatch"
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for name, style in (("frozen", "--"), ("taught", "-")):
        weeks = weekly(told["desks"][name], told["first"])
        axes.plot(
            [w for w, *_ in weeks],
            [right / max(1, seen) for _, seen, right, _ in weeks],
            style,
            marker="o",
            label=name,
        )
    best = weekly(told["desks"]["taught"], told["first"])
    axes.plot(
        [w for w, *_ in best],
        [possible / max(1, seen) for _, seen, _, possible in best],
        ":",
        color="grey",
        label="most that was possible",
    )
    axes.axvline((told["change"] - told["first"]) / 7 + 0.5, color="grey", linewidth=0.8)
    axes.annotate("criminals change", ((told["change"] - told["first"]) / 7 + 0.55, 0.02), fontsize=8)
    axes.set(
        title=f"{about.id}: precision of {capacity} reviews a day",
        xlabel="week",
        ylabel="share confirmed",
        ylim=(0, 1.02),
    )
    axes.legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    """The comparison as a table, and as a picture where asked."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--before", type=Path, required=True)
    asked.add_argument("--after", type=Path, required=True)
    asked.add_argument("--detector", default="mule_account", choices=sorted(KINDS))
    asked.add_argument("--capacity", type=int, default=10)
    asked.add_argument(
        "--drawn", type=int, default=2, help="reviews a day of rows drawn at random, beside the capacity"
    )
    asked.add_argument("--delay", type=int, default=2, help="days until a review's outcome is known")
    asked.add_argument("--out", type=Path)
    told = asked.parse_args()
    about = detector(told.detector)
    key = Key("k1", bytes.fromhex(os.environ["LINEWATCH_TOKEN_KEY"]))
    done = run(about, [told.before, told.after], key, told.capacity, told.drawn, told.delay)
    print(
        f"{about.id} {about.version}: {told.capacity} reviews a day, {told.drawn} more at random, known after {told.delay} days"
    )
    print("| week | possible | frozen | taught |\n|---|---|---|---|")
    frozen, taught = (weekly(done["desks"][name], done["first"]) for name in ("frozen", "taught"))
    for (week, seen, right, possible), (_, _, other, _) in zip(frozen, taught, strict=True):
        print(f"| {week} | {possible / seen:.3f} | {right / seen:.3f} | {other / seen:.3f} |")
    for name in ("frozen", "taught"):
        desk = done["desks"][name]
        before = [o for o in desk.found if done["change"] - 14 <= o["day"] < done["change"]]
        level = sum(o["right"] for o in before) / max(1, sum(o["possible"] for o in before))
        print(
            f"{name}: {level:.3f} of what was possible in the fortnight before the change; {recovery(desk, done['change'], level)}"
        )
    weights = done["desks"]["taught"].weights
    print(f"in force at the end: {weights.version}")
    if told.out is not None:
        draw(done, about, told.capacity, told.out)


def recovery(desk: Desk, change: int, level: float) -> str:
    """After how many days the share of what was possible is again nine tenths of what it was, over a week."""
    days = [o for o in desk.found if o["day"] >= change]
    for at in range(7, len(days) + 1):
        week = days[at - 7 : at]
        share = sum(o["right"] for o in week) / max(1, sum(o["possible"] for o in week))
        if share >= 0.9 * level:
            return f"back to nine tenths of that within {week[-1]['day'] - change + 1} days"
    return "not back to nine tenths of that by the end"


if __name__ == "__main__":
    main()
