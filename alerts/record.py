"""What an alert is: facts, assessment, routing and handling in one frozen record; and what one firing hands over.

Times are microseconds since 1970 UTC in memory and RFC 3339 in JSON. A token is 32 hexadecimal digits. JSON is
written with sorted keys, so that one alert has one spelling.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from alerts.errors import AlertError

BANDS: Final = ("low", "medium", "high", "critical")
CATEGORIES: Final = ("suspect", "convicted", "victim", "possible_victim", "witness", "unknown")
THREATS: Final = ("fraud", "telecoms_fraud", "county_lines")
FOUR_P: Final = ("pursue", "prevent", "protect", "prepare")
DATA_CLASSES: Final = ("synthetic", "live")
INDICATORS: Final = (
    "mapped_group", "importation", "firearms", "money_laundering", "card_group", "multi_modal",
)  # fmt: skip
"""What a firing may say beside its score, because routing asks for it (nationally mapped group, and so on)."""

CLAIMS: Final = ("", "line", "exploited")
"""What a county-lines detector claims: that there is a line, or that this person is made use of. The two are never added
up and never raise each other's band: a child who carries drugs is not the line it is carried for."""
LONE_STREAMS: Final = ("payments", "telecoms")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIME: Final = -(2**62)
"""The time that stands for "not said", as in the frames."""


class Subject(msgspec.Struct, frozen=True, rename={"category": "subject_category"}):
    """Someone or something an alert speaks of: a token, what it stands for, and the category of the person."""

    kind: str
    token: str
    category: str = "unknown"

    @classmethod
    def of(cls, kind: str, hi: int, lo: int, category: str = "unknown") -> "Subject":
        """A subject from the two halves a frame holds."""
        return cls(kind, token_text(hi, lo), category)

    @property
    def name(self) -> str:
        """Kind and token as one word, as `linewatch token` prints it."""
        return f"{self.kind}:{self.token}"


class Fact(msgspec.Struct, frozen=True, rename={"from_ts": "from", "to_ts": "to"}):
    """Something counted or seen, with its time and the feeds it comes from: no judgement in it."""

    name: str
    value: int | float | str | None
    """A count stays a whole number: a fact is spelt as it was found."""
    unit: str = ""
    from_ts: int | None = None
    to_ts: int | None = None
    sources: tuple[str, ...] = ()


class Reason(msgspec.Struct, frozen=True):
    """One reason in numbers: the value, what is usual for this subject, and its share of the score."""

    feature: str
    words: str
    value: float | None
    usual: float | None = None
    share: float | None = None
    contribution: float = 0.0


class Counterfactual(msgspec.Struct, frozen=True):
    """The smallest change of one value that would not have alerted."""

    feature: str
    value: float | None
    would_be: float | None
    words: str = ""


class NearestCase(msgspec.Struct, frozen=True):
    """The confirmed earlier alert of the same detector that is most like this one: its id, and what was alike."""

    alert_id: str
    likeness: float
    """1: the same in every signal that speaks."""
    alike: tuple[str, ...] = ()
    words: str = ""


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What the model made of it, frozen when it scored: nothing here is ever worked out again."""

    reasons: tuple[Reason, ...] = ()
    contributions: dict[str, float | None] = {}
    intercept: float = 0.0
    threshold: float = 0.0
    features: dict[str, float | None] = {}
    usual: dict[str, float | None] = {}
    counterfactual: Counterfactual | None = None
    nearest: NearestCase | None = None
    scored_event_id: str = ""
    scored_seq: int = -1
    scored_ts: int = NO_TIME


class Handling(msgspec.Struct, frozen=True, kw_only=True):
    """How it may be handled: marking, 3x5x2 grade, conditions."""

    marking: str
    instruction: str
    grade: str
    source_grade: str
    record_grade: str
    inference_grade: str
    handling_code: str
    conditions: tuple[str, ...]


class Priority(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands in the queue, after the shape of MoRiLE, with every part shown; confidence is kept apart."""

    order: float
    level: str
    child_first: bool
    harm: float
    likelihood: float
    risk: float
    organisational: float
    confidence: str
    cells: dict[str, int]
    rules: str = ""
    """Which priority rules were in force: empty for those that come with Linewatch."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The campus whose work it is, why, and whether that is provisional or could not be placed at all."""

    org_id: str
    name: str
    why: str
    provisional: bool = False
    unplaced: bool = False


class Copy(msgspec.Struct, frozen=True):
    """Who else is told, and why."""

    org_id: str
    why: str


class Safeguarding(msgspec.Struct, frozen=True, kw_only=True):
    """Whether someone may be a victim in need of protection, why, and who is told whatever else is decided."""

    needed: bool = False
    why: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()


class ReferralOut(msgspec.Struct, frozen=True):
    """A record handed to a police service this system does not serve (Scotland, Northern Ireland, the islands)."""

    org_id: str
    via: tuple[str, ...]
    why: str


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alert goes, worked out from the organisations as they stood on its day."""

    owner: Owner
    copies: tuple[Copy, ...] = ()
    escalation: Copy | None = None
    referrals_out: tuple[ReferralOut, ...] = ()
    safeguarding: Safeguarding = Safeguarding()
    victim_care: Copy | None = None
    regions: tuple[str, ...] = ()


class Happening(msgspec.Struct, frozen=True, array_like=True):
    """An event that a firing rests on beside the one it fired at: its name, feed and lawful basis, and when."""

    event_id: str
    source: str
    basis: str
    ts: int


class Explains(Protocol):
    """What can say why a firing alerts, once somebody asks."""

    def whole(self, fire: "Fire") -> "Fire":
        """The firing with facts, reasons and whatever else explains it."""


class Fire(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow hands over when one detector fires on one event.

    Few firings are ever shown: what explains one (facts, reasons, contributions, features, …) is worked out when it is
    asked for by `whole`. What routing and an episode gather is there from the beginning.
    """

    seq: int
    ts: int
    recorded_ts: int
    event_id: str
    source: str
    basis: str
    detector: str
    detector_version: str
    model_version: str
    threat: str
    typology: str
    four_p: str
    stream: str
    subject: Subject
    score: float
    threshold: float
    claim: str = ""
    """What is claimed of the subject, from CLAIMS; empty: that it does what the threat says."""
    bands: tuple[float, float, float] = (0.5, 0.75, 0.9)
    """From which score on it is medium, high, critical."""
    earlier: tuple[Happening, ...] = ()
    """The events before it without which it would not have fired: the other half of something across streams."""
    related: tuple[Subject, ...] = ()
    facts: tuple[Fact, ...] = ()
    reasons: tuple[Reason, ...] = ()
    contributions: Mapping[str, float | None] = {}
    intercept: float = 0.0
    features: Mapping[str, float | None] = {}
    usual: Mapping[str, float | None] = {}
    counterfactual: Counterfactual | None = None
    nearest: NearestCase | None = None
    home_force: int = 0
    """Where the holder (of the number, of the account) is; 0 unknown."""
    active_forces: tuple[tuple[int, float], ...] = ()
    """Forces in which it is active, with weights."""
    near_forces: tuple[int, ...] = ()
    """Forces whose border lies within 1 km of the event (`places.where.forces_near`)."""
    current_force: int = 0
    """Where the subject is now, for safeguarding; 0 unknown."""
    victim_force: int = 0
    minor: bool = False
    vulnerable: bool = False
    rail: bool = False
    supplier_proven: bool = False
    """The data supplier is proven and the record authenticated: graded source 1, else 2."""
    corroborated_by: tuple[str, ...] = ()
    """What else says the same of this subject: a stream (`telecoms`) or a detector of one (`telecoms:deal_line`)."""
    indicators: tuple[str, ...] = ()
    """From INDICATORS."""
    harm: Mapping[str, int] = {}
    """MoRiLE-like cells the detector knows, 0..4 (`priority.CELLS`); the rest are derived."""
    quiet_after_us: int = 24 * 3_600_000_000
    """The episode ends when it has been quiet for this long."""
    clock_ts: int = NO_TIME
    """The latest recorded_ts of any row up to this one in the one order; `recorded_ts` when not given."""
    data_class: str = "synthetic"
    later: Any = None
    """What explains it (`Explains`), where nobody has asked yet."""

    @property
    def band(self) -> str:
        """The word for the score."""
        return band_of(self.score, self.bands)

    def whole(self) -> "Fire":
        """The firing with all that explains it."""
        later: Explains | None = self.later
        return self if later is None else later.whole(self)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out: one episode of one detector about one subject, as it stands at this revision."""

    alert_id: str
    case_key: str
    revision: int
    revision_ts: int
    revision_why: tuple[str, ...]
    detector: str
    detector_version: str
    model_version: str
    threat: str
    typology: str
    four_p: str
    stream: str
    status: str = "new"
    outcome: str | None = None
    role: str | None = None
    first_event_ts: int
    last_event_ts: int
    raised_ts: int
    ended_ts: int | None = None
    ended_why: str | None = None
    subjects: tuple[Subject, ...]
    score: float
    band: str
    """The word for the score, one step up when another stream says the same (`band_raised_by`)."""
    claim: str = ""
    band_raised_by: tuple[str, ...] = ()
    """The streams that agree; empty: the band is the score's own."""
    priority: Priority
    facts: tuple[Fact, ...]
    assessment: Assessment
    event_ids: tuple[str, ...]
    event_count: int
    first_event_id: str
    last_event_id: str
    first_seq: int
    last_seq: int
    corroborated_by: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    forces: tuple[int, ...] = ()
    """Codes of every force touched (home, active, near, victim's), in `places.forces` order."""
    linked_alerts: tuple[str, ...] = ()
    previous: str | None = None
    """The alert about the same subject that this one follows."""
    suppressed: int = 0
    """Firings held back by a snooze before this alert was raised."""
    owner: Owner
    copies: tuple[Copy, ...]
    escalation: Copy | None = None
    referrals_out: tuple[ReferralOut, ...] = ()
    victim_care: Copy | None = None
    safeguarding: Safeguarding
    handling: Handling
    bases: tuple[str, ...]
    sources: tuple[str, ...]
    data_class: str

    @property
    def subject(self) -> Subject:
        """The one it is about; the others are related."""
        return self.subjects[0]


_TIMES: Final = frozenset(
    ("revision_ts", "first_event_ts", "last_event_ts", "raised_ts", "ended_ts", "scored_ts", "from", "to")
)
_NESTED: Final = (dict, list, tuple)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
CLOUDEVENT_TYPE: Final = "linewatch.alert.v1"


def token_text(hi: int, lo: int) -> str:
    """A token's two halves as 32 hexadecimal digits."""
    return f"{hi:016x}{lo:016x}"


def band_of(score: float, bands: tuple[float, float, float]) -> str:
    """The word for a score, given from where on it is medium, high and critical."""
    medium, high, critical = bands
    return BANDS[(score >= medium) + (score >= high) + (score >= critical)]


def apart(one: str, other: str) -> bool:
    """Whether two claims say nothing of each other: that somebody is exploited, and anything else."""
    return (one == "exploited") != (other == "exploited")


def raised_band(band: str) -> str:
    """The next band up, if there is one."""
    return BANDS[min(BANDS.index(band) + 1, len(BANDS) - 1)]


def agreeing(stream: str, corroborated_by: tuple[str, ...]) -> tuple[str, ...]:
    """The streams that say the same of a subject, when they are two; nothing when it is one alone.

    A detector that scores both streams together has counted the other one already.
    """
    said = {by.partition(":")[0] for by in corroborated_by} & set(LONE_STREAMS)
    return tuple(sorted(said | {stream})) if stream in LONE_STREAMS and said - {stream} else ()


def when_text(us: int) -> str:
    """Microseconds since 1970 as RFC 3339."""
    # not `strftime`, which takes six times as long
    return (EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds")[:-6] + "Z"


def when_us(text: str) -> int:
    """RFC 3339 as microseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def finite(value: float) -> float | None:
    """The number, or nothing when there is none (NaN) or none that JSON knows (infinity)."""
    return value if math.isfinite(value) else None


def encode(plain: object) -> bytes:
    """Plain data as JSON with sorted keys: one spelling."""
    return _ENCODER.encode(plain)


def to_plain(alert: Alert) -> dict[str, Any]:
    """The alert as plain data with times written out, as the contract has it."""
    plain: dict[str, Any] = _times_out(msgspec.to_builtins(alert))
    return plain


def to_json(alert: Alert) -> bytes:
    """The alert as one line of JSON, keys sorted."""
    return encode(to_plain(alert))


def to_cloudevent(alert: Alert, source: str = "linewatch") -> bytes:
    """The alert with CloudEvents 1.0 attributes around it; the id tells revisions apart."""
    return encode(
        {
            "specversion": "1.0",
            "type": CLOUDEVENT_TYPE,
            "source": source,
            "id": f"{alert.alert_id}.{alert.revision}",
            "subject": alert.alert_id,
            "time": when_text(alert.revision_ts),
            "datacontenttype": "application/json",
            "data": to_plain(alert),
        }
    )


def from_json(raw: bytes | str) -> Alert:
    """An alert from its JSON.

    Raises:
        AlertError: it is not one.
    """
    try:
        return msgspec.convert(_times_in(msgspec.json.decode(raw)), Alert)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise AlertError(
            f"not an alert of this version: {error}; was it written by a newer Linewatch?"
        ) from error


def _times_out(plain: Any) -> Any:
    """Write times out, in place: the plain data is ours."""
    if type(plain) is dict:
        for key, value in plain.items():
            kind = type(value)
            if kind is int and key in _TIMES:
                plain[key] = when_text(value)
            elif kind in _NESTED:
                _times_out(value)
    elif type(plain) in _NESTED:
        for item in plain:
            if type(item) in _NESTED:
                _times_out(item)
    return plain


def _times_in(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {
            key: when_us(value) if key in _TIMES and type(value) is str else _times_in(value)
            for key, value in plain.items()
        }
    if isinstance(plain, list):
        return [_times_in(item) for item in plain]
    return plain
