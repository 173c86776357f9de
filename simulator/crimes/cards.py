"""Card fraud without the card: testing which stolen or guessed cards work, and bursts of payments with one card."""

from dataclasses import dataclass, field
from typing import Annotated, Final

import numpy as np

from simulator import identifiers
from simulator.arrays import DAY, MINUTE, Flags, Ints
from simulator.chance import lognormal
from simulator.crimes import shops
from simulator.crimes.cases import Cases, Stage, Today, Truth
from simulator.crimes.residents import Who
from simulator.diary import Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import World

A: Final[Origin] = "assumed"
DECLINES: Final = ("05", "14", "54", "51", "57", "N7", "59")
"""ISO 8583: do not honour, no such card, expired, no funds, not permitted, security code wrong, suspected fraud."""


@dataclass(frozen=True, slots=True)
class CardTestingParameters:
    """One world's card testing."""

    rings_per_million_month: Annotated[
        float, Spread(4, 20, A, "rings that test at merchants of banks here", "log")
    ]
    cards: Annotated[float, Spread(30, 350, A, "cards tried in one go", "log")]
    guessed_share: Annotated[float, Spread(0.2, 0.8, A, "made up from a range (BIN attack), not stolen")]
    minutes: Annotated[float, Spread(8, 150, A, "a run of tests", "log")]
    runs: Annotated[float, Spread(1, 5, A, "runs, hours or days apart")]
    approved_share: Annotated[float, Spread(0.08, 0.4, A, "tests that go through")]
    amount_gbp: Annotated[float, Spread(0.3, 2.5, A, "median of a test")]
    devices: Annotated[float, Spread(1, 12, A, "devices and addresses used")]
    used_share: Annotated[float, Spread(0.2, 0.7, A, "working cards then used")]


@dataclass(frozen=True, slots=True)
class NotPresentParameters:
    """One world's remote purchase fraud on single cards."""

    cases_per_person_year: Annotated[
        float, Spread(0.03, 0.045, "derived", "2,586,217 cases in 2024 (UK Finance)")
    ]
    payments_low: Annotated[float, Spread(1, 2.4, A, "payments of a burst, least")]
    payments_high: Annotated[float, Spread(3, 14, A, "payments of a burst, most")]
    case_gbp: Annotated[float, Spread(90, 160, "derived", "399.6m over 2.59m cases: mean GBP 154", "log")]
    hours: Annotated[float, Spread(0.5, 30, A, "a burst", "log")]
    declined_share: Annotated[float, Spread(0.1, 0.4, A, "refused by the bank")]
    otp_share: Annotated[float, Spread(0.1, 0.4, A, "codes talked out of the customer")]
    report_days: Annotated[float, Spread(8, 35, A, "median 20 days", "log")]
    reported_share: Annotated[float, Spread(0.75, 0.95, A, "cases reported")]


@dataclass(slots=True)
class Run:
    """One run of tests."""

    at: float
    minutes: float
    accounts: Ints
    cards: Ints
    guessed: Flags


@dataclass(slots=True)
class Ring:
    """One ring: where it tests, with what."""

    id: str
    since: float
    until: float
    merchants: Ints
    runs: list[Run]
    devices: Ints
    ips: Ints
    working: list[tuple[int, int, float]] = field(default_factory=list)
    """Cards found to work: account, card, when they are used."""
    hit: set[int] = field(default_factory=set)


class CardTesting(Cases[CardTestingParameters, Ring]):
    """All card testing."""

    name = "card_testing"
    span = 23
    parameters = CardTestingParameters

    def expected(self, world: World) -> float:
        """By people and months."""
        return self.p.rings_per_million_month * len(world.people) / 1e6 * world.calendar.days / 30

    def make(self, stage: Stage[CardTestingParameters], rng: np.random.Generator, id: str) -> Ring | None:
        """A merchant or two, cards stolen or guessed."""
        p, world = stage.p, stage.world
        online = np.flatnonzero(world.businesses.online)
        holders = np.flatnonzero(world.people.account >= 0)
        if len(online) == 0 or len(holders) == 0:
            return None
        count = 1 + int(rng.poisson(max(p.runs - 1, 0)))
        first = float(rng.uniform(0, max(stage.days - 1.5, 0.5)))
        starts = first + np.sort(np.concatenate([[0.0], rng.exponential(0.8, count - 1)]))
        runs = []
        for at in starts:
            n = max(10, int(lognormal(rng, p.cards, 0.5, 1)[0]))
            accounts = world.people.account[rng.choice(holders, n)]
            guessed = rng.random(n) < p.guessed_share
            cards = np.where(
                guessed, np.asarray([stage.cast.issue() for _ in range(n)]), world.accounts.card[accounts]
            )
            runs.append(Run(float(at), float(lognormal(rng, p.minutes, 0.6, 1)[0]), accounts, cards, guessed))
        few = max(1, round(p.devices))
        merchants = rng.choice(online, min(int(rng.integers(1, 4)), len(online)), replace=False)
        return Ring(id, float(starts[0]), float(starts[-1]) + 3.0, merchants, runs,
                    np.asarray([stage.cast.issue() for _ in range(few)]), np.asarray([stage.cast.issue() for _ in range(few)]))  # fmt: skip

    def tell(self, case: Ring, today: Today) -> None:
        """Small amounts on card after card, most of them refused; then the good ones are used."""
        rng, p = today.rng, self.p
        for run in case.runs:
            if int(np.floor(run.at)) != today.day:
                continue
            n = len(run.cards)
            at = today.time(run.at) + np.sort(rng.integers(0, int(run.minutes * MINUTE), n))
            goes_through = ~run.guessed & (rng.random(n) < p.approved_share * 2) | run.guessed & (
                rng.random(n) < p.approved_share / 6
            )
            decline = np.where(
                goes_through, "", rng.choice(DECLINES, n, p=[0.35, 0.25, 0.1, 0.08, 0.07, 0.1, 0.05])
            )
            pence = np.maximum((lognormal(rng, p.amount_gbp, 0.6, n) * 100).astype(np.int64), 1)
            which = rng.integers(0, len(case.devices), n)
            today.pages.say(
                "card", case.id, account=run.accounts, business=rng.choice(case.merchants, n), amount=pence, ts=at, card=run.cards,
                entry="ecommerce", decline=decline, device=case.devices[which], ip=case.ips[which], auth="none",
            )  # fmt: skip
            case.hit.update(run.accounts[goes_through].tolist())
            for place in np.flatnonzero(goes_through & ~run.guessed & (rng.random(n) < p.used_share)):
                case.working.append(
                    (int(run.accounts[place]), int(run.cards[place]), run.at + float(rng.uniform(0.1, 2.5)))
                )
        for account, card, when in case.working:
            if int(np.floor(when)) == today.day:
                _spend(
                    today,
                    case.id,
                    account,
                    card,
                    today.time(when),
                    int(rng.integers(1, 5)),
                    90.0,
                    case.devices,
                    case.ips,
                    0.3,
                    0.1,
                )

    def truths(self, case: Ring, world: World) -> list[Truth]:
        """The accounts whose cards worked; merchants, devices and cards by name."""
        cards = [_card(card) for run in case.runs for card in run.cards[:40].tolist()]
        note: dict[str, object] = {
            "merchants": [f"m{m:08d}" for m in case.merchants.tolist()], "cards": cards[:60],
            "devices": identifiers.hexadecimal(identifiers.mix(case.devices), "d").to_list(),
            "tested": sum(len(run.cards) for run in case.runs),
        }  # fmt: skip
        return [Truth("card_ring", "card_testing", accounts=sorted(case.hit)[:60], note=note)]


@dataclass(slots=True)
class Burst:
    """One card used by somebody else."""

    id: str
    since: float
    until: float
    account: int
    card: int
    at: float
    payments: int
    devices: Ints
    ips: Ints
    reports: float | None


class CardNotPresent(Cases[NotPresentParameters, Burst]):
    """Remote purchase fraud."""

    name = "card_not_present"
    span = 24
    parameters = NotPresentParameters

    def expected(self, world: World) -> float:
        """By people and years."""
        return self.p.cases_per_person_year * len(world.people) * world.calendar.days / 365

    def make(self, stage: Stage[NotPresentParameters], rng: np.random.Generator, id: str) -> Burst | None:
        """Somebody's card."""
        p, world = stage.p, stage.world
        person = stage.someone(rng, Who((18, 120), account=True))
        if person < 0:
            return None
        account = int(world.people.account[person])
        at = float(rng.uniform(0, stage.days))
        count = int(rng.integers(round(p.payments_low), round(p.payments_high) + 1))
        reports = (
            at + float(lognormal(rng, p.report_days, 0.8, 1)[0]) if rng.random() < p.reported_share else None
        )
        return Burst(id, at, at + 1.5, account, int(world.accounts.card[account]), at, count,
                     np.asarray([stage.cast.issue()]), np.asarray([stage.cast.issue()]), reports)  # fmt: skip

    def tell(self, case: Burst, today: Today) -> None:
        """Some payments online within hours, and a report weeks later."""
        if int(np.floor(case.at)) != today.day:
            return
        p = self.p
        mean = float(lognormal(today.rng, p.case_gbp / case.payments**0.7, 0.7, 1)[0])
        spread = int(lognormal(today.rng, p.hours, 0.8, 1)[0] * 60 * MINUTE)
        ids = _spend(today, case.id, case.account, case.card, today.time(case.at), case.payments, mean, case.devices, case.ips,
                     p.declined_share, p.otp_share, spread, known=self.known)  # fmt: skip
        if case.reports is None:
            return
        at = max(today.time(case.reports), today.time(case.at) + spread + 60 * MINUTE)
        for record in ids[:8]:
            today.diary.label(f"event:{record:016x}", "confirmed", at, subjects=[today.diary.account(case.account)],
                              typology="card_not_present", role="victim", subject_category="victim", origin="customer",
                              reason_code="FRAD")  # fmt: skip

    def truths(self, case: Burst, world: World) -> list[Truth]:
        """The account whose card it is."""
        force = int(world.accounts.force[case.account])
        note = {"card": _card(case.card), "payments": case.payments, "reported": case.reports is not None}
        return [
            Truth(
                "card_ring",
                "card_not_present",
                accounts=[case.account],
                active_forces=[force] if force else [],
                note=note,
            )
        ]


def _card(card: int) -> str:
    return str(identifiers.hexadecimal(identifiers.mix(np.asarray([card])), "tok_")[0])


def _spend(
    today: Today,
    story: str,
    account: int,
    card: int,
    start: int,
    count: int,
    mean_gbp: float,
    devices: Ints,
    ips: Ints,
    declined: float,
    otp: float,
    spread: int = DAY // 8,
    known: dict[str, list[int]] | None = None,
) -> list[int]:
    """Payments at a few online shops with one card; returns the records of those that went through."""
    rng, world = today.rng, today.world
    liked = [shops.QUASI_CASH, 5816, 5651, 5732, 5999, 4814, 5814]
    chosen = [shops.shop(world, rng, -1, int(rng.choice(liked))) for _ in range(min(count, 4))]
    chosen = [business for business in chosen if business >= 0] or np.flatnonzero(world.businesses.online)[
        :3
    ].tolist()
    if not chosen:
        return []
    at = start + np.sort(rng.integers(0, max(spread, MINUTE), count))
    pence = np.maximum((lognormal(rng, mean_gbp, 0.8, count) * 100).astype(np.int64), 100)
    refused = rng.random(count) < declined
    which = int(rng.integers(len(devices)))
    ids = today.diary.card(
        account, np.asarray(rng.choice(chosen, count)), pence, at, card=card, entry="ecommerce",
        decline=np.where(refused, rng.choice(["05", "51", "59"], count), ""),
        auth=np.where(rng.random(count) < otp, "otp", "none"), device=int(devices[which]), ip=int(ips[which]),
    )  # fmt: skip
    if known is not None:
        known.setdefault(story, []).extend(int(i) for i in ids[:40])
    return [int(i) for i, no in zip(ids, refused, strict=False) if not no]


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [CardTesting(), CardNotPresent()]
