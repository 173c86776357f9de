"""Mule accounts at their edges: who fires, who does not, and what is known to be missed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MULE = "00-00-11 00000001"
VICTIMS = [f"00-00-20 0000000{k}" for k in range(4)]


class Book:
    """Payments, written one after the other."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def pay(self, at: timedelta, payer: str, payee: str, pounds: float, **more: Any) -> None:
        record = {
            "event_id": f"p{len(self.events)}", "ts": (START + at).isoformat(), "source": "bank", "rail": "fps",
            "amount_minor": round(pounds * 100), "payer_account": payer, "payee_account": payee,
        }  # fmt: skip
        self.events.append(("payments", record | more))

    def ordinary_lives(self) -> None:
        """The victims' small, regular payments of the weeks before."""
        for day in range(-25, 0):
            for k, victim in enumerate(VICTIMS):
                self.pay(timedelta(days=day, hours=k), victim, "00-00-30 00000001", 20.0 + k)

    def through(self, after: timedelta, *, share: float = 0.98, **more: Any) -> None:
        """Four large sums from strangers, each sent on to another account so much later."""
        for k, victim in enumerate(VICTIMS):
            at = timedelta(hours=2 * k)
            self.pay(at, victim, MULE, 900.0 + 50 * k, payee_opened="2026-02-10", **more)
            self.pay(at + after, MULE, f"00-00-40 0000000{k}", (900.0 + 50 * k) * share)


@pytest.fixture
def book() -> Book:
    return Book()


def _about(told: Any, *names: str) -> list[Any]:
    return told.about("mule_account", [f"account:{name}" for name in names or (MULE,)])


def test_money_gone_within_minutes_fires_once_as_one_episode(book: Book, tell: Any) -> None:
    book.ordinary_lives()
    book.through(timedelta(minutes=8))

    (alert,) = _about(tell(book.events))

    assert alert.revision >= 2
    assert alert.event_count >= 2
    assert alert.assessment.reasons[0].feature in {
        "passed_on_share_24h",
        "dwell_7d",
        "account_age",
    }


def test_one_who_waits_two_hours_is_missed_as_its_page_says(book: Book, tell: Any) -> None:
    book.ordinary_lives()
    for k, victim in enumerate(VICTIMS):
        at = timedelta(hours=6 * k)
        book.pay(at, victim, MULE, 900.0 + 50 * k, payee_opened="2026-02-10")
        book.pay(at + timedelta(hours=2), MULE, f"00-00-40 0000000{k}", 880.0)

    assert _about(tell(book.events)) == []


def test_one_who_gathers_first_and_pays_out_in_one_go_is_seen_when_the_last_is_fresh(
    book: Book, tell: Any
) -> None:
    book.ordinary_lives()
    for k, victim in enumerate(VICTIMS):
        at = timedelta(minutes=40 * k)
        book.pay(at, victim, MULE, 900.0 + 50 * k, payee_opened="2026-02-10", new_payee=True)
    book.pay(timedelta(minutes=140), MULE, "00-00-40 00000000", 3_800.0, new_payee=True)

    assert len(_about(tell(book.events))) == 1


def test_the_victims_and_the_next_account_are_not_the_mule(book: Book, tell: Any) -> None:
    book.ordinary_lives()
    book.through(timedelta(minutes=8))

    told = tell(book.events)

    assert _about(told, *VICTIMS, "00-00-30 00000001", *(f"00-00-40 0000000{k}" for k in range(4))) == []


def test_one_under_18_is_a_possible_victim_first(book: Book, tell: Any) -> None:
    book.ordinary_lives()
    book.through(timedelta(minutes=8), payee_age_band="16-17")

    (alert,) = _about(tell(book.events))

    assert alert.subject.category == "possible_victim"
    assert alert.safeguarding.needed


def test_a_treasurer_who_pays_the_same_evening_is_quiet(book: Book, tell: Any) -> None:
    for k in range(24):
        book.pay(timedelta(minutes=20 * k), f"00-00-21 {k:08d}", "00-00-11 00000002", 38.5)
    book.pay(timedelta(hours=11), "00-00-11 00000002", "00-00-31 00000009", 924.0)

    assert _about(tell(book.events), "00-00-11 00000002") == []


def test_a_seller_who_puts_takings_by_at_once_is_quiet(book: Book, tell: Any) -> None:
    seller = "00-00-11 00000004"
    for day in range(-20, 1):
        at = timedelta(days=day, hours=day % 5)
        book.pay(at, f"00-00-22 {day + 30:08d}", seller, 17.25 + day % 7, payee_opened="2019-05-01")
        book.pay(at + timedelta(minutes=50), seller, "00-00-12 00000004", 8.0)

    assert _about(tell(book.events), seller) == []


def test_someone_moving_house_is_quiet(book: Book, tell: Any) -> None:
    mover = "00-00-11 00000005"
    for month in range(-3, 0):
        book.pay(
            timedelta(days=30 * month),
            "00-00-50 00000001",
            mover,
            2_100.0,
            rail="bacs",
            payee_opened="2015-01-01",
        )
        book.pay(timedelta(days=30 * month + 3), mover, "00-00-51 00000001", 950.0)
    book.pay(timedelta(0), "00-00-52 00000001", mover, 30_000.0, rail="chaps")
    for k in range(4):
        book.pay(timedelta(hours=3 + 20 * k), mover, f"00-00-53 0000000{k}", 2_400.0 + 300 * k)

    assert _about(tell(book.events), mover) == []


def test_rejected_payments_are_no_money(book: Book, tell: Any) -> None:
    book.ordinary_lives()
    book.through(timedelta(minutes=8), status="rejected")

    assert _about(tell(book.events)) == []


def _two_mules(book: Book, device: str) -> list[str]:
    """Two mules whom different people pay, and whose money is sent on from one device."""
    mules = ["00-00-11 00000021", "00-00-11 00000022"]
    for m, mule in enumerate(mules):
        for k in range(4):
            at = timedelta(hours=2 * k, minutes=7 * m)
            book.pay(
                at, f"00-00-2{m} 0000009{k}", mule, 900.0 + 50 * k, payee_opened="2026-02-10", new_payee=True
            )
            out = at + timedelta(minutes=9)
            book.pay(out, mule, f"00-00-4{m} 0000009{k}", 890.0 + 50 * k, new_payee=True, device_id=device)
    return mules


def test_two_mules_on_one_device_are_one_case(book: Book, tell: Any) -> None:
    mules = _two_mules(book, "a-mules-phone")
    alerts = _about(tell(book.events), *mules)
    assert len(alerts) == 2
    assert len({alert.case_key for alert in alerts}) == 1


def test_a_branchs_tablet_ties_nobody(book: Book, tell: Any) -> None:
    for k in range(12):
        book.pay(
            timedelta(minutes=-k - 1), f"00-00-60 0000{k:04d}", "00-00-61 00000001", 30.0, device_id="tablet"
        )
    mules = _two_mules(book, "tablet")
    alerts = _about(tell(book.events), *mules)
    assert len(alerts) == 2
    assert len({alert.case_key for alert in alerts}) == 2
    assert not any(subject.kind == "device" for alert in alerts for subject in alert.subjects)
