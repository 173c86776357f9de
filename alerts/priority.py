"""Where an alert stands in the queue: harm after the shape of MoRiLE, every part shown, children first.

The national weights are not public; the reading below is this system's own and is written out in
`docs/routing.md`. What counts how much is data (`Rules`), so that the campuses can agree on their own. Confidence is
shown beside the priority and never multiplied into it: how sure we are is not how bad it is.
"""

import tomllib
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from alerts.errors import AlertError
from alerts.record import BANDS, Fire, Priority

HARMS: Final = ("physical", "psychological", "financial")
WIDER_HARMS: Final = ("community", "environment", "geographic")
LIKELIHOODS: Final = ("frequency", "trend", "forecast", "vulnerability")
ORGANISATIONAL: Final = ("capacity_gap", "capability_gap", "priority_alignment", "public_interest")
CELLS: Final = HARMS + WIDER_HARMS + LIKELIHOODS + ORGANISATIONAL
ALIGNMENT: Final = {"county_lines": 2, "fraud": 1, "telecoms_fraud": 1}
GRADE_COUNT: Final = 5
"""A cell is 0 to 4."""
CHILD_FIRST: Final = 1_000.0
"""More than any risk: a possible child victim stands before everything else, whatever the score or the rules."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What counts how much. Children come first under any rules: that is not for setting."""

    grades: tuple[float, float, float, float, float] = (0, 1, 2, 4, 8)
    """What a harm cell of 0 to 4 counts for: each step is twice as bad as the one before."""
    levels: tuple[float, float, float] = (24.0, 48.0, 80.0)
    """From which risk on it is medium, high, critical. An assumption, to be tuned on real queues."""
    alignment: dict[str, int] = {}
    """How far a threat is a priority of the day, 0 to 4; those not named stay as in ALIGNMENT."""
    harm: dict[str, dict[str, int]] = {}
    """Cells by detector that take the place of what its file says."""
    name: str = ""
    """Shown with every priority; the digest of the file when the rules come from one."""


STANDING: Final = Rules()
"""The rules that come with Linewatch."""


def read_rules(path: Path) -> Rules:
    """Priority rules from a TOML file; what it does not say stays as it is.

    Raises:
        AlertError: the file is not there, or says what cannot be.
    """
    try:
        raw = path.read_bytes()
        rules = msgspec.convert(tomllib.loads(raw.decode()), Rules)
    except OSError as wrong:
        raise AlertError(f"the priority rules {path} cannot be read: {wrong.strerror}") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as wrong:
        raise AlertError(
            f"{path} is no set of priority rules ({wrong}): docs/routing.md shows what may be said"
        ) from wrong
    fault = _fault(rules)
    if fault:
        raise AlertError(f"{path} is no set of priority rules: {fault}")
    digest = blake2b(raw, digest_size=4).hexdigest()
    return msgspec.structs.replace(rules, name=f"{rules.name or path.stem}-{digest}")


def _fault(rules: Rules) -> str:
    if list(rules.grades) != sorted(rules.grades) or rules.grades[0] < 0:
        return "grades must not fall: a worse harm never counts less"
    if list(rules.levels) != sorted(rules.levels):
        return "levels must rise: medium, high, critical"
    cells = [value for known in rules.harm.values() for value in known.values()]
    if any(not 0 <= value < GRADE_COUNT for value in (*cells, *rules.alignment.values())):
        return "a cell is 0 to 4"
    unknown = sorted({name for known in rules.harm.values() for name in known} - set(CELLS))
    return f"no such cell: {', '.join(unknown)} (there are {', '.join(CELLS)})" if unknown else ""


def priority(fire: Fire, event_count: int = 1, regions: int = 1, rules: Rules = STANDING) -> Priority:
    """The priority of an alert, from the cells its detector knows and the rest derived from the evidence."""
    cells = _cells(fire, event_count, regions, rules)
    worst = [rules.grades[cells[name]] for name in HARMS]
    wider = [rules.grades[cells[name]] for name in WIDER_HARMS]
    harm = max(worst) + sum(worst) / len(HARMS) + sum(wider)
    likelihood = sum([cells[name] for name in LIKELIHOODS]) / len(LIKELIHOODS)
    risk = harm * likelihood
    organisational = float(sum([cells[name] for name in ORGANISATIONAL]))
    child_first = fire.minor
    # Risk first, then the organisational position, then the score: each a tie-break of the one before. Rules may
    # count harm higher than the standing ones do; nothing they say comes before a child.
    place = min(risk + organisational / 100 + fire.score / 1_000, CHILD_FIRST - 1.0)
    order = round(CHILD_FIRST * child_first + place, 6)
    return Priority(
        order=order,
        level="critical" if child_first else BANDS[sum(risk >= cut for cut in rules.levels)],
        child_first=child_first,
        harm=harm,
        likelihood=likelihood,
        risk=risk,
        organisational=organisational,
        confidence=confidence(fire),
        cells=cells,
        rules=rules.name,
    )


def confidence(fire: Fire) -> str:
    """How sure we are, L, M or H: another stream or detector that says the same counts for more than a score."""
    points = len(fire.corroborated_by) + (fire.band in ("high", "critical"))
    return "LMH"[min(points, 2)]


def _cells(fire: Fire, event_count: int, regions: int, rules: Rules) -> dict[str, int]:
    cells = dict.fromkeys(CELLS, 0)
    cells["geographic"] = min(regions, 4)
    cells["frequency"] = min(1 + (event_count.bit_length() - 1) // 2, 4)  # 1, 4, 16, 64 firings
    cells["trend"] = 2  # neither rising nor falling, until a detector says
    cells["forecast"] = 1 + BANDS.index(fire.band)
    cells["vulnerability"] = 4 if fire.minor else 3 if fire.vulnerable else 1
    cells["priority_alignment"] = (ALIGNMENT | rules.alignment).get(fire.threat, 1)
    for name, value in {**fire.harm, **rules.harm.get(fire.detector, {})}.items():
        if name in cells:
            cells[name] = min(max(value, 1 if name in LIKELIHOODS else 0), 4)
    return cells
