"""Where an alert stands in the queue: harm after the shape of MoRiLE, every part shown, children first.

The national weights are not public; the reading below is this system's own and is written out in
`docs/routing.md`. Confidence is shown beside the priority and never multiplied into it: how sure we are is not how
bad it is.
"""

from typing import Final

from alerts.record import BANDS, Fire, Priority

HARMS: Final = ("physical", "psychological", "financial")
WIDER_HARMS: Final = ("community", "environment", "geographic")
LIKELIHOODS: Final = ("frequency", "trend", "forecast", "vulnerability")
ORGANISATIONAL: Final = ("capacity_gap", "capability_gap", "priority_alignment", "public_interest")
CELLS: Final = HARMS + WIDER_HARMS + LIKELIHOODS + ORGANISATIONAL

GRADES: Final = (0, 1, 2, 4, 8)
"""What a harm cell of 0 to 4 counts for: each step is twice as bad as the one before."""
LEVELS: Final = ((80.0, "critical"), (48.0, "high"), (24.0, "medium"), (0.0, "low"))
"""From which risk on; risk runs from 0 to 160. An assumption, to be tuned on real queues."""
CHILD_FIRST: Final = 1_000.0
"""More than any risk: a possible child victim stands before everything else, whatever the score."""


def priority(fire: Fire, event_count: int = 1, regions: int = 1) -> Priority:
    """The priority of an alert, from the cells its detector knows and the rest derived from the evidence."""
    cells = _cells(fire, event_count, regions)
    worst = [GRADES[cells[name]] for name in HARMS]
    wider = [GRADES[cells[name]] for name in WIDER_HARMS]
    harm = max(worst) + sum(worst) / len(HARMS) + sum(wider)
    likelihood = sum([cells[name] for name in LIKELIHOODS]) / len(LIKELIHOODS)
    risk = harm * likelihood
    organisational = float(sum([cells[name] for name in ORGANISATIONAL]))
    child_first = fire.minor
    # Risk first, then the organisational position, then the score: each a tie-break of the one before.
    order = round(CHILD_FIRST * child_first + risk + organisational / 100 + fire.score / 1_000, 6)
    return Priority(
        order=order,
        level="critical" if child_first else next(level for cut, level in LEVELS if risk >= cut),
        child_first=child_first,
        harm=harm,
        likelihood=likelihood,
        risk=risk,
        organisational=organisational,
        confidence=confidence(fire),
        cells=cells,
    )


def confidence(fire: Fire) -> str:
    """How sure we are, L, M or H: another stream or detector that says the same counts for more than a score."""
    points = len(fire.corroborated_by) + (fire.band in ("high", "critical"))
    return "LMH"[min(points, 2)]


def _cells(fire: Fire, event_count: int, regions: int) -> dict[str, int]:
    cells = dict.fromkeys(CELLS, 0)
    cells["geographic"] = min(regions, 4)
    cells["frequency"] = min(1 + (event_count.bit_length() - 1) // 2, 4)  # 1, 4, 16, 64 firings
    cells["trend"] = 2  # neither rising nor falling, until a detector says
    cells["forecast"] = 1 + BANDS.index(fire.band)
    cells["vulnerability"] = 4 if fire.minor else 3 if fire.vulnerable else 1
    cells["priority_alignment"] = 2 if fire.threat == "county_lines" else 1
    for name, value in fire.harm.items():
        if name in cells:
            cells[name] = min(max(value, 1 if name in LIKELIHOODS else 0), 4)
    return cells
