"""A handset that is busy: no crime, a detector of the tests' own about a thing of the other stream."""

from typing import ClassVar

import polars as pl

from detectors.base import Detector
from features.declare import Of
from features.declared import CATALOGUE
from features.rows import Entity, Kind, Role
from models.scorecard import Signal

_used = Of(CATALOGUE, Entity.HANDSET).events(
    "used", words="calls and texts on the handset", roles=[Role.HANDSET], kinds=[Kind.CALL, Kind.SMS]
)
_used.count("used_1h", within="1h", every="10m", words="calls and texts on the handset in an hour")
_used.distinct("cards_7d", "other", within="7d", every="1d", words="numbers used in the handset in a week")


class BusyHandset(Detector):
    """Scores a handset on each record of it."""

    id = "busy_handset"
    title = "A handset that is busy"
    version = 1
    status = "experimental"
    threat = "telecoms_fraud"
    typology = "smishing"
    stream = "telecoms"
    subject = Entity.HANDSET
    four_p = "protect"
    gate = pl.col("used_1h") >= 20
    signals = (Signal("used_1h", 15, 60, 6.0), Signal("cards_7d", 1, 2, 2.0))
    intercept = -3.0
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 1.0
    harm: ClassVar[dict[str, int]] = {"financial": 1}
    misses = "Everything but the tests it is made for."
    innocent = ("Anybody who texts a lot within an hour.",)
    runbook = ("Look at the hour.", "Look at the handset.")
