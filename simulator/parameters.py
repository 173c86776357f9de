"""The numbers of ordinary life, drawn for each world from wide ranges round the published ones.

Sources are named in `docs/simulator.md`. A "day" is a day of one subscription or one adult, as the name says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from simulator.spreads import Spread, drawn

_OFCOM: Final = "Ofcom telecommunications market data, Q4 2025"
_UKF: Final = "UK Finance UK Payment Markets and card spending 2024"
_PAYUK: Final = "Pay.UK annual figures 2024"


def _s(low: float, high: float, origin: Any, source: str, shape: Any = "even") -> Spread:
    return Spread(low, high, origin, source, shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What this world is like."""

    seed: int
    scenario: Mapping[str, Any] = field(default_factory=dict)
    """The scenario file as read: `[world]` sets these fields, the other tables are the mechanisms' own."""

    # who is there
    outside_share: Annotated[
        float, _s(0.01, 0.04, "assumed", "Scotland and Northern Ireland, to exercise referral")
    ]
    household_mean: Annotated[float, _s(2.2, 2.5, "assumed", "general knowledge: ONS gives about 2.35")]
    shift_share: Annotated[float, _s(0.12, 0.22, "assumed", "general knowledge: about one worker in six")]
    commute_rail_share: Annotated[
        float, _s(0.06, 0.14, "assumed", "general knowledge: one commuter in ten by rail or tube")
    ]
    hub_shift_share: Annotated[
        float, _s(0.02, 0.08, "assumed", "shift workers who travel from a city to a county")
    ]
    friends_mean: Annotated[float, _s(9, 20, "assumed", "tens of telephone contacts")]
    friends_sigma: Annotated[float, _s(0.5, 0.9, "assumed", "heavy tail of degree")]
    closest_skew: Annotated[float, _s(1.8, 3.2, "assumed", "the three closest get about half of the calls")]
    # phones
    operators: Annotated[
        int, _s(3, 4, "derived", "three networks after the 2025 merger, perhaps one large virtual one")
    ]
    prepaid_share: Annotated[
        float, _s(0.20, 0.30, "derived", _OFCOM + ": solves ARPU 15.79p + 5.40(1-p) = 13.24")
    ]
    second_phone_share: Annotated[
        float, _s(0.15, 0.35, "derived", _OFCOM + ": 91.1m subscriptions for 69m people")
    ]
    plain_phone_share: Annotated[
        float, _s(0.03, 0.08, "assumed", "phones without data, mostly with older people")
    ]
    texts_a_day: Annotated[float, _s(0.45, 0.75, "derived", _OFCOM + ": 4.96bn SMS and MMS: 0.6 a day")]
    minutes_a_day: Annotated[float, _s(3.7, 5.1, "derived", _OFCOM + ": 37.11bn minutes: 4.4 a day")]
    call_minutes: Annotated[float, _s(2.0, 3.0, "assumed", "mean of an answered call")]
    call_sigma: Annotated[float, _s(1.1, 1.5, "assumed", "log-normal tail of call length")]
    unanswered_share: Annotated[float, _s(0.18, 0.35, "assumed", "attempts that nobody takes")]
    to_business_share: Annotated[float, _s(0.10, 0.22, "assumed", "calls to shops, surgeries, switchboards")]
    from_business_a_day: Annotated[
        float, _s(0.10, 0.30, "assumed", "calls from switchboards, couriers, surgeries")
    ]
    withheld_share: Annotated[float, _s(0.15, 0.40, "assumed", "of switchboards' calls")]
    foreign_share: Annotated[float, _s(0.005, 0.02, "assumed", "calls and texts abroad")]
    a2p_a_day: Annotated[float, _s(0.3, 1.0, "assumed", "reminders, parcels, codes to each phone")]
    conversation_texts: Annotated[float, _s(2.2, 5.5, "assumed", "texts in one exchange")]
    reply_gap: Annotated[
        float, _s(45, 240, "assumed", "seconds, median; compared with CollegeMsg in the report", "log")
    ]
    reply_sigma: Annotated[float, _s(1.2, 2.0, "assumed", "its tail; compared with CollegeMsg in the report")]
    texting_sigma: Annotated[float, _s(0.7, 1.2, "assumed", "how unevenly people text; most hardly do")]
    mms_share: Annotated[float, _s(0.01, 0.04, "assumed", "of messages")]
    sessions_a_day: Annotated[
        float, _s(2, 6, "assumed", "data records: a few to tens; the low end, to keep worlds small")
    ]
    megabytes_a_day: Annotated[float, _s(300, 440, "derived", _OFCOM + ": 3,087 PB: 369 MB a day")]
    updates_a_day: Annotated[float, _s(2, 5, "assumed", "location records: a few to tens; the low end")]
    topups_a_month: Annotated[float, _s(0.9, 1.8, "derived", _OFCOM + ": prepay ARPU GBP 5.40")]
    handset_years: Annotated[float, _s(2.3, 3.6, "assumed", "between upgrades")]
    lost_a_year: Annotated[float, _s(0.015, 0.05, "assumed", "phones lost, stolen or broken")]
    sim_changes_a_year: Annotated[float, _s(0.02, 0.08, "assumed", "SIM replaced, eSIM moves")]
    ports_a_year: Annotated[float, _s(0.04, 0.10, "assumed", "numbers moved to another operator")]
    forwards_a_year: Annotated[float, _s(0.05, 0.20, "assumed", "forwarding set or cleared")]
    roaming_share: Annotated[float, _s(0.4, 0.8, "assumed", "of holidays, those abroad")]
    # movement
    holidays_a_year: Annotated[float, _s(1.2, 2.4, "assumed", "stays away of some nights")]
    day_trips_a_week: Annotated[float, _s(0.15, 0.45, "assumed", "by rail or road to another town")]
    nights_out_a_week: Annotated[float, _s(0.4, 1.2, "assumed", "evenings in town, adults under 35")]
    # banks and money
    banks: Annotated[
        int, _s(5, 7, "assumed", "banks that report; the last reports both sides, the others their own")
    ]
    second_account_share: Annotated[
        float, _s(0.35, 0.6, "assumed", "adults with an account at a second bank")
    ]
    joint_share: Annotated[float, _s(0.3, 0.5, "assumed", "couples with a joint account")]
    dormant_share: Annotated[float, _s(0.05, 0.15, "assumed", "second accounts hardly used")]
    cards_a_day: Annotated[float, _s(1.3, 1.8, "derived", _UKF + ": 31.4bn card payments: 1.56 an adult")]
    online_share: Annotated[float, _s(0.16, 0.28, "derived", _UKF + ": what is neither contactless nor chip")]
    contactless_share: Annotated[
        float, _s(0.72, 0.86, "derived", _UKF + ": 18.9bn of 31.4bn; of those in person")
    ]
    card_amount: Annotated[
        float, _s(0.85, 1.15, "derived", _UKF + ": contactless mean GBP 15.86; scales all amounts")
    ]
    decline_share: Annotated[float, _s(0.01, 0.04, "assumed", "card payments declined")]
    cash_a_day: Annotated[float, _s(0.04, 0.09, "assumed", "withdrawals from machines")]
    deposits_a_day: Annotated[float, _s(0.001, 0.005, "assumed", "cash paid in by persons")]
    friend_payments_a_day: Annotated[
        float, _s(0.05, 0.11, "derived", _PAYUK + ": 5.1bn Faster Payments: 0.25 an adult")
    ]
    own_transfers_a_day: Annotated[float, _s(0.04, 0.09, "derived", _PAYUK + ": as above")]
    bill_payments_a_day: Annotated[float, _s(0.04, 0.09, "derived", _PAYUK + ": as above")]
    debits_a_month: Annotated[
        float, _s(6, 9, "assumed", "general knowledge: about 4.9bn direct debits a year: 7.4 an adult")
    ]
    orders_a_month: Annotated[float, _s(0.6, 1.2, "assumed", "standing orders an adult")]
    round_share: Annotated[float, _s(0.35, 0.6, "assumed", "payments to friends of a round sum")]
    new_payee_share: Annotated[
        float, _s(0.04, 0.12, "assumed", "payments by hand to somebody never paid before")
    ]
    logins_a_day: Annotated[float, _s(0.3, 0.9, "assumed", "to each account in use")]
    failed_login_share: Annotated[float, _s(0.02, 0.06, "assumed", "wrong passwords and codes")]
    otp_share: Annotated[float, _s(0.08, 0.3, "assumed", "online card payments confirmed by a texted code")]
    changes_a_year: Annotated[float, _s(0.1, 0.3, "assumed", "phone, email or address changed at a bank")]
    openings_a_year: Annotated[float, _s(0.05, 0.15, "assumed", "accounts opened by an adult")]
    # suppliers
    late_share: Annotated[float, _s(0.004, 0.02, "assumed", "records that come hours late")]
    late_hours: Annotated[float, _s(1.5, 8, "assumed", "median; TAP files arrive hours late")]
    repeat_share: Annotated[float, _s(0.0005, 0.003, "assumed", "records sent twice")]
    bad_share: Annotated[float, _s(0, 0, "assumed", "records that cannot be read; a scenario may raise it")]

    @property
    def both_bank(self) -> int:
        """The bank that reports both sides of its customers' payments."""
        return self.banks - 1

    @property
    def phase_operator(self) -> int:
        """The operator that reports the start and the end of a call apart."""
        return self.operators - 1

    def settings(self, table: str) -> Mapping[str, Any]:
        """A table of the scenario file, empty when it is not there."""
        found = self.scenario.get(table, {})
        return found if isinstance(found, Mapping) else {}


def parameters_of(seed: int, scenario: Mapping[str, Any] | None = None) -> Parameters:
    """The parameters of the world with this seed, with what a scenario fixes."""
    scenario = scenario or {}
    return drawn(Parameters, seed, "world", scenario.get("world", {}), {"seed": seed, "scenario": scenario})
