"""How county lines behave in one world: prevalence, markets, texting, handsets, money, and how they end.

Published figures are those of the National County Lines Coordination Centre and the National Crime Agency (section
2.3 of the domain notes, cited in `docs/simulator-crimes.md`); where nothing is published the range is wide.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from simulator.spreads import Origin, Spread

A: Final[Origin] = "assumed"


@dataclass(frozen=True, slots=True)
class LineParameters:
    """One world's county lines."""

    # how many, where, how long
    lines_per_million: Annotated[
        float, Spread(7, 12, "derived", "600-1,100 active lines over 91.1m subscriptions")
    ]
    external_share: Annotated[float, Spread(0.5, 0.75, A, "65/35, drifting to internal")]
    life_days_median: Annotated[float, Spread(60, 130, A, "median 90 days, 95th percentile 900", "log")]
    life_sigma: Annotated[float, Spread(1.1, 1.5, A, "from the same two quantiles")]
    type1_share: Annotated[float, Spread(0.86, 0.95, "derived", "372 of 410 closures, Jul-Sep 2024")]
    reemerge_after_type2: Annotated[float, Spread(0.7, 0.9, A, "80 % within 72 hours")]
    reemerge_after_type1: Annotated[float, Spread(0.1, 0.25, A, "15 % within 30 days")]
    reemerge_keep_low: Annotated[float, Spread(0.55, 0.75, A, "fewest of the customers carried over")]
    reemerge_keep_high: Annotated[float, Spread(0.8, 0.97, A, "most of the customers carried over")]
    gravity_minutes: Annotated[float, Spread(60, 120, A, "exp(-travel time / 90 min)")]
    gravity_power: Annotated[float, Spread(0.5, 0.9, A, "population to the power 0.7")]
    rail_town_pull: Annotated[float, Spread(1.2, 2.0, A, "rail towns and coast x 1.5")]
    # customers and orders
    customers_median: Annotated[
        float, Spread(55, 130, "derived", "68, 100+ and 2,000 reported; median 80", "log")
    ]
    customers_sigma: Annotated[float, Spread(0.4, 0.8, A, "68 to 2,000 seen")]
    orders_per_customer_day: Annotated[
        float, Spread(0.4, 0.9, A, "40-150 orders a day over about 80 customers")
    ]
    customer_taste_sigma: Annotated[float, Spread(0.6, 1.3, A, "a few customers buy most")]
    customer_turnover_day: Annotated[float, Spread(0.004, 0.015, A, "customers who come and go, a day")]
    # texting
    flares_per_day: Annotated[float, Spread(1.2, 6.5, A, "Poisson 4, range of reports 1-8", "log")]
    never_flares_share: Annotated[float, Spread(0.03, 0.12, A, "lines that live by word of mouth")]
    quiet_day_share: Annotated[float, Spread(0.02, 0.2, A, "days with no advert at all")]
    flare_from_hour: Annotated[float, Spread(8.5, 12.5, A, "10:00")]
    flare_to_hour: Annotated[float, Spread(21, 24.5, A, "23:00")]
    send_gap_low_s: Annotated[float, Spread(0.8, 3, A, "2-6 s between sends")]
    send_gap_high_s: Annotated[float, Spread(4, 14, A, "2-6 s between sends; by hand is slower")]
    whole_list_weight: Annotated[float, Spread(0.2, 0.7, A, "adverts to everyone")]
    subset_weight: Annotated[float, Spread(0.2, 0.7, A, "adverts to 40-100 % of the list")]
    staggered_weight: Annotated[float, Spread(0.05, 0.4, A, "the list in parts over an hour or more")]
    rotating_weight: Annotated[float, Spread(0.05, 0.3, A, "a different third each time")]
    response_share: Annotated[float, Spread(0.09, 0.3, A, "12-25 % within the hour")]
    response_minutes: Annotated[float, Spread(6, 22, A, "median delay of an answer", "log")]
    voice_share: Annotated[float, Spread(0.45, 0.9, A, "70 % voice, 30 % text")]
    call_seconds: Annotated[float, Spread(18, 48, A, "log-normal, median 28 s", "log")]
    late_share: Annotated[float, Spread(0.05, 0.25, A, "orders after 23:00")]
    # handsets and numbers
    handset_days: Annotated[float, Spread(9, 40, A, "every 21 days", "log")]
    sim_kept_share: Annotated[float, Spread(0.65, 0.92, A, "80 % keep the SIM")]
    number_days: Annotated[float, Spread(50, 200, A, "every 120 days", "log")]
    announced_share: Annotated[float, Spread(0.75, 0.98, A, "90 % of changes are announced")]
    second_number_share: Annotated[float, Spread(0.3, 0.8, "derived", "2,000 numbers on about 1,000 lines")]
    unseen_share: Annotated[float, Spread(0.12, 0.3, A, "20 % by WhatsApp only")]
    smart_handset_share: Annotated[float, Spread(0.05, 0.4, A, "usually older handsets")]
    prison_share: Annotated[float, Spread(0.01, 0.06, A, "lines held from prison are reported, not counted")]
    abroad_share: Annotated[float, Spread(0.01, 0.05, A, "not counted anywhere")]
    roaming_holder_share: Annotated[float, Spread(0.15, 0.5, A, "holders who move about the hub")]
    handover_share: Annotated[float, Spread(0.1, 0.4, A, "phones passed between people")]
    topups_per_week: Annotated[float, Spread(1.5, 5, A, "small and often")]
    # people who are used
    runners_low: Annotated[float, Spread(1, 1.9, A, "runners at a time, least")]
    runners_high: Annotated[float, Spread(2, 4.9, A, "runners at a time, most")]
    child_share: Annotated[float, Spread(0.35, 0.55, A, "15-17: 45 %; 18-24: 35 %; 25+: 20 %")]
    young_adult_share: Annotated[float, Spread(0.25, 0.4, A, "as above")]
    male_share: Annotated[float, Spread(0.85, 0.95, "published", "91 % (Edge 46)")]
    stint_nights_high: Annotated[float, Spread(3, 7, A, "1-6 nights")]
    day_trip_share: Annotated[
        float, Spread(0, 0, A, "stays without a night, home by the last train; a scenario may raise it")
    ]
    reup_days_high: Annotated[float, Spread(3.5, 6, A, "2-5 days")]
    rail_share: Annotated[float, Spread(0.4, 0.75, A, "60 % rail, 25 % car, 15 % taxi or coach")]
    missing_reported_share: Annotated[float, Spread(0.15, 0.5, A, "children whose absence is reported")]
    cuckooed_share: Annotated[float, Spread(0.45, 0.85, A, "861 addresses visited in one week of 2020")]
    visits_share: Annotated[float, Spread(0.15, 0.5, A, "orders collected at the address")]
    # money
    basket_low_gbp: Annotated[float, Spread(5, 15, A, "GBP 10-60, '2 for 15', '3 for 25'")]
    basket_high_gbp: Annotated[float, Spread(40, 90, A, "GBP 10-60")]
    transfer_share: Annotated[float, Spread(0.15, 0.4, A, "25 % by transfer, rising")]
    tills_high: Annotated[float, Spread(1.5, 4.9, A, "mule accounts of young people at a time")]
    slow_till_share: Annotated[float, Spread(0.1, 0.5, A, "mules that wait a day or more")]
    shared_till_share: Annotated[float, Spread(0.1, 0.5, A, "tills run from the line's own device")]
    collector_share: Annotated[float, Spread(0.5, 0.9, A, "lines whose takings are pooled by transfer")]
    cash_banked_share: Annotated[float, Spread(0.02, 0.2, A, "notes paid in at counters and shops")]
    # what is known of it
    watched_share: Annotated[float, Spread(0.1, 0.35, A, "numbers the police already know")]
    closure_label_days: Annotated[float, Spread(1, 6, A, "from closure to a label on the number")]
