"""The story of a champion: retrained, challenged, promoted, followed by a mistake, and put back by itself."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from alerts.record import when_text
from alerts.store import AlertStore
from bench.learning import DAY_US
from bench.live_flow import Flow
from bench.weekly_retraining import precision_of
from console.retraining import Span, material, retrain
from detectors.discovery import detector
from flows.promoting import publish
from flows.shelf import KEY
from models.errors import ModelError
from models.registry import Registry
from models.scorecard import Scorecard
from models.signing import signer_of
from models.training import equal_alerts, values_of

RESTART, CHALLENGE, PROMOTE, SPOIL = 10, 21, 28, 35
"""On the evening of which day what is done."""
LOOKED: Final = 12
"""For so many days after it the flow is given the time to judge every evening."""
SPOILT: Final = {
    "turned": "its signs are turned round, as if confirmed and innocent had been taken for each other",
    "blind": "it does not see the heavier half of its signals, as if their columns had been empty when it was trained",
}
_GUARD_S: Final = 62.0
_MINUTE_US: Final = 60_000_000


@dataclass(slots=True)
class Story:
    """What an owner does over the weeks with one detector: retrain, let it challenge, promote it, promote a bad one."""

    name: str
    flow: Flow
    first: int
    horizon: int
    spoilt: str
    trees: str = ""
    bad: str = ""
    gone: bool = False
    seen: set[int] = field(default_factory=set)
    late: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)

    def evening(self, day: int) -> None:
        """What is done on the evening of a day."""
        number = day - self.first + 1 - self.late
        if number == RESTART:
            self.flow.stop()
            self.flow.start()
            self._say(number, "stopped and started again")
        elif number == CHALLENGE:
            try:
                self._challenge(day)
            except ModelError as why:  # everything from here on is a day later
                self.late += 1
                self._say(number, "not retrained", why=str(why))
        elif number == PROMOTE:
            self._say(number, "compared", compared=self._command("compare", self.name, "--json"))
            self._registry(day).promote(
                self.trees, by="A. Owner", agreed_by="B. Second", why="as compared in shadow"
            )
            publish(self._registry(day), self.flow.data)
            self._say(number, f"{self.trees} promoted")
        elif number == SPOIL:
            self._spoil(day)
        elif not self.gone and (number == SPOIL - 1 or 0 < number - SPOIL <= LOOKED):
            self._look(number)

    def _look(self, number: int) -> None:
        """Whether the champion was put back by itself since yesterday, and what its owner then sees."""
        time.sleep(
            _GUARD_S
        )  # a followed flow holds champions against those before once a minute, when rows come
        done = self._registry(0).rolled_back(self.name)
        if done is not None and done.number not in self.seen:
            self.seen.add(done.number)
            self.gone = done.before == self.bad
            owner = self._run("list", self.name).stderr.decode().strip()
            self._say(
                number,
                f"{done.before} rolled back",
                by=done.by,
                at=when_text(done.at),
                why=done.why,
                owner=owner,
            )

    def _registry(self, day: int) -> Registry:
        return Registry(
            self.flow.data / "models",
            signer_of(self.flow.data / KEY, make=True),
            clock=lambda: (day + 1) * DAY_US - _MINUTE_US,
        )

    def _challenge(self, day: int) -> None:
        """Retrain on what the flow kept, and let the trees score in shadow."""
        about, registry = detector(self.name), self._registry(day)
        span = Span(self.first * DAY_US, (day + 1) * DAY_US, (day + 1) * DAY_US, self.horizon)
        found = material(self.flow.data, about, span, {}, lambda *_: None)
        done = retrain(registry, about, found, span, "A. Owner", "for the story")
        self.trees = next(card.version for card in done.cards if card.kind == "boosted")
        registry.challenge(self.trees, by="A. Owner", why="to be compared on live records")
        publish(registry, self.flow.data)
        told = {card.version: precision_of(card.measures) for card in done.cards}
        self._say(CHALLENGE, f"{self.trees} challenges", rows=found.examples.height,
                  validated=told | {done.champion: precision_of(done.champions)})  # fmt: skip

    def _spoil(self, day: int) -> None:
        """Promote a mistake somebody could make: see SPOILT."""
        about, registry = detector(self.name), self._registry(day)
        own = about.scorecard().version
        self.bad, weights, intercept = f"{about.id}-{about.version}.rbad", dict(own.weights), own.intercept
        if self.spoilt == "turned":
            weights, intercept = {name: -weight for name, weight in weights.items()}, 1.0
        else:
            heaviest = sorted(weights, key=lambda name: -abs(weights[name]))[: len(weights) // 2]
            weights |= dict.fromkeys(heaviest, 0.0)
        bad = msgspec.structs.replace(own, version=self.bad, intercept=intercept, weights=weights)
        threshold = 0.5
        if (
            self.spoilt == "blind"
        ):  # from a threshold at which it raises as many as the one before: nobody sees it by number
            span = Span(self.first * DAY_US, (day + 1) * DAY_US, (day + 1) * DAY_US, self.horizon)
            rows = material(self.flow.data, about, span, {}, lambda *_: None).examples
            values = values_of(rows, [signal.feature for signal in about.signals])
            stands = registry.model(self.trees, about.signals).score(values)
            line = registry.card(self.trees).threshold
            threshold = equal_alerts(rows, stands, line, Scorecard(about.signals, bad).score(values))
        card = msgspec.structs.replace(
            registry.card(self.trees),
            version=self.bad,
            kind="scorecard",
            threshold=threshold,
            note=SPOILT[self.spoilt],
        )
        registry.register(card, msgspec.to_builtins(bad))
        registry.promote(self.bad, by="A. Owner", agreed_by="B. Second", why="by mistake")
        publish(registry, self.flow.data)
        self._say(SPOIL, f"{self.bad} promoted", what_is_wrong=SPOILT[self.spoilt], threshold=threshold)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "console.cli", "models", *arguments, "--data", str(self.flow.data)],
            capture_output=True, check=False, env=os.environ | {"LINEWATCH_TOKEN_KEY": self.flow.key},
        )  # fmt: skip

    def _command(self, *arguments: str) -> Any:
        done = self._run(*arguments)
        return [json.loads(line) for line in done.stdout.splitlines()] or done.stderr.decode()

    def _say(self, number: int, what: str, **more: Any) -> None:
        self.told.append({"day": number + self.late, "what": what} | more)
        print(number + self.late, what, more, flush=True)

    def ended(self) -> dict[str, Any]:
        """What was done, by whom and why, and which versions raised alerts."""
        store = AlertStore(f"sqlite:///{self.flow.data / 'alerts.sqlite'}")
        alerts = store.alerts(detector=self.name, status=None)
        store.close()
        spans: dict[str, list[int]] = {}
        for alert in alerts:
            day = alert.raised_ts // DAY_US - self.first + 1
            version = alert.model_version.partition("+")[0] + ("+" if "+" in alert.model_version else "")
            low, high, count = spans.get(version, [day, day, 0])
            spans[version] = [min(low, day), max(high, day), count + 1]
        lines = [msgspec.to_builtins(one) for one in self._registry(0).promotions(self.name)]
        return {"told": self.told, "promotions": lines, "versions": spans}
