"""A network of mules: money of many victims goes through several accounts within hours, gathered, split, led on.

One mule account is soon blocked, so those who steal rent many and lay them in rows: the first takes the victims'
money, a second row gathers it from the first, a third splits it or turns it into cash, and sometimes it is led in a
circle to look like trade. Each account alone may look like a busy week; what gives the network away is the way of the
money: sums that are passed straight on two or more times, by accounts that all pass money on, into accounts that do
the same. Many of those who lend their accounts are young, some are deceived, some are coerced.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from detectors.base import Story
from detectors.network import NetworkDetector, one_of
from features.network_graph import PaymentGraph
from features.rows import BY_HAND, TAKEN, Entity, Role
from models.scorecard import Signal

_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_SENT = one_of("row.kind", BY_HAND) & one_of("row.status", TAKEN) & (pl.col("row.role") == int(Role.PAYER))
_PASSES_ON = (pl.col("passed_on_count_7d") >= 1) | (pl.col("other.passed_on_count_7d") >= 1)
# what the same payer sends day after day is pay or a share of the rent, however fast it goes on
_FROM_STRANGERS = (pl.col("first_payments_7d") >= 1) | (pl.col("strangers_24h") >= 1)
_FIRST_TIME = (pl.col("payee_new") == 1) & (pl.col("other.payer_new") == 1)


class MuleNetwork(NetworkDetector):
    """Scores the payer of a transfer by the way that its money took."""

    id = "mule_network"
    title = "Money that is passed on from mule to mule"
    version = 4
    status = "experimental"
    threat = "fraud"
    typology = "mule_network"
    stream = "payments"
    subject = Entity.ACCOUNT
    four_p = "pursue"
    # from 20 pounds where somebody passes money on, from 100 where two meet for the first time
    edge = _SENT & (
        (_PASSES_ON & (pl.col("row.value") >= 2_000)) | (_FIRST_TIME & (pl.col("row.value") >= 10_000))
    )
    carries = (
        "passed_on_count_7d",
        "passed_on_share_7d",
        "dwell_7d",
        "account_age",
        "unusual_for_payers_7d",
        "first_payments_7d",
        "strangers_24h",
        "received_24h",
        "sent_24h",
        "home_force",
        "payers_force",
        "other.passed_on_count_7d",
        "device.accounts_30d",  # so that a device of its own can tie the alert to others
    )
    network = (PaymentGraph(payer_like="passed_on_count_7d", payee_like="other.passed_on_count_7d"),)
    gate = (
        ((pl.col("graph.flow_24h") >= 2) & _FROM_STRANGERS)
        | (pl.col("graph.middles_7d") >= 2)
        | (pl.col("graph.cycle") >= 3)
        | (pl.col("graph.passing_payers_24h") >= 3)
    )
    # weights are fitted on made-up worlds over a month's end, close to an expert's
    signals = (
        Signal("graph.flow_24h", 1, 4, 1.5),
        Signal("graph.chain_24h", 1, 3, 1.1),
        Signal("graph.waited", 3, 0.3, 1.1),
        Signal("graph.upstream_like", 0, 6, 1.6, log=True),
        Signal("graph.payee_like", 0, 6, 1.8, log=True),
        Signal("graph.passing_payers_24h", 1, 4, 0.6),  # consolidation: several who pass on pay one
        Signal("graph.middles_7d", 0, 3, 0.9),  # split and gathered again
        Signal("graph.cycle", 2, 4, 0.5),  # back and forth between two is how families share
        Signal("graph.out_over_in_7d", 4, 1.1, 1.4),
        Signal("graph.payees_24h", 12, 3, 0.5, log=True),  # a payroll has more payees than a mule
        Signal("dwell_7d", 3_000, 600, 1.4),
        Signal("passed_on_share_7d", 0.3, 0.9, 1.7),
        Signal("passed_on_count_7d", 1, 6, 0.6, log=True),
        Signal("account_age", 730, 30, 1.2),
        Signal("unusual_for_payers_7d", 0, 2, 0.6),
        Signal("first_payments_7d", 0, 3, 1.4, log=True),
    )
    intercept = -7.8
    threshold = 0.5
    bands = (0.6, 0.8, 0.93)
    budget = 2.0
    harm: ClassVar[dict[str, int]] = {"financial": 3, "psychological": 1}
    facts = (
        "received_24h",
        "sent_24h",
        "graph.covered",
        "graph.payers_7d",
        "graph.payees_7d",
        "graph.came_back",
        "graph.round_hours",
    )
    place = "home_force"
    active = "payers_force"
    quiet_hours = 72
    misses = (
        "Networks that wait for days between hops, that work through cash or crypto after the first account, and hops "
        "within banks that report nothing; the last account, which only receives, is told as the other party."
    )
    innocent = (
        "A treasurer who gathers from many and pays one bill, and is paid back.",
        "Families and flatmates who send the same money round between them.",
        "A business that is paid, pays its staff, and staff who pay their rent the same hour.",
        "A marketplace seller whose takings go straight to a supplier.",
        "Somebody paid by the job who sends each fee home at once: it comes from the same firm day after day.",
    )
    runbook = (
        "Follow the sum two hops back and two on: whose money was it first, and where is it now? Ask the banks on the way to hold it.",
        "Compare the accounts on the way: opened together, one device, one address, one age?",
        "Look for those who are deceived or coerced: the youngest and the newest accounts are spoken to, not only closed.",
    )

    @classmethod
    def examples(cls) -> Sequence[Story]:
        """Two rows of mules in one morning; and five ways in which people pass money on."""
        return (
            Story(
                "six victims' money through two rows of mules into one hand",
                _network(),
                alerts_about=_FIRING,
            ),
            Story("a treasurer gathers, pays the coach and refunds two", _treasurer()),
            Story("parents, children and a flat share send money round", _family()),
            Story("a firm is paid, pays its staff, who pay their rent", _payroll()),
            Story("a marketplace seller pays suppliers from the day's takings", _seller()),
            Story("a courier is paid by the ride and sends it home at once", _rides()),
        )


_FIRING = (*(f"account:00-00-61 {k:08d}" for k in range(3)), "account:00-00-62 00000001")


class _Book:
    """Payments, written one after the other."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def pay(self, at: datetime, payer: str, payee: str, pounds: float, **more: Any) -> None:
        record = {
            "event_id": f"p{len(self.events)}",
            "ts": at.isoformat(),
            "source": "bank",
            "rail": "fps",
            "amount_minor": round(pounds * 100),
            "payer_account": payer,
            "payee_account": payee,
        }
        self.events.append(("payments", record | more))

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        return sorted(self.events, key=lambda event: str(event[1]["ts"]))


def _network() -> list[tuple[str, dict[str, Any]]]:
    book = _Book()
    victims = [f"00-00-60 {k:08d}" for k in range(6)]
    first, second, hand = [f"00-00-61 {k:08d}" for k in range(3)], "00-00-62 00000001", "00-00-63 00000001"
    for day in range(-20, 0):  # the victims' ordinary lives
        for k, victim in enumerate(victims):
            book.pay(_START + timedelta(days=day, hours=k), victim, "00-00-69 00000001", 22.0 + k)
    for k, victim in enumerate(victims):
        at = _START + timedelta(minutes=50 * k)
        mule, pounds = first[k % 3], 1_200.0 + 40 * k
        book.pay(at, victim, mule, pounds, payee_opened=(_START - timedelta(days=25)).date().isoformat())
        book.pay(at + timedelta(minutes=6), mule, second, pounds * 0.97)
        opened = (_START - timedelta(days=40)).date().isoformat()
        book.pay(at + timedelta(minutes=15), second, hand, pounds * 0.95, payer_opened=opened)
    return book.told()


def _treasurer() -> list[tuple[str, dict[str, Any]]]:
    book, club = _Book(), "00-00-64 00000001"
    parents = [f"00-00-65 {k:08d}" for k in range(24)]
    for k, parent in enumerate(parents):
        book.pay(_START + timedelta(hours=3 * k), parent, club, 120.0, payee_opened="2016-04-01")
    book.pay(_START + timedelta(days=4), club, "00-00-66 00000001", 2_600.0)
    for k in range(2):
        book.pay(_START + timedelta(days=4, minutes=10 + k), club, parents[k], 120.0)
    return book.told()


def _family() -> list[tuple[str, dict[str, Any]]]:
    book = _Book()
    mother, son, flatmate, landlord = (f"00-00-67 {k:08d}" for k in range(4))
    for week in range(4):
        at = _START + timedelta(days=7 * week)
        book.pay(at, mother, son, 150.0, payee_opened="2021-09-01")
        book.pay(at + timedelta(minutes=20), son, flatmate, 140.0)
        book.pay(at + timedelta(hours=2), flatmate, landlord, 700.0)
        book.pay(at + timedelta(days=2), flatmate, son, 30.0)
        book.pay(at + timedelta(days=3), son, mother, 25.0)
    return book.told()


def _payroll() -> list[tuple[str, dict[str, Any]]]:
    book, firm = _Book(), "00-00-68 00000001"
    for day in range(5):
        for k in range(4):
            at = _START + timedelta(days=day, hours=k)
            book.pay(at, f"00-00-68 0000010{k}", firm, 4_000.0 + 100 * k, payee_opened="2011-01-01")
    for k in range(20):
        at = _START + timedelta(days=4, hours=3, minutes=30)
        book.pay(at, firm, f"00-00-68 {200 + k:08d}", 1_900.0 + 20 * k, rail="bacs")
        book.pay(
            at + timedelta(minutes=25 + k), f"00-00-68 {200 + k:08d}", f"00-00-68 {300 + k // 4:08d}", 800.0
        )
    return book.told()


def _seller() -> list[tuple[str, dict[str, Any]]]:
    book, seller, supplier = _Book(), "00-00-68 00000400", "00-00-68 00000401"
    for day in range(10):
        for k in range(5):
            at = _START + timedelta(days=day, hours=2 * k)
            book.pay(at, f"00-00-68 {500 + 5 * day + k:08d}", seller, 115.0 + k, payee_opened="2018-05-01")
        book.pay(_START + timedelta(days=day, hours=9), seller, supplier, 480.0)
        book.pay(_START + timedelta(days=day, hours=14), supplier, "00-00-68 00000402", 2_500.0)
    return book.told()


def _rides() -> list[tuple[str, dict[str, Any]]]:
    book, firm, rider, home = _Book(), "00-00-68 00000700", "00-00-68 00000701", "00-00-68 00000702"
    opened = (_START - timedelta(days=220)).date().isoformat()
    for day in range(10):
        at = _START + timedelta(days=day, hours=3 * (day % 2))
        book.pay(at, firm, rider, 142.0 + day, payee_opened=opened)
        if day:
            book.pay(at + timedelta(minutes=8), rider, home, 139.0 + day)
    return book.told()
