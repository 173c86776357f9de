"""Tills at their edges: where the money goes on to, and round sums that have nothing to do with a line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
YOUNG = {"payee_age_band": "18-20", "payee_opened": "2026-01-20"}


class Bank:
    """Payments, written one after the other."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def pay(self, hours: float, payer: str, payee: str, pounds: int, **more: Any) -> None:
        n = len(self.events)
        record = {
            "event_id": f"p{n}", "payment_id": f"m{n}", "ts": (START + timedelta(hours=hours)).isoformat(), "source": "bank",
            "rail": "fps", "amount_minor": pounds * 100, "payer_account": payer, "payee_account": payee,
            "payer_force": "E23000024",
        }  # fmt: skip
        self.events.append(("payments", record | more))

    def till(self, account: str, day: int, *, buyers: int = 20, **holder: Any) -> None:
        """One evening's customers."""
        for k in range(14):
            payer = f"00-00-42 {(5 * day + k) % buyers:08d}"
            self.pay(24 * day + 13 + 0.7 * k, payer, account, (10, 15, 20, 25, 40)[(day + k) % 5], **holder)

    def drawn(self, account: str, day: int, pounds: int) -> None:
        n = len(self.events)
        at = (START + timedelta(days=day, hours=23.5)).isoformat()
        record = {
            "event_id": f"p{n}", "payment_id": f"m{n}", "ts": at, "source": "bank", "rail": "cash_withdrawal",
            "amount_minor": pounds * 100, "payer_account": account, "terminal_id": "atm",
        }  # fmt: skip
        self.events.append(("payments", record))


@pytest.fixture
def bank() -> Bank:
    return Bank()


def _about(told: Any, account: str) -> list[Any]:
    return told.about("line_money", [f"account:{account}"])


def test_an_older_holder_s_new_account_is_found_too(bank: Bank, tell: Any) -> None:
    till = "00-00-41 00000001"
    for day in range(4):
        bank.till(till, day, payee_age_band="25-34", payee_opened="2026-02-20")
        bank.drawn(till, day, 250)

    assert _about(tell(bank.events), till)


def test_money_left_where_it_is_in_an_old_account_in_use_is_missed_as_its_page_says(
    bank: Bank, tell: Any
) -> None:
    till = "00-00-41 00000002"
    for day in range(4):
        bank.till(till, day, payee_age_band="35-49", payee_opened="2012-02-20")
        for k in range(4):
            bank.pay(
                24 * day + 8 + k, till, "00-00-49 00000001", 9, rail="card", merchant_id="shop", mcc="5411"
            )

    assert _about(tell(bank.events), till) == []


def test_students_who_split_bills_are_quiet(bank: Bank, tell: Any) -> None:
    student = "00-00-41 00000003"
    for day in range(6):
        for k in range(5):
            friend = f"00-00-43 {k:08d}"
            bank.pay(24 * day + 18 + k, friend, student, (5, 10, 20)[(day + k) % 3], **YOUNG)
            bank.pay(24 * day + 18.2 + k, student, friend, (10, 20, 5)[(day + k) % 3])
            bank.pay(
                24 * day + 12 + k,
                student,
                "00-00-49 00000002",
                7,
                rail="card",
                merchant_id="cafe",
                mcc="5812",
            )

    assert _about(tell(bank.events), student) == []


def test_a_child_s_till_says_that_the_holder_may_be_a_victim(bank: Bank, tell: Any) -> None:
    till = "00-00-41 00000004"
    for day in range(4):
        bank.till(till, day, payee_age_band="16-17", payee_opened="2026-01-20")
        bank.drawn(till, day, 200)

    alert = _about(tell(bank.events), till)[0]

    assert alert.subject.category == "possible_victim"
    assert alert.safeguarding.needed
