"""What is known of SIMs, of the handsets they sit in, and of numbers that only those they call can tell of.

Three kinds of subject: a number whose SIM, handset or forwarding changes (takeover of a number); a number that costs
somebody dear (calls abroad and to premium rates, one ring and gone, a British number shown by a call from abroad); and
a handset through which many SIMs go (SIM boxes, farms of texts). Of a foreign number, or of one shown by a call from
abroad, nobody here reports: it is known from the records of those it called (`HEARD`) and of those who called it
(`REACHED`).
"""

from typing import Final

from features.declare import BORN, Condition, since_last
from features.numbers import number
from features.rows import MESSAGES, Flag, Kind, Role
from features.things import handset

_SPEECH: Final = (*MESSAGES, Kind.CALL)
_HOURS_72: Final = 72 * 3_600.0
"""Codes, new devices and payments follow the change of a SIM within 72 hours."""
_HOUR: Final = 3_600.0

# ------------------------------------------------------------------------------------ a number changes hands

sim_changes = number.events(
    "sim_changes", words="change of the SIM", roles=[Role.SELF], kinds=[Kind.SIM_CHANGE, Kind.PORT]
)
handset_after_change = number.events(
    "handset_after_change",
    words="changes of the handset within an hour of a change of the SIM",
    roles=[Role.SELF],
    kinds=[Kind.DEVICE_CHANGE],
    when=Condition(since_last(sim_changes), at_most=_HOUR),
)
forwarding_after_change = number.events(
    "forwarding_after_change",
    words="forwarding to a mobile set within 72 hours of a change of the SIM",
    roles=[Role.SELF],
    kinds=[Kind.FORWARDING],
    having=[Flag.OTHER_MOBILE],
    when=Condition(since_last(sim_changes), at_most=_HOURS_72),
)
codes_after_change = number.events(
    "codes_after_change",
    words="texts from senders' names and short codes within 72 hours of a change of the SIM",
    roles=[Role.IN],
    kinds=MESSAGES,
    having=[Flag.FROM_SENDER],
    when=Condition(since_last(sim_changes), at_most=_HOURS_72),
)
since_sim_change = sim_changes.since(
    "since_sim_change", words="since the SIM changed or the number moved to another operator"
)
handset_after_change_3d = handset_after_change.count(
    "handset_after_change_3d", within="3d", every="6h", words="new handset within an hour of the new SIM"
)
forwarding_after_change_3d = forwarding_after_change.count(
    "forwarding_after_change_3d",
    within="3d",
    every="6h",
    words="forwarding to a mobile set after the change of the SIM",
)
codes_after_change_1h = codes_after_change.count(
    "codes_after_change_1h",
    within="1h",
    every="10m",
    words="texts from senders' names in an hour, after the change of the SIM",
)

# ------------------------------------------------------------------------- calls that earn somebody money

costly_out = number.events(
    "costly_out",
    words="calls abroad and to premium rates",
    roles=[Role.OUT],
    kinds=[Kind.CALL],
    having=[Flag.OTHER_COSTLY, Flag.FINAL],
)
made = number.events(
    "made",
    words="calls made, whoever tells of them",
    roles=[Role.OUT, Role.HEARD],
    kinds=[Kind.CALL],
    having=[Flag.FINAL],
)
costly_seconds_24h = costly_out.total(
    "costly_seconds_24h",
    within="24h",
    every="4h",
    words="time on calls abroad and to premium rates in a day",
    unit="seconds",
)
costly_seconds_1h = costly_out.total(
    "costly_seconds_1h",
    within="1h",
    every="10m",
    words="length of all calls abroad and to premium rates begun within an hour",
    unit="seconds",
)
costly_calls_24h = costly_out.count(
    "costly_calls_24h", within="24h", every="4h", words="calls abroad and to premium rates in a day"
)
costly_numbers_24h = costly_out.distinct(
    "costly_numbers_24h",
    "other",
    within="24h",
    every="4h",
    words="different numbers abroad and at premium rates called in a day",
)
costly_calls_7d = costly_out.count(
    "costly_calls_7d", within="7d", every="1d", words="calls abroad and to premium rates in a week"
)
calls_out_7d = made.count("calls_out_7d", within="7d", every="1d", words="calls made in a week")
costly_share_7d = number.ratio(
    "costly_share_7d",
    costly_calls_7d,
    calls_out_7d,
    words="share of calls that go abroad or to premium rates",
)
same_costly_24h = number.ratio(
    "same_costly_24h",
    costly_numbers_24h,
    costly_calls_24h,
    words="different numbers for each call abroad or to a premium rate",
)

# -------------------------------------------------------------------------------------- one ring and gone

rings = number.events(
    "rings",
    words="calls made that reached nobody",
    roles=[Role.OUT, Role.HEARD],
    kinds=[Kind.CALL],
    having=[Flag.UNREACHED, Flag.FINAL],
)
back = number.events(
    "back",
    words="calls to the number, whoever tells of them",
    roles=[Role.IN, Role.REACHED],
    kinds=[Kind.CALL],
    having=[Flag.FINAL],
)
rung_1h = rings.distinct(
    "rung_1h", "other", within="1h", every="10m", words="different people rung in an hour and not reached"
)
rings_24h = rings.count("rings_24h", within="24h", every="4h", words="calls in a day that reached nobody")
made_24h = made.count("made_24h", within="24h", every="4h", words="calls in a day")
unreached_share_24h = number.ratio(
    "unreached_share_24h", rings_24h, made_24h, words="share of calls that reached nobody"
)
rung_back_24h = back.replies(
    "rung_back_24h",
    to=rings,
    field="other",
    gap="24h",
    within="24h",
    every="4h",
    words="people who called back within a day",
)

# ---------------------------------------------------------------- a British number on calls from abroad

shown_abroad = number.events(
    "shown_abroad",
    words="calls from abroad that show this British number",
    roles=[Role.HEARD],
    kinds=[Kind.CALL],
    having=[Flag.ABROAD_IN, Flag.FINAL],
    lacking=[Flag.FOREIGN],
)
shown_falsely = number.events(
    "shown_falsely",
    words="calls that show this number while the network knows another",
    roles=[Role.HEARD],
    kinds=[Kind.CALL],
    having=[Flag.ABROAD_IN, Flag.SPOOFED, Flag.FINAL],
    lacking=[Flag.FOREIGN],
)
shown_to_24h = shown_abroad.distinct(
    "shown_to_24h", "other", within="24h", every="4h", words="different people called from abroad in a day"
)
shown_24h = shown_abroad.count(
    "shown_24h", within="24h", every="4h", words="calls from abroad in a day that show this number"
)
shown_falsely_24h = shown_falsely.count(
    "shown_falsely_24h",
    within="24h",
    every="4h",
    words="calls in a day for which the network knows another number",
)
shown_new_24h = number.ratio(
    "shown_new_24h", shown_to_24h, shown_24h, words="different people for each call from abroad"
)
shown_falsely_share_24h = number.ratio(
    "shown_falsely_share_24h",
    shown_falsely_24h,
    shown_24h,
    words="share of calls from abroad for which the network knows another number",
)

# ------------------------------------------------------------------------------- new contracts, run dry

data_24h = number.events(
    "data_now", words="data sessions of the number", roles=[Role.SELF], kinds=[Kind.DATA]
).total("data_24h", within="24h", every="4h", words="data used in a day", unit="bytes")

# ----------------------------------------------------------------------------------- handsets full of SIMs

box_calls = handset.events(
    "box_calls",
    words="calls made from the handset",
    roles=[Role.HANDSET],
    kinds=[Kind.CALL],
    having=[Flag.OUTGOING, Flag.FINAL],
)
box_calls_in = handset.events(
    "box_calls_in",
    words="calls and texts to the handset",
    roles=[Role.HANDSET],
    kinds=_SPEECH,
    having=[Flag.FINAL, Flag.OTHER_MOBILE],
    lacking=[Flag.OUTGOING],
)
box_texts = handset.events(
    "box_texts",
    words="texts sent from the handset",
    roles=[Role.HANDSET],
    kinds=MESSAGES,
    having=[Flag.OUTGOING, Flag.OTHER_MOBILE],
)
box_spoken = handset.events(
    "box_spoken",
    words="calls and texts made from the handset",
    roles=[Role.HANDSET],
    kinds=_SPEECH,
    having=[Flag.OUTGOING, Flag.FINAL],
)
box_data = handset.events("box_data", words="data sessions", roles=[Role.HANDSET], kinds=[Kind.DATA])

box_calls_24h = box_calls.count(
    "box_calls_24h", within="24h", every="4h", words="calls made from the handset in a day"
)
box_called_24h = box_calls.distinct(
    "box_called_24h",
    "third",
    within="24h",
    every="4h",
    words="different numbers called from the handset in a day",
)
box_new_share_24h = handset.ratio(
    "box_new_share_24h",
    box_called_24h,
    box_calls_24h,
    words="different numbers for each call made from the handset",
)
box_made_24h = box_spoken.count(
    "box_made_24h", within="24h", every="4h", words="calls and texts made from the handset in a day"
)
box_taken_24h = box_calls_in.count(
    "box_taken_24h", within="24h", every="4h", words="calls and texts to the handset in a day"
)
box_in_out_24h = handset.ratio(
    "box_in_out_24h",
    box_taken_24h,
    box_made_24h,
    words="calls and texts to the handset for each one made from it",
)
box_texts_24h = box_texts.count(
    "box_texts_24h", within="24h", every="4h", words="texts sent from the handset in a day"
)
box_texts_1h = box_texts.count(
    "box_texts_1h", within="1h", every="10m", words="texts sent from the handset in an hour"
)
box_texted_24h = box_texts.distinct(
    "box_texted_24h",
    "third",
    within="24h",
    every="4h",
    words="different people texted from the handset in a day",
)
box_texted_share_24h = handset.ratio(
    "box_texted_share_24h",
    box_texted_24h,
    box_texts_24h,
    words="different people for each text sent from the handset",
)
box_text_share_24h = handset.ratio(
    "box_text_share_24h",
    box_texts_24h,
    box_made_24h,
    words="texts for each call or text made from the handset",
)
box_burst_share_24h = handset.ratio(
    "box_burst_share_24h",
    box_texts_1h,
    box_texts_24h,
    words="share of the day's texts that were sent within the hour",
)
box_answers_24h = box_calls_in.replies(
    "box_answers_24h",
    to=box_texts,
    field="third",
    gap="1h",
    within="24h",
    every="4h",
    words="people who called or texted back within an hour",
)
box_answer_share_24h = handset.ratio(
    "box_answer_share_24h",
    box_answers_24h,
    box_texts_24h,
    words="share of the handset's texts answered within an hour",
)
box_places_24h = box_spoken.distinct(
    "box_places_24h", "place", within="24h", every="4h", words="different cells in a day"
)
box_data_24h = box_data.total(
    "box_data_24h", within="24h", every="4h", words="data used by the handset in a day", unit="bytes"
)
box_sim_age = box_spoken.age("box_sim_age", BORN, words="age of the SIM in the handset")
