"""Authorised push payment fraud: people are led to pay a criminal, in eight ways with rhythms of their own.

An operation is one type of fraud with some victims and a mule network that takes their payments. A purchase fraud is
one small payment; impersonators keep their victim on the telephone while several payments are made; investment and
romance frauds are series over weeks with the same payee. Victims report late, or never.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulator.arrays import DAY, HOUR, MINUTE, SECOND
from simulator.chance import lognormal
from simulator.crimes.app_parameters import AppParameters
from simulator.crimes.cases import Cases, Stage, Today, Truth
from simulator.crimes.identities import british_number
from simulator.crimes.mules import CLEARING_DAYS, Network, make_network, move, network_truth, receive
from simulator.crimes.residents import Who
from simulator.crimes.thefts import Theft, settle
from simulator.crimes.wangiri import run_of_numbers
from simulator.diary import Diary, Mechanism
from simulator.parameters import Parameters
from simulator.world import NONE, World

TYPES: Final = (
    "purchase", "investment", "romance", "advance_fee", "invoice", "ceo", "impersonation_bank", "impersonation_other",
)  # fmt: skip
FPS_MOST: Final = 100_000_000
"""Pence a Faster Payment may carry: one million pounds."""
SERIES: Final = ("investment", "romance", "advance_fee")
OF_BUSINESSES: Final = ("invoice", "ceo")
AGES: Final = {
    "purchase": (18, 60), "investment": (40, 78), "romance": (45, 82), "advance_fee": (18, 75),
    "impersonation_bank": (45, 92), "impersonation_other": (30, 85), "invoice": (25, 70), "ceo": (25, 65),
}  # fmt: skip
"""Ages of those each type finds [assumed after UK Finance's descriptions]."""


@dataclass(slots=True)
class Payment:
    """One payment a victim will make."""

    at: float
    pence: int
    mule: int
    during_call: bool


@dataclass(slots=True)
class Contact:
    """One call to a victim."""

    at: float
    seconds: int


@dataclass(slots=True)
class Victim:
    """One case."""

    account: int
    phone: int
    person: int
    payments: list[Payment]
    calls: list[Contact]
    caller: int
    shown: int
    texts: int
    coached: bool
    reports: float | None
    """Day of the report; None = never."""
    told: list[tuple[int, int, int]] = field(default_factory=list)
    """What has been paid: record, payment, payee."""
    payees: set[int] = field(default_factory=set)

    @property
    def first(self) -> float:
        """When it begins for this victim."""
        return min([p.at for p in self.payments] + [c.at for c in self.calls])


@dataclass(slots=True)
class Operation:
    """One type of fraud worked on some victims."""

    id: str
    since: float
    until: float
    type: str
    victims: list[Victim]
    network: Network
    town: int


class AppFraud(Cases[AppParameters, Operation]):
    """All authorised fraud."""

    name = "app_fraud"
    span = 21
    parameters = AppParameters

    def __init__(self) -> None:
        super().__init__()
        self._thefts: list[Theft] = []

    def expected(self, world: World) -> float:
        """Operations: cases over victims of one."""
        cases = self.p.cases_per_person_year * len(world.people) * world.calendar.days / 365
        return cases / max(self.p.victims_of_one, 1.0)

    def make(self, stage: Stage[AppParameters], rng: np.random.Generator, id: str) -> Operation | None:
        """A type, a network and the victims."""
        p, days = stage.p, stage.days
        type = TYPES[int(rng.choice(len(TYPES), p=_shares(p)))]
        town = stage.town(rng)
        network = make_network(stage, rng, p, 0.0, town)  # type: ignore[arg-type]
        count = 1 + int(rng.poisson(max(p.victims_of_one - 1, 0.0)))
        if type in OF_BUSINESSES:
            count = min(count, 2)
        begins = (
            float(rng.uniform(-0.3 * days, days * 0.85))
            if type in SERIES
            else float(rng.uniform(0, days * 0.85))
        )
        found = [_victim(stage, rng, type, begins, network) for _ in range(count)]
        victims = [
            victim
            for victim in found
            if victim is not None and any(0 <= q.at < days for q in victim.payments)
        ]
        if not victims or not network.layer(0):
            return None
        since = min(victim.first for victim in victims)
        last = max(q.at for victim in victims for q in victim.payments)
        return Operation(id, since, last + CLEARING_DAYS, type, victims, network, town)

    def tell(self, case: Operation, today: Today) -> None:
        """Calls, messages and payments of the day, and what the network does with the money."""
        for place, victim in enumerate(case.victims):
            self._contact(case, victim, today)
            for payment in victim.payments:
                if int(np.floor(payment.at)) == today.day:
                    self._paid(case, place, victim, payment, today)
        move(case.network, today, self.p, f"{case.id}.mules")

    def settle(self, diary: Diary) -> None:
        """Tells of all payments, and of the reports of those whose last it was."""
        settle(self._thefts, diary, self.known)

    def _contact(self, case: Operation, victim: Victim, today: Today) -> None:
        for call in victim.calls:
            if int(np.floor(call.at)) == today.day and victim.phone >= 0:
                shown = victim.shown if victim.shown >= 0 else None
                foreign = victim.shown >= 0 or today.world.phones.operator[victim.caller] < 0
                today.pages.say(
                    "call", caller=victim.caller, callee=victim.phone, start=today.time(call.at), seconds=call.seconds,
                    shown=shown, ingress="international" if foreign else "",
                )  # fmt: skip
        if victim.texts and int(np.floor(victim.first)) == today.day and victim.phone >= 0:
            at = (
                today.time(victim.payments[0].at)
                - (np.sort(today.rng.uniform(0.1, 3.0, victim.texts)) * HOUR).astype(np.int64)[::-1]
            )
            at = np.maximum(at, today.midnight)
            today.pages.say(
                "texts", sender=np.full(len(at), victim.caller), recipients=victim.phone, times=at
            )
            today.pages.say(
                "texts",
                sender=victim.phone,
                recipients=np.full(len(at) // 2, victim.caller),
                times=at[: len(at) // 2] + 4 * MINUTE,
            )

    def _paid(self, case: Operation, place: int, victim: Victim, payment: Payment, today: Today) -> None:
        rng, p = today.rng, self.p
        mule = case.network.mules[payment.mule]
        if mule.account == victim.account:
            return
        at = today.time(payment.at)
        first = mule.account not in victim.payees
        cop = (
            "no_match"
            if rng.random() < p.no_match_share
            else str(rng.choice(["match", "close_match"], p=[0.85, 0.15]))
        )
        business = case.type in OF_BUSINESSES
        channel = "web" if business or rng.random() < 0.15 else "mobile_app"
        before = [("login", 5 * MINUTE)]
        if first:
            before.append(("payee_added", 2 * MINUTE))
            if victim.coached and payment.pence > 200_000:
                before.append(("limit_changed", 3 * MINUTE))
        for kind, lead in before:
            when = max(at - lead, today.midnight)
            today.pages.say("account_event", account=victim.account, kind=kind, ts=when, channel=channel)
        last = payment is victim.payments[-1]

        def done(record: int, paid: int) -> None:
            victim.told.append((record, paid, mule.account))
            if last and victim.reports is not None:
                _report(case, victim, today, p)

        more = {
            "rail": "chaps" if payment.pence > FPS_MOST else "fps", "channel": channel, "cop": cop if first else "",
            "cop_overridden": first and cop != "match", "new_payee": first,
            "auth": str(rng.choice(["biometric", "password", "otp"], p=[0.6, 0.15, 0.25])),
            "reference": str(rng.choice(["", "thanks", "invoice", "deposit", "for the flat", "payment"])),
        }  # fmt: skip
        story = f"{case.id}.victim-{place + 1}"
        self._thefts.append(Theft(story, victim.account, mule.account, payment.pence, at, more, done))
        victim.payees.add(mule.account)
        mule.used, mule.last = min(mule.used, payment.at), max(mule.last, payment.at)
        receive(case.network, payment.mule, at + 8 * SECOND, payment.pence, rng, p)

    def truths(self, case: Operation, world: World) -> list[Truth]:
        """A row for each victim's case and one for the network."""
        home = int(world.geography.town_force[case.town])
        rows: list[Truth] = []
        for place, victim in enumerate(case.victims):
            if not victim.told:
                continue
            payees = list(dict.fromkeys(payee for _, _, payee in victim.told))
            paid = [q for q in victim.payments if q.at < world.calendar.days]
            lives = int(world.accounts.force[victim.account])
            note: dict[str, object] = {
                "operation": case.id, "victim_account": world.account_id(victim.account),
                "payees": [world.account_id(payee) for payee in payees], "payments": len(victim.told),
                "value_minor": sum(q.pence for q in paid), "call_during_payment": bool(victim.calls) and any(q.during_call for q in paid),
                "reported": victim.reports is not None,
            }  # fmt: skip
            contacted = victim.phone >= 0 and (victim.calls or victim.texts)
            numbers = [victim.caller, victim.phone] if contacted else []
            if contacted:
                note |= {"victim_number": world.number(victim.phone), "caller": world.number(victim.caller)}
            rows.append(
                Truth(
                    "app_case", f"app_{case.type}", numbers=numbers, accounts=[*payees, victim.account], home_force=home,
                    active_forces=[lives] if lives else [], note=note, part=f".victim-{place + 1}", since=victim.first,
                    until=max(q.at for q in paid) if paid else victim.first,
                )
            )  # fmt: skip
        return [
            *rows,
            *network_truth(case.network, world, note={"operation": case.id, "of": case.type}, part=".mules"),
        ]


def _shares(p: AppParameters) -> list[float]:
    published = np.asarray([float(getattr(p, type)) for type in TYPES])
    shares = (1 - p.evenness) * published / published.sum() + p.evenness / len(TYPES)
    return [float(share) for share in shares / shares.sum()]


def _victim(
    stage: Stage[AppParameters], rng: np.random.Generator, type: str, begins: float, network: Network
) -> Victim | None:
    world, p = stage.world, stage.p
    person, account = _who(stage, rng, type)
    entry = network.layer(0)
    if account < 0 or not entry:
        return None
    phone = int(world.people.phone[person]) if person >= 0 else NONE
    start = begins + float(rng.exponential(2.0))
    payments, calls = _course(rng, p, type, start, entry)
    if phone < 0:
        calls = []
    if type == "impersonation_bank" or calls:
        foreign = rng.random() < p.foreign_number_share
    else:
        foreign = rng.random() < 0.3
    spoofs = type == "impersonation_bank" and rng.random() < p.spoofed_share
    if spoofs or foreign:
        caller = stage.cast.foreign(run_of_numbers(rng, 1)[0])
    else:
        caller = stage.cast.phone(
            rng, day=max(start, 0.0), age_days=float(rng.uniform(0, 20)), cell=stage.cell(rng, network.town)
        )
    shown = stage.cast.foreign(british_number(rng)) if spoofs else NONE
    texts = (
        int(rng.integers(2, 9)) if type in ("impersonation_other", "romance") and rng.random() < 0.6 else 0
    )
    return Victim(account, phone, person, payments, calls, caller, shown, texts, bool(rng.random() < p.coached_share),
                  _reports(rng, p, type, payments, entry, network))  # fmt: skip


def _who(stage: Stage[AppParameters], rng: np.random.Generator, type: str) -> tuple[int, int]:
    """The person (or -1) and the account that pays."""
    world = stage.world
    if type in OF_BUSINESSES:
        firms = np.flatnonzero(
            (world.accounts.business[: world.native_accounts] >= 0)
            & (world.accounts.bank[: world.native_accounts] >= 0)
        )
        if len(firms):
            return NONE, int(rng.choice(firms))
    low, high = AGES[type]
    people = world.people
    person = stage.someone(rng, Who((low, high), account=True))
    return person, int(people.account[person]) if person >= 0 else NONE


def _amount(rng: np.random.Generator, median_gbp: float, sigma: float, most: float = 250_000.0) -> int:
    pounds = float(np.clip(lognormal(rng, median_gbp, sigma, 1)[0], 15, most))
    step = 1 if pounds < 100 else (5 if rng.random() < 0.5 else 10) if pounds < 1_000 else 50
    return int(pounds // step * step * 100)


def _course(
    rng: np.random.Generator, p: AppParameters, type: str, start: float, entry: list[int]
) -> tuple[list[Payment], list[Contact]]:
    """What a victim will pay and when they are rung, by type."""
    day = np.floor(start)

    def payee() -> int:
        return int(rng.choice(entry))

    if type == "purchase":
        at = float(day + rng.uniform(10, 23) / 24)
        return [Payment(at, _amount(rng, p.purchase_gbp, 1.3), payee(), False)], []
    if type in OF_BUSINESSES:
        late = type == "ceo"
        at = float(day + (rng.uniform(15, 17.5) if late else rng.uniform(9, 16.5)) / 24)
        calls = [Contact(at - 0.03, int(rng.integers(120, 900)))] if late else []
        one = payee()
        count = 1 if rng.random() < 0.75 else 2
        return [
            Payment(at + i * 0.02, _amount(rng, p.invoice_gbp, 0.9), one, False) for i in range(count)
        ], calls
    if type in SERIES:
        return _series(rng, p, type, start, payee())
    return _impersonation(rng, p, type, float(day), payee())


def _series(
    rng: np.random.Generator, p: AppParameters, type: str, start: float, payee: int
) -> tuple[list[Payment], list[Contact]]:
    span, low, high = {"investment": (60.0, 3, 25), "romance": (180.0, 5, 40), "advance_fee": (21.0, 2, 7)}[
        type
    ]
    count = int(np.clip(round(float(lognormal(rng, np.sqrt(low * high), 0.5, 1)[0])), low, high))
    length = span * float(rng.uniform(0.3, 1.0)) * count / high
    days = np.floor(start) + np.sort(
        np.concatenate([[0.0], rng.uniform(0, max(length, count * 0.6), count - 1)])
    )
    payments: list[Payment] = []
    calls: list[Contact] = []
    for number, at_day in enumerate(days):
        at = float(np.floor(at_day) + rng.uniform(9, 22) / 24)
        growth = {
            "investment": p.investment_growth**number,
            "romance": 1.02**number,
            "advance_fee": 1.7**number,
        }[type]
        median = {"investment": p.investment_first_gbp, "romance": p.romance_gbp, "advance_fee": p.fee_gbp}[
            type
        ]
        calling = rng.random() < {"investment": 0.5, "romance": 0.35, "advance_fee": 0.3}[type]
        length_s = int(lognormal(rng, p.call_minutes * 40, 0.7, 1)[0])
        ends_before = rng.random() < 0.6
        if calling:
            begin = (
                at - (length_s + 1_200 * float(rng.random())) / 86_400
                if ends_before
                else at - 0.6 * length_s / 86_400
            )
            calls.append(Contact(begin, max(length_s, 120)))
        payments.append(
            Payment(at, _amount(rng, median * min(growth, 30.0), 0.35), payee, calling and not ends_before)
        )
    payments.sort(key=lambda payment: payment.at)
    return payments, calls


def _impersonation(
    rng: np.random.Generator, p: AppParameters, type: str, day: float, payee: int
) -> tuple[list[Payment], list[Contact]]:
    """Payments within two hours, most of them while the call goes on."""
    bank = type == "impersonation_bank"
    begin = day + float(rng.uniform(9.5, 20.5)) / 24
    calling = rng.random() >= (p.no_call_share if bank else 0.5 + p.no_call_share / 2)
    minutes = float(lognormal(rng, p.call_minutes, 0.5, 1)[0])
    count = int(rng.integers(1, 5)) if bank else int(rng.integers(1, 4))
    median = (p.bank_gbp if bank else p.other_gbp) / np.sqrt(count)
    within = minutes * rng.uniform(0.3, 0.98, count) if calling else rng.uniform(0, 110, count)
    payments = [
        Payment(begin + float(m) / 1440, _amount(rng, median, 0.7), payee, calling) for m in np.sort(within)
    ]
    return payments, [Contact(begin, int(minutes * 60))] if calling else []


def _reports(
    rng: np.random.Generator,
    p: AppParameters,
    type: str,
    payments: list[Payment],
    entry: list[int],
    network: Network,
) -> float | None:
    if rng.random() >= p.reported_share or all(network.mules[q.mule].never_alerted for q in payments):
        return None
    median = (
        p.purchase_delay_days
        if type == "purchase"
        else p.series_delay_days
        if type in SERIES
        else p.prompt_delay_days
    )
    return payments[-1].at + float(lognormal(rng, median, 0.8, 1)[0])


def _report(case: Operation, victim: Victim, today: Today, p: AppParameters) -> None:
    """The victim tells the bank: labels on payments, a recall (camt.056), sometimes money back (pacs.004)."""
    assert victim.reports is not None
    at = max(today.time(victim.reports), today.time(victim.payments[-1].at) + 10 * MINUTE)
    world, diary, rng = today.world, today.diary, today.rng
    for record, payment, payee in victim.told[-12:]:
        diary.label(
            f"event:{record:016x}", "confirmed", at, subjects=[diary.account(payee)], typology=f"app_{case.type}",
            subject_category="suspect", origin="customer", reason_code="FRAD",
        )  # fmt: skip
        which = np.asarray([payment], dtype=np.uint64)
        recalled = at + int(rng.uniform(0.02, 0.8) * DAY)
        diary.status(which, int(world.accounts.bank[victim.account]), "recalled", recalled, "FRAD")
        bank = int(world.accounts.bank[payee])
        if rng.random() < p.returned_share and bank >= 0:
            back = recalled + int(rng.uniform(0.1, 6) * DAY)
            diary.status(which, bank, "returned", back, str(rng.choice(["FRAD", "FOCR"], p=[0.7, 0.3])))


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [AppFraud()]
