"""Authorised push payment fraud in one world: how much of it, of which type, how large, how soon reported.

Case numbers and losses by type are UK Finance's for 2023 to 2025; rhythms within a case are assumed.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from simulator.crimes.mules import MuleParameters
from simulator.spreads import Origin, Spread

A: Final[Origin] = "assumed"
P: Final[Origin] = "published"
D: Final[Origin] = "derived"


@dataclass(frozen=True, slots=True)
class AppParameters(MuleParameters):
    """One world's authorised fraud, and the mule networks it pays into."""

    cases_per_person_year: Annotated[
        float, Spread(0.003, 0.0043, D, "248,070 cases in 2025 over 69.3m people")
    ]
    victims_of_one: Annotated[float, Spread(2, 9, A, "victims of one operation")]
    evenness: Annotated[float, Spread(0, 0, A, "0: types as published; 1: all eight alike (scenario only)")]
    purchase: Annotated[float, Spread(0.62, 0.76, P, "71 % of cases")]
    investment: Annotated[
        float, Spread(0.04, 0.08, D, "221.5m at about 15,000 a case; 7,767 of 186,000 in 2024")
    ]
    romance: Annotated[float, Spread(0.015, 0.03, D, "39.2m; 4,160 cases in 2023")]
    advance_fee: Annotated[float, Spread(0.06, 0.13, A, "58.4m, cases not given")]
    invoice: Annotated[float, Spread(0.006, 0.02, D, "139.2m with the next three; mean 14,469 in 2023")]
    ceo: Annotated[float, Spread(0.001, 0.004, A, "few")]
    impersonation_bank: Annotated[float, Spread(0.03, 0.07, D, "mean 6,441 in 2023")]
    impersonation_other: Annotated[float, Spread(0.05, 0.12, D, "10 % of cases in 2023")]
    purchase_gbp: Annotated[float, Spread(120, 320, D, "mean 670", "log")]
    investment_first_gbp: Annotated[
        float, Spread(200, 1_200, A, "first payment; H1 2025 mean a case 15,098", "log")
    ]
    investment_growth: Annotated[float, Spread(1.05, 1.5, A, "each payment to the next")]
    romance_gbp: Annotated[float, Spread(150, 700, D, "36.5m over 4,160 cases and 5-40 payments", "log")]
    fee_gbp: Annotated[float, Spread(40, 250, A, "the first fee", "log")]
    invoice_gbp: Annotated[float, Spread(5_000, 14_000, D, "mean 14,469", "log")]
    bank_gbp: Annotated[float, Spread(1_500, 4_500, D, "mean 6,441", "log")]
    other_gbp: Annotated[float, Spread(600, 2_400, A, "'Hi Mum', courier, taxes", "log")]
    call_minutes: Annotated[float, Spread(18, 70, A, "the call that goes on during the payment", "log")]
    no_call_share: Annotated[float, Spread(0.1, 0.4, A, "impersonations by message only")]
    foreign_number_share: Annotated[
        float, Spread(0.2, 0.6, A, "of callers; the rest show or use British numbers")
    ]
    spoofed_share: Annotated[float, Spread(0.2, 0.6, A, "bank impersonators who show the bank's number")]
    no_match_share: Annotated[
        float, Spread(0.15, 0.5, A, "Confirmation of Payee ignored where the name is not the mule's")
    ]
    coached_share: Annotated[
        float, Spread(0.3, 0.8, A, "victims told to raise limits and which reasons to give")
    ]
    reported_share: Annotated[float, Spread(0.75, 0.95, A, "cases the victim reports at all")]
    returned_share: Annotated[
        float, Spread(0.2, 0.6, A, "reported payments of which money comes back from the payee's bank")
    ]
    purchase_delay_days: Annotated[float, Spread(5, 18, A, "median 10 days", "log")]
    series_delay_days: Annotated[float, Spread(45, 140, A, "investment: median 90 days", "log")]
    prompt_delay_days: Annotated[float, Spread(0.1, 2.5, A, "impersonation: hours to days", "log")]
