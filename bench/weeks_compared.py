"""What came of weeks with a desk: tables and pictures of frozen, taught and retrained flows."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

from models.evaluating.intervals import wilson

_T95: Final = {2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 7: 2.36, 11: 2.20, 15: 2.13, 23: 2.07}
"""Student's t of 95 % by degrees of freedom."""


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
) -> tuple[float, float, float] | None:
    """By how much more of the reviews were right with learning, in whole weeks of all pairs, with 95 % (t over weeks).

    None when there are fewer than two weeks to tell it by.
    """
    differences = []
    for frozen, taught in pairs:
        change = (frozen["changes"][-1] - frozen["changes"][0]) // 7
        for week, ((seen, right), (seen2, right2)) in enumerate(
            zip(weekly(frozen, name), weekly(taught, name), strict=True)
        ):
            if seen and seen2 and (week >= change) == after:
                differences.append(right2 / seen2 - right / seen)
    if len(differences) < 2:
        return None
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
                difference = gained(pairs, name, after=after)
                if difference is None:
                    print(f"{way}: too few weeks {words} the change to compare")
                    continue
                mean, low, high = difference
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
