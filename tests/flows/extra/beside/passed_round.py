"""Money that is passed on: no crime, a network detector of the tests' own."""

from typing import ClassVar

import polars as pl

from detectors.network import NetworkDetector
from features.network_graph import PaymentGraph
from features.rows import TRANSFERS, Entity, Role
from models.scorecard import Signal


class PassedRound(NetworkDetector):
    """Scores a payer on each payment that passes money on."""

    id = "passed_round"
    title = "Money that is passed on"
    version = 1
    status = "experimental"
    threat = "fraud"
    typology = "mule"
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "protect"
    edge = (
        pl.col("row.kind").is_in([int(kind) for kind in TRANSFERS])
        & (pl.col("row.role") == int(Role.PAYER))
        & ((pl.col("row.value") >= 5_000) | (pl.col("passed_on_count_7d") >= 2))
    )
    carries = ("passed_on_count_7d", "senders_24h", "other.passed_on_count_7d", "home_force")
    network = (PaymentGraph(payer_like="passed_on_count_7d", payee_like="other.passed_on_count_7d"),)
    gate = pl.col("graph.chain_24h") >= 2
    signals = (
        Signal("graph.chain_24h", 1, 3, 3.0),
        Signal("graph.payers_24h", 1, 8, 3.0),
        Signal("senders_24h", 0, 12, 2.0),
    )
    facts = ("graph.covered",)
    place = "home_force"
    intercept = -4.0
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 1.0
    harm: ClassVar[dict[str, int]] = {"financial": 1}
    misses = "Everything but the tests it is made for."
    innocent = ("Anybody who passes a sum on.",)
    runbook = ("Look at the sum.", "Look at the way it took.")
