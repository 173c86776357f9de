"""A device that pays a lot: no crime, a detector of the tests' own about a thing.

It stands beside the shipped detectors when the flows are tried, so that what is promised of detectors about things is
tried whatever is shipped: the same alerts for any size of tick, on one process or two, and after kills.
"""

from typing import ClassVar

import polars as pl

from detectors.base import Detector
from features.declare import Of
from features.declared import CATALOGUE
from features.rows import PAYMENT_KINDS, Entity, Role
from models.scorecard import Signal

_paid = Of(CATALOGUE, Entity.DEVICE).events(
    "paid_here", words="payments made on the device", roles=[Role.DEVICE], kinds=PAYMENT_KINDS
)
_paid.count("paid_here_24h", within="24h", every="4h", words="payments made on the device in a day")
_paid.total("paid_here_7d", within="7d", every="1d", words="sent from the device in a week")


class BusyDevice(Detector):
    """Scores a device on each payment made on it."""

    id = "busy_device"
    title = "A device that pays a lot"
    version = 1
    status = "experimental"
    threat = "fraud"
    typology = "mule"
    stream = "payments"
    subject = Entity.DEVICE
    four_p = "protect"
    gate = pl.col("paid_here_24h") >= 8
    signals = (
        Signal("paid_here_24h", 6, 16, 4.0),
        Signal("paid_here_7d", 10_000, 300_000, 4.0, log=True),
    )
    intercept = -4.5
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 1.0
    harm: ClassVar[dict[str, int]] = {"financial": 1}
    misses = "Everything but the tests it is made for."
    innocent = ("Anybody who pays a lot on one day.",)
    runbook = ("Look at the day.", "Look at the device.")
