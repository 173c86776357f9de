"""The card of a model version: what it is for, what it learnt from, how good it is, and who answers for it."""

from typing import Final

import msgspec

from models.errors import ModelError

FORMAT: Final = 1
KINDS: Final = ("scorecard", "binned", "boosted", "stacked", "logistic")
"""What a version is: a scorecard's weights, binned weights, trees, binned weights on top of trees, or a logistic
regression of scikit-learn."""
ORIGINS: Final = ("analyst", "customer", "bank", "recall", "court", "random_review", "matured")
"""Where labels came from: the contract's origins, and silence beyond the horizon."""


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure on one set of examples, with its interval of 95 %."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    of: int = 0
    """How many examples it is over."""
    where: str = "validation"
    """Which examples: `validation`, or a subgroup such as `validation, age 18-20`."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time, microseconds since 1970; the end is not in it."""

    from_ts: int
    to_ts: int


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of one version. It is signed with the version's bytes."""

    format: int = FORMAT
    version: str
    lineage: str
    """The line of versions it belongs to: a detector's id, its version, and the kind of model."""
    detector: str
    detector_version: int
    kind: str
    parent: str | None = None
    purpose: str
    not_for: str
    inputs: tuple[str, ...]
    threshold: float
    trained: Window | None = None
    validated: Window | None = None
    labels: dict[str, dict[str, int]] = {}
    """How many were confirmed and innocent, by origin."""
    measures: tuple[Measure, ...] = ()
    drift: dict[str, float] = {}
    """How far each input's values in the validation period lie from those of training (see models.drift)."""
    settings: dict[str, float] = {}
    plots: tuple[str, ...] = ()
    data_digest: str = ""
    """A digest of the examples it learnt from."""
    made_at: int
    made_by: str
    code_commit: str
    libraries: dict[str, str] = {}
    note: str = ""


def check_card(card: Card) -> Card:
    """The card, after making sure it says what it must.

    Raises:
        ModelError: something is missing or is not one of the words there are.
    """
    if card.format != FORMAT:
        raise ModelError(f"the card of {card.version} has format {card.format}, this program reads {FORMAT}")
    if card.kind not in KINDS:
        raise ModelError(f"{card.version}: {card.kind!r} is no kind of model; kinds are {', '.join(KINDS)}")
    for name in ("version", "lineage", "purpose", "not_for", "made_by", "code_commit"):
        if not str(getattr(card, name)).strip():
            raise ModelError(f"the card of {card.version or 'a model'} does not say its {name}")
    if unknown := sorted(set(card.labels) - set(ORIGINS)):
        raise ModelError(f"{card.version}: labels come from {', '.join(ORIGINS)}, not {', '.join(unknown)}")
    if not 0.0 < card.threshold < 1.0:
        raise ModelError(f"{card.version}: a threshold lies between 0 and 1, not at {card.threshold}")
    return card
