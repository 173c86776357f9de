"""How often the watch over errors sounds where nothing changes: outcomes of a real run, put into an order of chance.

Every subject keeps its rows, and the days on which they became known keep how many subjects they have; which subject falls on which day is
drawn anew, so nothing changes over time and every alarm is a false one.

    python -m bench.quiet_watch DATA --detector mule_account --times 200
"""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np

from bench.learning import DAY_US
from detectors.discovery import detector
from models.drift import ErrorWatch
from models.examples import ExampleStore
from models.labels import LabelBook, labelled
from models.typologies import horizon_us

_EVER: Final = 4 * 10**15
Votes = dict[str, list[tuple[float, float, bool]]]


def outcomes(data: Path, name: str) -> tuple[Votes, list[int]]:
    """By subject and day the scores, thresholds and outcomes that became known; and how many of those there were a day."""
    about = detector(name)
    rows = ExampleStore(data / "examples").examples(about.id, about.version, 0, _EVER)
    book = LabelBook(data / "examples" / "labels.ndjson").known(_EVER)
    known = labelled(rows, book, _EVER, horizon_us(about.typology), claim=about.says_when_right())
    votes: Votes = defaultdict(list)
    days: dict[int, set[str]] = defaultdict(set)
    for row in known.sort("known_at", "seq").iter_rows(named=True):
        day = row["known_at"] // DAY_US
        votes[f"{row['subject']} {day}"].append((row["score"], row["threshold"], row["right"] > 0))
        days[day].add(row["subject"])
    return votes, [len(days[day]) for day in sorted(days)]


def alarms(votes: Votes, days: list[int], rng: np.random.Generator, *, once: bool) -> int:
    """How often it sounds when subjects come in an order of chance."""
    names, watch, at = rng.permutation(sorted(votes)), ErrorWatch(), 0
    for day, count in enumerate(days):
        for name in names[at : at + count]:
            mine = votes[str(name)][:1] if once else votes[str(name)]
            for score, threshold, right in mine:
                watch.see(day * DAY_US, score, threshold, right=right)
        at += count
    return len(watch.moved)


def main() -> None:
    """The rate, with every row heard and with one a subject and day."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", type=Path)
    asked.add_argument("--detector", action="append", required=True)
    asked.add_argument("--times", type=int, default=200)
    told = asked.parse_args()
    for name in told.detector:
        votes, days = outcomes(told.data, name)
        rows = sum(map(len, votes.values()))
        for once in (False, True):
            rng = np.random.default_rng(1)
            found = sum(alarms(votes, days, rng, once=once) for _ in range(told.times))
            weeks = told.times * len(days) / 7
            print(
                f"{name}: {len(votes)} subjects a day, {rows} rows, {'one vote each' if once else 'every row'}: "
                f"{found} alarms in {weeks:.0f} quiet weeks, {found / weeks:.4f} a week"
            )


if __name__ == "__main__":
    main()
