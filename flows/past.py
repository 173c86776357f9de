"""History as a detector would have seen it: the rows its gate lets through, made by the offline twin.

The same joined rows as the second pass makes online (own, the other party's, the things', then what the second pass
adds), told of all ticks at once and kept only where the gate lets them through: what a challenger is trained on. Only
detectors that look at rows of accounts or numbers have such a past; for other kinds see `flows.walked`.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from alerts.record import token_text
from detectors.base import Detector
from detectors.cross import CrossDetector
from detectors.network import NetworkDetector
from events.codes import AGE_BANDS, word_of
from events.ledger import Tick
from features.declare import Feature
from features.declared import CATALOGUE
from features.plan import SubjectPlan
from features.rows import SUBJECTS, Entity, Role, Rows, chosen, joined
from features.twin import history, history_in_parts
from flows.dataflow import plan_of
from flows.errors import FlowError
from flows.first_pass import THING_SUBJECT, key_of
from flows.found_out import labels_in, recalls_in, sides_of
from flows.roles import role_rows
from flows.telling import Telling, asking, with_told
from models.examples import SAMPLE, STRATUM, VALUE
from models.labels import Label
from models.scorecard import Scorecard
from places.forces import forces

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_KEY: Final = "key"


class Past:
    """The ticks of some history, taken in one by one, and what they say for one detector."""

    def __init__(self, detector: type[Detector]) -> None:
        """Begin with nothing.

        Raises:
            FlowError: the detector does not look at single rows of accounts or numbers.
        """
        if detector.subject not in SUBJECTS or issubclass(detector, CrossDetector | NetworkDetector):
            raise FlowError(
                f"{detector.id} does not score single rows of accounts or numbers, so the offline twin cannot tell its "
                "history: walk through it (leave --twin out)"
            )
        self.detector = detector
        self.plan = plan_of([detector])
        self.subject: SubjectPlan = self.plan.subjects[detector.subject]
        self.labels: list[Label] = []
        self.events = 0
        self._rows: dict[Entity, list[Rows]] = {}
        self._wanted = frozenset({detector.subject, *self.subject.things_from})
        self._ids: list[pl.DataFrame] = []
        self._telling = Telling(asking(self._wanted))

    def take(self, tick: Tick) -> None:
        """Take a tick, in order."""
        self.events += sum(frame.height for name, frame in tick.rows.items() if name != "control")
        told = self._telling.take(tick)
        for entity, rows in with_told(role_rows(tick, self._wanted), told).items():
            self._rows.setdefault(entity, []).append(rows[np.argsort(rows["seq"], kind="stable")])
        for stream in ("payments", "telecoms", "accounts"):
            if (frame := tick.rows.get(stream)) is not None and frame.height:
                self._ids.append(frame.select("seq", "event_id"))
        if (frame := tick.rows.get("labels")) is not None:
            self.labels += labels_in(frame)
        if (frame := tick.rows.get("payments")) is not None:
            self.labels += recalls_in(frame)

    def gated(self) -> pl.DataFrame:
        """The gated rows as examples: every one of them, with its values and its score by the author's scorecard."""
        if self.detector.subject not in self._rows:
            return pl.DataFrame(schema={"event_id": pl.String})
        rows = {entity: joined(parts) for entity, parts in self._rows.items()}
        told = {entity: self._first(entity, rows[entity]) for entity in rows}
        role = rows[self.detector.subject]["role"]
        mine = np.flatnonzero((role != Role.PEEK) & (role != Role.LABELLED))
        own = chosen(rows[self.detector.subject], mine)
        frame = told[self.detector.subject][mine].with_columns(pl.Series(_KEY, key_of(own)))
        frame = self._with_others(frame, rows, told)
        inputs = frame.drop(_KEY)
        second = history(
            CATALOGUE,
            self.detector.subject,
            own,
            inputs,
            second_pass=True,
            names=self.subject.second.names,
        )
        frame = pl.concat([inputs, second], how="horizontal").select(self.detector.needs())
        # an absent value passes no gate, as online
        passed = frame.fill_nan(None).select(self.detector.gate.fill_null(value=False).alias("gate"))["gate"]
        at = np.flatnonzero(passed.to_numpy() & (own["shadow"] == 0))
        return self._as_examples(chosen(own, at), frame[at])

    def _first(self, entity: Entity, rows: Rows) -> pl.DataFrame:
        """An entity's first pass, the columns that somebody asks for."""
        names = self._asked(entity)
        parts = [
            part.select("row", *names)
            for part in history_in_parts(CATALOGUE, entity, rows, names=self.plan.first[entity].names)
        ]
        return pl.concat(parts).sort("row").drop("row")

    def _asked(self, entity: Entity) -> list[str]:
        first = self.plan.first[entity].names
        if entity != self.detector.subject:
            return [first[pick] for pick in self.subject.thing_picks[entity]]
        needed = set(self.detector.needs()) | {first[pick] for pick in self.subject.other_picks}
        for feature in CATALOGUE.of(entity, second_pass=True):
            needed |= _parts(feature)
        return [name for name in first if name in needed]

    def _with_others(
        self, frame: pl.DataFrame, rows: dict[Entity, Rows], told: dict[Entity, pl.DataFrame]
    ) -> pl.DataFrame:
        """What the other party and the things of the same event told."""
        first = self.plan.first
        subject = self.detector.subject
        halves = [(subject, "other", [first[subject].names[pick] for pick in self.subject.other_picks])]
        halves += [
            (thing, thing.name.lower(), [first[thing].names[pick] for pick in picks])
            for thing, picks in self.subject.thing_picks.items()
        ]
        for entity, block, names in halves:
            if not names:
                continue
            columns = [f"{block}.{name}" for name in names]
            if entity not in rows:
                frame = frame.with_columns(pl.lit(np.nan).alias(name) for name in columns)
                continue
            sends = np.flatnonzero(rows[entity]["sends"] == 1)
            sent = chosen(rows[entity], sends)
            side = 2 - 2 * sent["side"].astype(np.int64) + sent["shadow"] if entity == subject else 0
            half = told[entity][sends].select(pl.col(n).alias(c) for n, c in zip(names, columns, strict=True))
            half = half.with_columns(pl.Series(_KEY, np.asarray(sent["seq"] * 4 + side, dtype=np.int64)))
            assert entity == subject or THING_SUBJECT[entity] == subject
            frame = frame.join(half.unique(_KEY, keep="last"), on=_KEY, how="left", maintain_order="left")
            frame = frame.with_columns(pl.col(columns).fill_null(np.nan))
        return frame

    def _as_examples(self, rows: Rows, values: pl.DataFrame) -> pl.DataFrame:
        detector = self.detector
        card: Scorecard = detector.scorecard()
        features = [signal.feature for signal in detector.signals]
        kind = detector.subject.name.lower()
        ids = pl.concat(self._ids).unique("seq", keep="first")
        area = {force.code: force.short for force in forces()}
        frame = pl.DataFrame(
            {
                "seq": rows["seq"],
                "ts": rows["ts"],
                "subject": [
                    f"{kind}:{token_text(int(hi), int(lo))}"
                    for hi, lo in zip(rows["own_hi"], rows["own_lo"], strict=True)
                ],
                "score": card.score(
                    np.ascontiguousarray(values.select(features).to_numpy(), dtype=np.float64)
                ),
                "side": sides_of(rows, detector.subject),
                f"{STRATUM}age_band": [word_of(AGE_BANDS, int(age)) or "not said" for age in rows["age"]],
                f"{STRATUM}force": [area.get(int(home), "not said") for home in rows["home"]],
            }
        ).with_columns(
            detector=pl.lit(detector.id),
            detector_version=pl.lit(detector.version, dtype=pl.Int64),
            model_version=pl.lit(card.version.version),
            threshold=pl.lit(detector.threshold),
            kept_as=pl.lit(SAMPLE),
            chance=pl.lit(1.0),
            alert_id=pl.lit(""),
        )
        told = values.select(features).rename({name: VALUE + name for name in features})
        whole = pl.concat([frame, told], how="horizontal")
        return whole.join(ids, on="seq", how="left", maintain_order="left").with_columns(
            pl.col("event_id").fill_null("")
        )


def read(detector: type[Detector], ticks: Iterable[Tick]) -> Past:
    """The past that some ticks tell."""
    past = Past(detector)
    for tick in ticks:
        past.take(tick)
    return past


def _parts(feature: Feature) -> set[str]:
    """The first-pass features that a second-pass one is made from."""
    return {name for name in (feature.against, feature.over) if name}
