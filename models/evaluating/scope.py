"""Which crimes a detector is there for: what its recall is of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from models.evaluating.matching import Story
from models.evaluating.raised import Declared, Raised
from models.evaluating.truth import Row

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "deal_line": ("line",),
    "line_reemergence": ("line",),
    "line_handset": ("line",),
    "line_money": ("line",),
    "missing_child": ("runner",),
    "mule": ("mule_network",),
    "mule_account": ("mule_network",),
    "app_fraud": ("app_case",),
    "app_series": ("app_investment", "app_romance", "app_advance_fee"),
    "account_takeover": ("takeover",),
    "call_during_payment": (
        "app_impersonation_bank",
        "app_impersonation_other",
        "app_investment",
        "app_romance",
        "app_advance_fee",
        "app_ceo",
    ),
    "line_and_money": ("line",),
    "courier": ("runner",),
    "cuckooing": ("cuckoo",),
}
"""A detector's word for its crime, where it is another than truth's: kinds or typologies of truth."""


def crimes_of(detector: Declared | Raised, stories: Sequence[Story]) -> tuple[str, tuple[Story, ...]]:
    """The crimes a detector's recall is of, and which those are in words."""
    words = WORDS.get(detector.typology, (detector.typology,))
    named = tuple(s for s in stories if s.crime.kind in words or s.crime.typology in words)
    if named or detector.typology in WORDS:
        return ", ".join(words), named
    return f"all {detector.threat}", tuple(s for s in stories if s.crime.threat == detector.threat)


def chosen(words: Sequence[str]) -> Callable[[Row], bool]:
    """Whether a crime is one of these kinds or typologies."""
    return lambda crime: crime.kind in words or crime.typology in words
