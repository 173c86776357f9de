"""What is known of a telephone number: whom it texts and calls, who answers, and how it lives."""

from typing import Final

from features.declare import AMOUNT, BORN, FORCE, PREPAID, Condition, Of, of_other
from features.declared import CATALOGUE
from features.rows import MESSAGES, Entity, Flag, Kind, Role

_NIGHT: Final = (22, 23, 0, 1, 2, 3, 4, 5)
_EVENING: Final = (19, 20, 21, 22, 23, 0, 1, 2)
_TALK_S: Final = 180.0
"""Friends and family talk for minutes (the mean call of a subscription is over two); an order does not."""
_SPEECH: Final = (*MESSAGES, Kind.CALL)

number: Final = Of(CATALOGUE, Entity.NUMBER)

texts_out = number.events(
    "texts_out", words="texts to mobiles", roles=[Role.OUT], kinds=MESSAGES, having=[Flag.OTHER_MOBILE]
)
calls_in = number.events(
    "calls_in",
    words="calls from mobiles",
    roles=[Role.IN],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
)
answered_in = number.events(
    "answered_in",
    words="answered calls from mobiles",
    roles=[Role.IN],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_MOBILE, Flag.FINAL, Flag.ANSWERED],
)
short_in = number.events(
    "short_in",
    words="answered calls from mobiles of under a minute",
    roles=[Role.IN],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_MOBILE, Flag.FINAL, Flag.ANSWERED, Flag.SHORT],
)
evening_in = number.events(
    "evening_in",
    words="calls from mobiles in the evening or at night",
    roles=[Role.IN],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
    hours=_EVENING,
)
rung_out = number.events(
    "rung_out",
    words="calls to mobiles",
    roles=[Role.OUT],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
)
talks = number.events(
    "talks",
    words="conversations of three minutes and more",
    roles=[Role.IN, Role.OUT],
    kinds=[Kind.CALL],
    having=[Flag.FINAL, Flag.ANSWERED],
    when=Condition(AMOUNT, at_least=_TALK_S),
)
contact_in = number.events(
    "contact_in",
    words="calls and texts from mobiles",
    roles=[Role.IN],
    kinds=_SPEECH,
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
)
contact_any = number.events(
    "contact_any",
    words="calls and texts with mobiles, either way",
    roles=[Role.IN, Role.OUT],
    kinds=_SPEECH,
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
)
service_out = number.events(
    "service_out",
    words="calls and texts to landlines, companies and services",
    roles=[Role.OUT],
    kinds=_SPEECH,
    having=[Flag.FINAL],
    lacking=[Flag.OTHER_MOBILE],
)
data = number.events("data", words="data sessions", roles=[Role.SELF], kinds=[Kind.DATA])
said = number.events(
    "said",
    words="what records say of the number",
    roles=[Role.OUT, Role.IN, Role.SELF],
    kinds=tuple(Kind),
)
nights = number.events(
    "nights",
    words="seen at night",
    roles=[Role.OUT, Role.IN, Role.SELF],
    kinds=tuple(Kind),
    hours=_NIGHT,
)

texted_10m = texts_out.distinct(
    "texted_10m", "other", within="10m", every="1m", words="different people texted within ten minutes"
)
texted_1h = texts_out.distinct(
    "texted_1h", "other", within="1h", every="10m", words="different people texted in an hour"
)
texted_7d = texts_out.distinct(
    "texted_7d", "other", within="7d", every="1d", words="different people texted in a week"
)
returning_7d = texts_out.returning(
    "returning_7d",
    "other",
    within="7d",
    every="1d",
    gap="30m",
    words="people of this week's texts who are texted again and again",
)
overlap_7d = number.ratio(
    "overlap_7d", returning_7d, texted_7d, words="share of those texted who are texted again and again"
)
# 15: well below the published 68 to 100 of a flare, far above what people do (0.6 messages a day)
bursts_24h = texts_out.bursts(
    "bursts_24h",
    texted_10m,
    at_least=15,
    gap="30m",
    within="24h",
    every="2h",
    words="bursts of texts to 15 or more people, in a day",
)
bursts_7d = texts_out.bursts(
    "bursts_7d",
    texted_10m,
    at_least=15,
    gap="30m",
    within="7d",
    every="1d",
    words="bursts of texts to 15 or more people, in a week",
)
bursts_12h = texts_out.bursts(
    "bursts_12h",
    texted_10m,
    at_least=15,
    gap="30m",
    within="12h",
    every="1h",
    words="bursts of texts to 15 or more people, in half a day",
)
texts_out_24h = texts_out.count(
    "texts_out_24h", within="24h", every="4h", words="texts sent to mobiles in a day"
)
answered_1h = contact_in.replies(
    "answered_1h",
    to=texts_out,
    field="other",
    gap="1h",
    within="1h",
    every="10m",
    words="people who called or texted back within the hour",
)
answered_7d = contact_in.replies(
    "answered_7d",
    to=texts_out,
    field="other",
    gap="1h",
    within="7d",
    every="1d",
    words="call-backs and answers within the hour, in a week",
)
texts_out_7d = texts_out.count(
    "texts_out_7d", within="7d", every="1d", words="texts sent to mobiles in a week"
)
answer_share_7d = number.ratio(
    "answer_share_7d", answered_7d, texts_out_7d, words="share of texts answered within the hour"
)
rung_back_7d = calls_in.replies(
    "rung_back_7d",
    to=texts_out,
    field="other",
    gap="1h",
    within="7d",
    every="1d",
    words="calls in answer to a text within the hour, in a week",
)
rung_share_7d = number.ratio(
    "rung_share_7d",
    rung_back_7d,
    answered_7d,
    words="share of those who answered a text within the hour that did so by calling",
)
texts_each_7d = number.ratio(
    "texts_each_7d", texts_out_7d, texted_7d, words="texts to each person texted in a week"
)

callers_24h = calls_in.distinct(
    "callers_24h", "other", within="24h", every="4h", words="different mobiles that called in a day"
)
callers_7d = calls_in.distinct(
    "callers_7d", "other", within="7d", every="1d", words="different mobiles that called in a week"
)
calls_in_24h = calls_in.count("calls_in_24h", within="24h", every="4h", words="calls from mobiles in a day")
answered_calls_7d = answered_in.count(
    "answered_calls_7d", within="7d", every="1d", words="answered calls from mobiles in a week"
)
short_calls_7d = short_in.count(
    "short_calls_7d", within="7d", every="1d", words="answered calls of under a minute in a week"
)
short_share_7d = number.ratio(
    "short_share_7d",
    short_calls_7d,
    answered_calls_7d,
    words="share of answered calls that lasted under a minute",
)
call_length_7d = answered_in.mean(
    "call_length_7d", within="7d", every="1d", words="mean length of an answered call", unit="seconds"
)
evening_calls_7d = evening_in.count(
    "evening_calls_7d", within="7d", every="1d", words="calls in the evening or at night in a week"
)
calls_in_7d = calls_in.count("calls_in_7d", within="7d", every="1d", words="calls from mobiles in a week")
evening_share_7d = number.ratio(
    "evening_share_7d", evening_calls_7d, calls_in_7d, words="share of calls in the evening or at night"
)

contacters_24h = contact_in.distinct(
    "contacters_24h",
    "other",
    within="24h",
    every="4h",
    words="different mobiles that called or texted in a day",
)
contacters_7d = contact_in.distinct(
    "contacters_7d",
    "other",
    within="7d",
    every="1d",
    words="different mobiles that called or texted in a week",
)
contacts_in_24h = contact_in.count(
    "contacts_in_24h", within="24h", every="4h", words="calls and texts from mobiles in a day"
)
contacts_in_7d = contact_in.count(
    "contacts_in_7d", within="7d", every="1d", words="calls and texts from mobiles in a week"
)
contacts_each_24h = number.ratio(
    "contacts_each_24h",
    contacts_in_24h,
    contacters_24h,
    words="times a day that each of those in contact called or texted",
)
contacts_each_7d = number.ratio(
    "contacts_each_7d",
    contacts_in_7d,
    contacters_7d,
    words="times a week that each of those in contact called or texted",
)
rung_7d = rung_out.distinct(
    "rung_7d", "other", within="7d", every="1d", words="different mobiles it called in a week"
)
rung_for_caller_7d = number.ratio(
    "rung_for_caller_7d", rung_7d, callers_7d, words="mobiles it called for each that called it, in a week"
)
talks_7d = talks.count(
    "talks_7d", within="7d", every="1d", words="conversations of three minutes and more in a week"
)
talk_share_7d = number.ratio(
    "talk_share_7d",
    talks_7d,
    answered_calls_7d,
    words="conversations of three minutes and more for each call answered",
)
contacts_7d = contact_any.distinct(
    "contacts_7d", "other", within="7d", every="1d", words="different mobiles in contact in a week"
)
contacts_count_7d = contact_any.count(
    "contacts_count_7d", within="7d", every="1d", words="calls and texts with mobiles in a week"
)
services_7d = service_out.count(
    "services_7d", within="7d", every="1d", words="calls and texts to landlines and companies in a week"
)
service_share_7d = number.ratio(
    "service_share_7d",
    services_7d,
    contacts_count_7d,
    words="calls and texts to landlines and companies for each one with a mobile",
)
data_7d = data.total("data_7d", within="7d", every="1d", words="data used in a week", unit="bytes")
sim_age = said.age("sim_age", BORN, words="age of the SIM")
prepaid = said.known("prepaid", PREPAID, words="prepaid SIM (1 yes, 0 no)")
handsets_7d = said.distinct(
    "handsets_7d", "device", within="7d", every="1d", words="different handsets used in a week"
)
sims_30d = said.distinct(
    "sims_30d", "sim", within="30d", every="2d", words="different SIMs behind the number in a month"
)
home_force = nights.usual_place("home_force", FORCE, words="force area where it spends its nights")
seen_force = said.usual_place("seen_force", FORCE, words="force area where it is seen most")
usual_hour = contact_any.usual_hour("usual_hour", words="how usual this time of day is for the number")

# The second pass: knowing the home of those in contact.
contact_knowing = number.events(
    "contact_knowing",
    words="calls and texts from mobiles, knowing where they live",
    roles=[Role.IN, Role.OUT],
    kinds=_SPEECH,
    having=[Flag.OTHER_MOBILE, Flag.FINAL],
    second_pass=True,
)
contacts_force = contact_knowing.usual_place(
    "contacts_force", of_other(seen_force), words="force area where most contacts are seen"
)
contacts_force_share = contact_knowing.usual_place_share(
    "contacts_force_share", of_other(seen_force), words="share of contacts seen in one force area"
)
