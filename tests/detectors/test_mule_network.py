"""Mule networks at their edges: circles, splitting and gathering, who waits, and who only looks like it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OPENED = "2026-02-05"


class Book:
    """Payments, written one after the other."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def pay(self, minutes: float, payer: str, payee: str, pounds: float, **more: Any) -> None:
        at = START + timedelta(minutes=minutes)
        record = {
            "event_id": f"p{len(self.events)}", "ts": at.isoformat(), "source": "bank", "rail": "fps",
            "amount_minor": round(pounds * 100), "payer_account": payer, "payee_account": payee,
        }  # fmt: skip
        self.events.append(("payments", record | more))

    def rows(self, wait: float, *, deep: int = 3, times: int = 4) -> None:
        """Victims' sums through so many accounts, each passing on after `wait` minutes."""
        for n in range(times):
            at, pounds, payer = 90.0 * n, 900.0 + 50 * n, f"00-00-60 {n:08d}"
            for hop in range(deep):
                self.pay(at, payer, f"00-00-61 {hop:08d}", pounds, payee_opened=OPENED)
                payer, pounds, at = f"00-00-61 {hop:08d}", 0.97 * pounds, at + wait


@pytest.fixture
def book() -> Book:
    return Book()


def _about(told: Any, *names: str) -> list[Any]:
    return told.about("mule_network", [f"account:{name}" for name in names])


MULES = [f"00-00-61 {k:08d}" for k in range(4)]


def test_money_through_three_accounts_in_minutes_is_told_with_its_way(book: Book, tell: Any) -> None:
    book.rows(7.0)

    found = _about(tell(book.events), *MULES)

    assert {alert.subject.kind for alert in found} == {"account"}
    assert len(found) >= 2
    deepest = max(found, key=lambda alert: alert.assessment.features["graph.flow_24h"])
    assert deepest.assessment.features["graph.flow_24h"] >= 3
    assert {"graph.covered", "graph.payers_7d"} <= {fact.name for fact in deepest.facts}
    assert len(deepest.subjects) >= 2  # whom it was passed to


def test_victims_and_the_last_hand_are_not_told_of_as_passing_on(book: Book, tell: Any) -> None:
    book.rows(7.0)

    told = tell(book.events)

    assert _about(told, *(f"00-00-60 {n:08d}" for n in range(4)), "00-00-61 00000002") == []


def test_a_circle_of_three_new_accounts_is_told(book: Book, tell: Any) -> None:
    for n in range(4):
        for hop in range(3):
            payer, payee = MULES[hop], MULES[(hop + 1) % 3]
            book.pay(60.0 * n + 8 * hop, payer, payee, 1_500.0 * 0.98 ** (3 * n + hop), payee_opened=OPENED)

    found = _about(tell(book.events), *MULES)

    assert found
    assert any(alert.assessment.features["graph.cycle"] == 3 for alert in found)


def test_those_who_wait_for_days_are_missed_as_the_page_says(book: Book, tell: Any) -> None:
    book.rows(3 * 24 * 60.0)

    assert _about(tell(book.events), *MULES) == []


def test_one_account_alone_that_passes_on_is_no_network(book: Book, tell: Any) -> None:
    book.rows(7.0, deep=1)

    assert _about(tell(book.events), *MULES) == []


def test_rejected_payments_move_no_money(book: Book, tell: Any) -> None:
    book.rows(7.0)
    for _, record in book.events:
        record["status"] = "rejected"

    assert _about(tell(book.events), *MULES) == []
