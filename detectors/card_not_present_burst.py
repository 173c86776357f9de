"""A burst of spends without the card: somebody else has its number and uses it while it lasts.

Remote purchase fraud, by far the commonest of all frauds. The number was stolen from a shop's database, a phishing
page or a test for pence; it is spent online within hours, at merchants whose goods sell again (electronics, vouchers,
top-ups), from a device the holder never used. It goes fast, because each spend may be the last: several in an hour,
some declined, each larger than what this card usually pays online. The holder knows nothing until the statement.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)


class CardNotPresentBurst(Detector):
    """Scores a card on each spend without it."""

    id = "card_not_present_burst"
    title = "A burst of online spends that may not be the holder's"
    version = 1
    status = "experimental"
    threat = "fraud"
    typology = "card_not_present"
    victim = True
    stream = "payments"
    subject = Entity.CARD
    four_p = "prevent"
    gate = pl.col("remote_24h") >= 2
    signals = (
        Signal("remote_24h", 1, 6, 2.2, log=True),
        Signal("remote_unproven_24h", 0, 3, 2.0, log=True),
        Signal("remote_spent_24h", 5_000, 50_000, 1.4, log=True),
        Signal("remote_declined_24h", 0, 2, 1.2, log=True),
        Signal("since_remote", 36_000, 60, 1.0, log=True),
        Signal("remote_1h", 1, 4, 1.0, log=True),
        Signal("remote_device_age", 1, 0, 0.9),
        Signal("remote_merchants_24h", 1, 4, 0.8, log=True),
        Signal("card_known", 0, 3, 0.5),
        Signal("remote_deviation", 1, 4, 0.5),
    )
    intercept = -6.0
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 5.0
    harm: ClassVar[dict[str, int]] = {"financial": 2}
    place = "card_home"
    quiet_hours = 48
    misses = (
        "A single large spend, a number used rarely and patiently, spends by the holder's own device, and suppliers "
        "that do not say whether the card was there."
    )
    innocent = (
        "Presents bought in one evening, on a new phone or laptop.",
        "A holder whose spend is declined and who tries again at once.",
        "A family that shares one card between several devices.",
    )
    runbook = (
        "Ask the issuer to hold further spends without the card and to ask the holder by the app, not by a link.",
        "See where the card was used in the weeks before and whether other cards used there have the same trouble.",
        "Pass on delivery addresses and phone numbers topped up: they lead to who got the goods.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A stolen number spent in an hour; an evening of presents; a subscription."""
        return (
            Story(
                "six spends in half an hour from a strange device",
                _stolen(),
                alerts_about=("card:card-b-1",),
            ),
            Story("two presents bought on the holder's own phone", _presents()),
            Story("a declined spend tried again", _again()),
        )


def _spend(
    n: int, at: datetime, merchant: str, card: str, pounds: float, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"c{n}", "payment_id": f"{card}-{n}", "ts": at.isoformat(), "source": "bank", "rail": "card", "entry_mode": "ecommerce",
        "amount_minor": round(pounds * 100), "merchant_id": merchant, "card": card,
        "payer_account": f"00-00-95 0000000{card[-1]}", "auth": "exempt",
    }  # fmt: skip
    return "payments", record | more


def _life(card: str) -> list[tuple[str, dict[str, Any]]]:
    """A month of a small online spend every third day, from the holder's own phone."""
    return [
        _spend(
            d, _START - timedelta(days=d), f"made-up-shop-{d % 4}", card, 9.0 + d % 5, device_id=f"own-{card}"
        )
        for d in range(3, 33, 3)
    ]


def _stolen() -> list[tuple[str, dict[str, Any]]]:
    events = _life("card-b-1")
    for k in range(6):
        more = {"device_id": "strange", "auth": "none"} | (
            {"status": "rejected", "decline_reason": "51"} if k in (2, 5) else {}
        )
        at = _START + timedelta(minutes=5 * k)
        events.append(_spend(100 + k, at, f"made-up-till-{k % 3}", "card-b-1", 60.0 + 20 * k, **more))
    return events


def _presents() -> list[tuple[str, dict[str, Any]]]:
    events = _life("card-b-2")
    for k in range(2):
        at = _START + timedelta(minutes=25 * k)
        events.append(_spend(100 + k, at, f"made-up-toys-{k}", "card-b-2", 30.0, device_id="own-card-b-2"))
    return events


def _again() -> list[tuple[str, dict[str, Any]]]:
    events = _life("card-b-3")
    for k in range(2):
        more = {"device_id": "own-card-b-3", "auth": "otp"} | (
            {"status": "rejected", "decline_reason": "51"} if k == 0 else {}
        )
        events.append(
            _spend(100 + k, _START + timedelta(minutes=2 * k), "made-up-flights", "card-b-3", 85.0, **more)
        )
    return events
