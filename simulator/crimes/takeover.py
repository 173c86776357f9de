"""Account takeover: a number is moved to the thief's SIM, the bank's codes come to it, and the account is drained.

Within 72 hours of the SIM change come a reset of credentials, a new device, a new payee and payments into a mule
network. Some takeovers need no SIM: the codes are talked or phished out of the customer.
"""

from dataclasses import dataclass, field
from typing import Annotated, Final

import numpy as np

from simulator.arrays import HOUR, MINUTE, SECOND
from simulator.chance import lognormal
from simulator.crimes.cases import Cases, Stage, Today, Truth
from simulator.crimes.mules import (
    CLEARING_DAYS,
    MuleParameters,
    Network,
    make_network,
    move,
    network_truth,
    receive,
)
from simulator.crimes.residents import Who
from simulator.crimes.thefts import Theft, settle
from simulator.diary import Diary, Mechanism
from simulator.parameters import Parameters
from simulator.spreads import Origin, Spread
from simulator.world import NUMBER_KINDS, World

A: Final[Origin] = "assumed"


@dataclass(frozen=True, slots=True)
class TakeoverParameters(MuleParameters):
    """One world's takeovers."""

    swaps_per_million_year: Annotated[
        float, Spread(40, 90, "derived", "3,000 SIM swaps in 2024, +38 % in 2025 (Cifas)")
    ]
    without_swap_share: Annotated[float, Spread(0.1, 0.35, A, "takeovers by phished codes alone")]
    hours_to_drain: Annotated[
        float, Spread(0.6, 14, A, "median from SIM change to first payment; within 72", "log")
    ]
    payments_high: Annotated[float, Spread(2, 7, A, "payments of one drain")]
    drained_share: Annotated[float, Spread(0.5, 0.98, A, "of the balance")]
    detail_changed_share: Annotated[float, Spread(0.2, 0.7, A, "email or address changed too")]
    failed_logins: Annotated[float, Spread(0.5, 5, A, "before it works")]
    recovers_hours: Annotated[float, Spread(6, 60, A, "until the customer has the number back", "log")]
    victims_of_one: Annotated[float, Spread(1, 3.5, A, "victims of one gang")]
    reported_days: Annotated[float, Spread(0.2, 3, A, "median until the customer reports", "log")]
    forwarding_share: Annotated[float, Spread(0.05, 0.25, A, "gangs that set call forwarding too")]


@dataclass(slots=True)
class Seizure:
    """One victim's number and account."""

    person: int
    phone: int
    account: int
    swapped: float
    swaps: bool
    sim: int
    handset: int
    back_sim: int
    back_handset: int
    device: int
    ip: int
    resets: float
    pays: list[float]
    worth: int
    """What is in the account when the run begins, pence: what the thief hopes for."""
    payee: int
    recovered: float
    channel: str
    cell: int
    reports: float
    told: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Gang:
    """One gang: some victims, one network."""

    id: str
    since: float
    until: float
    seizures: list[Seizure]
    network: Network
    town: int
    drop: int


class Takeover(Cases[TakeoverParameters, Gang]):
    """All takeovers."""

    name = "takeover"
    span = 22
    parameters = TakeoverParameters

    def __init__(self) -> None:
        super().__init__()
        self._thefts: list[Theft] = []

    def expected(self, world: World) -> float:
        """Gangs: swaps over victims of one."""
        swaps = self.p.swaps_per_million_year * len(world.people) / 1e6 * world.calendar.days / 365
        return swaps / max(self.p.victims_of_one, 1.0)

    def make(self, stage: Stage[TakeoverParameters], rng: np.random.Generator, id: str) -> Gang | None:
        """Victims with a phone and an account worth having."""
        p, town = stage.p, stage.town(rng)
        network = make_network(stage, rng, p, 0.0, town)  # type: ignore[arg-type]
        cell = stage.cell(rng, town)
        seizures: list[Seizure] = []
        for _ in range(1 + int(rng.poisson(max(p.victims_of_one - 1, 0)))):
            person = stage.someone(rng, Who((22, 120), phone=True, account=True))
            if person < 0 or not network.layer(0) or any(s.person == person for s in seizures):
                continue
            seizures.append(_seizure(stage, rng, person, cell, network))
        if not seizures:
            return None
        since = min(s.swapped for s in seizures)
        last = max(max(s.pays[-1], s.recovered) for s in seizures)
        return Gang(
            id,
            since,
            last + CLEARING_DAYS,
            seizures,
            network,
            town,
            stage.cast.phone(rng, day=0, age_days=30, cell=cell),
        )

    def tell(self, case: Gang, today: Today) -> None:
        """The steps due today, victim by victim."""
        for place, seizure in enumerate(case.seizures):
            story = f"{case.id}.victim-{place + 1}"
            self._number(case, seizure, today, story)
            self._bank(seizure, today, story)
            self._drain(case, seizure, today, story)
        move(case.network, today, self.p, f"{case.id}.mules")

    def _number(self, case: Gang, s: Seizure, today: Today, story: str) -> None:
        """The SIM moves to the thief's handset, and days later back to the customer's."""
        rng = today.rng
        if s.swaps and int(np.floor(s.swapped)) == today.day:
            at = today.time(s.swapped)
            today.pages.change("sim_change", s.phone, at, story, sim=s.sim, channel=s.channel)
            today.pages.change(
                "device_change", s.phone, at + int(rng.integers(20, 400)) * SECOND, story, handset=s.handset
            )
            times = at + (np.sort(rng.uniform(0.05, 3, 3)) * HOUR).astype(np.int64)
            today.pages.say("location", phone=s.phone, ts=times, cell=s.cell)
            if rng.random() < self.p.forwarding_share:
                today.pages.say("forwarding", phone=s.phone, ts=at + HOUR // 2, to=case.drop)
        if s.swaps and int(np.floor(s.recovered)) == today.day:
            at = today.time(s.recovered)
            today.pages.change("sim_change", s.phone, at, sim=s.back_sim, channel="store")
            today.pages.change("device_change", s.phone, at + 5 * MINUTE, handset=s.back_handset)

    def _bank(self, s: Seizure, today: Today, story: str) -> None:
        if int(np.floor(s.resets)) != today.day:
            return
        rng, world = today.rng, today.world
        at = today.time(s.resets)
        codes = int(rng.integers(1, 4))
        senders = np.flatnonzero(
            world.phones.kind[: world.native_phones] == NUMBER_KINDS.index("alphanumeric")
        )
        if len(senders):
            times = at + np.arange(codes) * 3 * MINUTE - 20 * SECOND
            where = s.cell if s.swaps else None
            today.pages.say(
                "texts",
                story,
                sender=np.full(codes, int(rng.choice(senders))),
                recipients=s.phone,
                times=times,
                recipient_cell=where,
            )
        failed = int(rng.poisson(self.p.failed_logins))
        steps = [("login_failed", -2 * i - 3, "") for i in range(failed, 0, -1)]
        steps += [("credential_reset", 0, ""), ("device_added", 3, ""), ("login", 4, "")]
        if rng.random() < self.p.detail_changed_share:
            steps.append(("detail_changed", 7, str(rng.choice(["email", "address", "phone"]))))
        for kind, minutes, detail in steps:
            when = max(at + minutes * MINUTE, today.midnight)
            today.pages.say(
                "account_event",
                story,
                account=s.account,
                kind=kind,
                ts=when,
                device=s.device,
                ip=s.ip,
                channel="web" if kind == "credential_reset" else "mobile_app",
                detail=detail or None,
            )

    def _drain(self, case: Gang, s: Seizure, today: Today, story: str) -> None:
        rng = today.rng
        mule = case.network.mules[s.payee]
        for number, day in enumerate(s.pays):
            if int(np.floor(day)) != today.day or mule.account == s.account:
                continue
            at = today.time(day)
            if number == 0:
                for kind, lead in (("payee_added", 6), ("limit_changed", 4)):
                    when = max(at - lead * MINUTE, today.midnight)
                    today.pages.say(
                        "account_event",
                        story,
                        account=s.account,
                        kind=kind,
                        ts=when,
                        device=s.device,
                        ip=s.ip,
                    )
            pence = (
                int(s.worth * self.p.drained_share / len(s.pays) * rng.uniform(0.8, 1.2)) // 100 * 100 + 100
            )
            pence = min(pence, 2_500_000)
            more = {
                "device": s.device, "ip": s.ip, "new_payee": number == 0, "auth": "otp",
                "cop": str(rng.choice(["match", "no_match"])) if number == 0 else "",
            }  # fmt: skip
            last = number == len(s.pays) - 1

            def done(record: int, paid: int, last: bool = last) -> None:
                s.told.append((record, paid))
                if last:
                    _report(s, today)

            self._thefts.append(Theft(story, s.account, mule.account, pence, at, more, done))
            mule.used, mule.last = min(mule.used, day), max(mule.last, day)
            receive(case.network, s.payee, at + 5 * SECOND, pence, rng, self.p)

    def settle(self, diary: Diary) -> None:
        """Tells of all payments, and of the reports of those whose last it was."""
        settle(self._thefts, diary, self.known)

    def truths(self, case: Gang, world: World) -> list[Truth]:
        """A row for each victim and one for the network."""
        home = int(world.geography.town_force[case.town])
        rows = []
        for place, s in enumerate(case.seizures):
            note: dict[str, object] = {
                "gang": case.id, "sim_swap": s.swaps, "victim_number": world.number(s.phone), "swapped_day": round(s.swapped, 4),
                "first_payment_day": round(s.pays[0], 4), "payments": len(s.told),
            }  # fmt: skip
            payee = case.network.mules[s.payee].account
            rows.append(
                Truth("takeover", "sim_swap_takeover" if s.swaps else "account_takeover", numbers=[s.phone],
                      accounts=[s.account, payee], home_force=home, active_forces=[int(world.accounts.force[s.account])],
                      note=note, part=f".victim-{place + 1}", since=min(s.swapped, s.resets), until=s.pays[-1] + 0.01)
            )  # fmt: skip
        return [*rows, *network_truth(case.network, world, note={"gang": case.id}, part=".mules")]


def _seizure(
    stage: Stage[TakeoverParameters], rng: np.random.Generator, person: int, cell: int, network: Network
) -> Seizure:
    p, world = stage.p, stage.world
    phone, account = int(world.people.phone[person]), int(world.people.account[person])
    swapped = float(np.floor(rng.uniform(0, max(stage.days - 1, 1))) + rng.uniform(8, 19) / 24)
    wait = float(np.clip(lognormal(rng, p.hours_to_drain, 0.8, 1)[0], 0.3, 66))
    resets = swapped + wait * float(rng.uniform(0.1, 0.7)) / 24
    first = max(swapped + wait / 24, resets + 15 / 1440)
    count = int(rng.integers(1, round(p.payments_high) + 1))
    pays = first + np.sort(np.concatenate([[0.0], rng.uniform(0.001, 0.08, count - 1)]))
    recovered = max(swapped + float(lognormal(rng, p.recovers_hours, 0.4, 1)[0]) / 24, float(pays[-1]) + 0.02)
    return Seizure(
        person=person, phone=phone, account=account, swapped=swapped, swaps=bool(rng.random() >= p.without_swap_share),
        sim=stage.cast.issue(), handset=stage.cast.handset(rng, smart=True), back_sim=stage.cast.issue(),
        back_handset=int(world.phones.handset[phone]), device=stage.cast.issue(), ip=stage.cast.issue(), resets=resets,
        pays=[float(day) for day in pays], worth=max(int(world.accounts.balance[account]), 30_000), payee=int(rng.choice(network.layer(0))), recovered=recovered,
        channel=str(rng.choice(["store", "app", "call"])), cell=cell,
        reports=float(pays[-1]) + float(lognormal(rng, p.reported_days, 0.7, 1)[0]),
    )  # fmt: skip


def _report(s: Seizure, today: Today) -> None:
    """The customer finds out and tells the bank."""
    diary, at = today.diary, max(today.time(s.reports), today.time(s.pays[-1]) + HOUR)
    for record, payment in s.told:
        diary.label(
            f"event:{record:016x}", "confirmed", at, subjects=[diary.account(s.account)], typology="account_takeover",
            role="victim", subject_category="victim", origin="customer", reason_code="FRAD",
        )  # fmt: skip
        bank = int(today.world.accounts.bank[s.account])
        diary.status(np.asarray([payment], dtype=np.uint64), bank, "recalled", at + HOUR, "FRAD")


def mechanisms(parameters: Parameters) -> list[Mechanism]:
    """What this file brings to a world."""
    return [Takeover()]
