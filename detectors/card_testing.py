"""Card testing: stolen card numbers tried for pence at one merchant, to see which still work.

Whoever buys card numbers by the thousand does not know which are blocked. A script goes through them at a merchant
that lets it: a donation page, a top-up, a cheap download. Each try is for so little that a holder does not notice,
half or more are declined, and a handful of devices (or one) try dozens of cards. What works is sold or spent within
hours. The merchant is the place to stop it; the holders of the cards that passed are the ones to warn.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Detector, Story
from features.rows import Entity
from models.scorecard import Signal

_START = datetime(2026, 3, 9, 22, 0, tzinfo=UTC)


class CardTesting(Detector):
    """Scores a merchant on each small spend without the card."""

    id = "card_testing"
    title = "Many cards tried for pence at one merchant"
    version = 1
    status = "experimental"
    threat = "fraud"
    typology = "card_testing"
    stream = "payments"
    subject = Entity.MERCHANT
    four_p = "prevent"
    gate = pl.col("small_cards_24h") >= 4
    signals = (
        Signal("small_refused_share", 0.15, 0.6, 2.6),
        Signal("cards_a_device", 1.2, 4, 2.2),
        Signal("small_refused_24h", 2, 12, 1.8, log=True),
        Signal("small_cards_24h", 3, 20, 1.2, log=True),
        Signal("small_share", 0.1, 0.6, 0.6),
        Signal("reported_share_28d", 0.0, 0.2, 0.4),  # little: reports are of what was bought with cards
    )
    intercept = -4.6
    threshold = 0.5
    bands = (0.7, 0.9, 0.97)
    budget = 5.0
    harm: ClassVar[dict[str, int]] = {"financial": 2}
    facts = ("small_devices_24h", "taken_remotely_24h", "small_tries_24h")
    quiet_hours = 24
    misses = (
        "Tests by checks of a card without a spend, tests spread thinly over many merchants, and suppliers that leave "
        "out declines and do not say that the card was not there."
    )
    innocent = (
        "A charity appeal or a television vote: thousands of small gifts within the hour.",
        "A merchant whose payment page is broken, so that every try is declined.",
        "A shop's tablet on which many customers pay small sums: one device, many cards.",
    )
    runbook = (
        "Have the acquirer stop spends without the card at this merchant for the devices that tried many cards, or slow them down.",
        "List the cards tried here and accepted: tell their issuers now, before they are spent.",
        "Ask which other merchants the same devices and cards were seen at, and where the cards were last used together before.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """A script at a donation page; an appeal that many give to; one card declined again and again."""
        return (
            Story(
                "forty cards from three devices, most of them declined",
                _tested(),
                alerts_about=("merchant:made-up-donations",),
            ),
            Story("an appeal on the evening news", _appeal()),
            Story("one holder tries the same card six times", _stubborn()),
        )


def _spend(
    n: int, at: datetime, merchant: str, card: str, pence: int, **more: Any
) -> tuple[str, dict[str, Any]]:
    record = {
        "event_id": f"c{n}", "payment_id": f"{card}-{n}", "ts": at.isoformat(), "source": "bank", "rail": "card", "entry_mode": "ecommerce",
        "amount_minor": pence, "merchant_id": merchant, "card": card, "payer_account": f"00-00-91 {card[-8:]}",
    }  # fmt: skip
    return "payments", record | more


def _declined(code: str = "14") -> dict[str, Any]:
    return {"status": "rejected", "decline_reason": code}


def _tested() -> list[tuple[str, dict[str, Any]]]:
    return [
        _spend(
            k, _START + timedelta(minutes=3 * k), "made-up-donations", f"card-t-{k:08d}", 40 + 7 * k,
            device_id=f"tester-{k % 3}", auth="none", **(_declined() if k % 5 < 3 else {}),
        )
        for k in range(40)
    ]  # fmt: skip


def _appeal() -> list[tuple[str, dict[str, Any]]]:
    return [
        _spend(
            k, _START + timedelta(minutes=k), "made-up-appeal", f"card-a-{k:08d}", 300 + k % 3 * 100,
            device_id=f"giver-{k}", auth="exempt", **(_declined("51") if k % 20 == 0 else {}),
        )
        for k in range(60)
    ]  # fmt: skip


def _stubborn() -> list[tuple[str, dict[str, Any]]]:
    return [
        _spend(
            k,
            _START + timedelta(minutes=k),
            "made-up-parking",
            "card-s-00000001",
            320,
            device_id="own",
            **_declined("51"),
        )
        for k in range(6)
    ]
