"""The registry: every version of every model with its card, what was promoted, by whom and why; nothing is forgotten.

A version is a folder that is written once: `weights` (JSON; a pickle for what has no plain form), `card.json`, its plots, and
`signature.json` over the digests of them all. Nothing is loaded whose signature does not hold, and a pickle is not even
opened before. Promotions and rollbacks are lines of `promotions.ndjson`, each signed over the one before it, so that a
line that is changed, left out or put in later is noticed. Two people promote: who asks for it, and who agrees.
"""

import fcntl
import hashlib
import importlib.metadata
import os
import pickle
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from alerts.errors import NotAllowed
from alerts.outcomes import check_name
from models.card import Card, check_card
from models.errors import ModelError
from models.scorecard import Signal
from models.signing import Signer
from models.working import Model, working

FORMAT: Final = 1
VERSIONS: Final = "versions"
PROMOTIONS: Final = "promotions.ndjson"
CARD: Final = "card.json"
SIGNATURE: Final = "signature.json"
WEIGHTS: Final = "weights.json"
PICKLE: Final = "weights.pickle"
STAGES: Final = ("promote", "rollback", "challenge", "retire")
"""What can be written of a lineage: made champion, put back, scored in shadow, scored no more."""
AUTOMATIC: Final = "automatic"
"""Who rolls back when a champion falls below the one before it: no person."""
FIRST: Final = "0" * 64
_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9._+-]{2,120}$")


class Signature(msgspec.Struct, frozen=True):
    """Which files a version has, and that they are as they were."""

    format: int
    version: str
    files: dict[str, str]
    """SHA-256 of each."""
    key: str
    signature: str


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """One line of who decided what of which version."""

    number: int
    stage: str
    detector: str
    version: str
    before: str
    """The champion until then."""
    by: str
    agreed_by: str
    why: str
    at: int
    previous: str
    signature: str = ""
    threshold: float | None = None
    """From which score it alerts, where not from that of its card."""


class Registry:
    """The versions in a folder, under one signing key."""

    def __init__(self, folder: Path, signer: Signer, clock: Callable[[], int] | None = None) -> None:
        self.folder = folder
        self._signer = signer
        self._clock = clock or (lambda: time.time_ns() // 1_000)

    # ------------------------------------------------------------------------------------------------- versions

    def register(self, card: Card, weights: Any, plots: Mapping[str, bytes] | None = None) -> Card:
        """Keep a version for good: plain data as JSON, a trained model as a pickle.

        Raises:
            ModelError: the card says too little, or the version is there already.
        """
        plots = dict(plots or {})
        card = check_card(msgspec.structs.replace(card, plots=tuple(sorted(plots))))
        name, raw = _packed(card, weights)
        files = {
            CARD: msgspec.json.format(msgspec.json.encode(card, order="sorted"), indent=1) + b"\n",
            name: raw,
        }
        files |= plots
        with self._alone():
            place = self._place(card.version)
            if place.exists():
                raise ModelError(f"{card.version} is registered already: a version is written once")
            draft = place.with_name(f".{place.name}")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            for file, content in files.items():
                _write(draft / file, content)
            digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
            signature = self._signer.sign(_signed(card.version, digests))
            signed = Signature(FORMAT, card.version, digests, self._signer.key_id, signature)
            _write(draft / SIGNATURE, msgspec.json.format(msgspec.json.encode(signed), indent=1) + b"\n")
            draft.replace(place)
        return card

    def versions(self, detector: str | None = None) -> tuple[Card, ...]:
        """The cards of all versions that are as they were signed, the oldest first."""
        found = []
        root = self.folder / VERSIONS
        for place in sorted(root.iterdir()) if root.exists() else ():
            if not place.name.startswith("."):
                found.append(self.card(place.name))
        found = [card for card in found if detector in (None, card.detector)]
        return tuple(sorted(found, key=lambda card: (card.made_at, card.version)))

    def card(self, version: str) -> Card:
        """A version's card.

        Raises:
            ModelError: there is no such version, or it is unsigned or was altered.
        """
        raw = self._checked(version)[CARD]
        try:
            card = check_card(msgspec.json.decode(raw, type=Card))
        except msgspec.MsgspecError as wrong:
            raise ModelError(f"the card of {version} cannot be read: {wrong}") from wrong
        if card.version != version:
            raise ModelError(f"the folder of {version} holds {card.version}: put it back where it was")
        return card

    def weights(self, version: str) -> Any:
        """A version's weights as plain data, or its trained model; nothing unsigned is opened.

        Raises:
            ModelError: there is no such version, or it is unsigned or was altered.
        """
        files = self._checked(version)
        if WEIGHTS in files:
            return msgspec.json.decode(files[WEIGHTS])
        for name, made_with in self.card(version).libraries.items():
            if made_with != importlib.metadata.version(name):
                raise ModelError(
                    f"{version} was trained with {name} {made_with}, and {importlib.metadata.version(name)} is "
                    "installed: retrain it, or install what it was made with"
                )
        return pickle.loads(files[PICKLE])  # noqa: S301 - these very bytes were signed by this installation

    def model(self, version: str, signals: tuple[Signal, ...]) -> Model:
        """A version as it scores in a flow: its weights are data, and fit the signals.

        Raises:
            ModelError: it is not as it was signed, or is a pickle.
        """
        return working(self.card(version).kind, version, self.data(version)[0], signals)

    def scorer(self, version: str, signals: tuple[Signal, ...]) -> Any:
        """What scores, of any kind: to be compared on past records, where a signed pickle may be opened too.

        Raises:
            ModelError: it is not as it was signed, or was made with other libraries.
        """
        return self.model(version, signals) if WEIGHTS in self._checked(version) else self.weights(version)

    def data(self, version: str) -> tuple[Any, str]:
        """A version's weights as plain data, and their digest; a pickle is not opened.

        Raises:
            ModelError: it is not as it was signed, or has no weights as data.
        """
        files = self._checked(version)
        if WEIGHTS not in files:
            raise ModelError(
                f"{version} is kept as a pickle, which no flow opens: it can be compared on past records. Retrain it to "
                "have its weights as data"
            )
        return msgspec.json.decode(files[WEIGHTS]), hashlib.sha256(files[WEIGHTS]).hexdigest()

    def file(self, version: str, name: str) -> bytes:
        """One of a version's files, such as a plot.

        Raises:
            ModelError: there is none of that name, or the version is not as it was signed.
        """
        files = self._checked(version)
        if name not in files:
            raise ModelError(f"{version} has no file {name!r}; it has {', '.join(sorted(files))}")
        return files[name]

    def find(self, beginning: str) -> Card:
        """The version with this name, or the only one whose name begins so.

        Raises:
            ModelError: there is none, or there are several.
        """
        cards = self.versions()
        found = [card for card in cards if card.version == beginning] or [
            card for card in cards if card.version.startswith(beginning)
        ]
        if len(found) != 1:
            said = "no version is" if not found else f"{len(found)} versions are"
            raise ModelError(f"{said} called {beginning!r}: linewatch models list shows them")
        return found[0]

    def _checked(self, version: str) -> dict[str, bytes]:
        """A version's files, read once, after making sure that they are those that were signed."""
        place = self._place(version)
        if not place.is_dir():
            raise ModelError(f"there is no version {version}: linewatch models list shows those there are")
        try:
            signed = msgspec.json.decode((place / SIGNATURE).read_bytes(), type=Signature)
        except (OSError, msgspec.MsgspecError) as wrong:
            raise ModelError(
                f"{version} is not signed: it is not loaded. Register it anew, or remove it"
            ) from wrong
        if signed.format != FORMAT or signed.version != version:
            raise ModelError(
                f"the signature beside {version} is of another version or format: it is not loaded"
            )
        if not self._signer.holds(_signed(version, signed.files), signed.signature):
            which = "with another key" if signed.key != self._signer.key_id else "and altered since"
            raise ModelError(f"{version} was signed {which}: it is not loaded")
        files = {}
        for name, digest in signed.files.items():
            try:
                files[name] = (place / name).read_bytes()
            except OSError as wrong:
                raise ModelError(f"{version} lacks {name}: it is not loaded") from wrong
            if hashlib.sha256(files[name]).hexdigest() != digest:
                raise ModelError(f"{name} of {version} was altered after it was signed: it is not loaded")
        return files

    def _place(self, version: str) -> Path:
        if not _NAME.match(version):
            raise ModelError(f"{version!r} is no name of a version: small letters, digits, and . _ + -")
        return self.folder / VERSIONS / version

    # ----------------------------------------------------------------------------------------------- promotions

    def promotions(self, detector: str | None = None) -> tuple[Promotion, ...]:
        """What was decided, oldest first.

        Raises:
            ModelError: a line was changed, left out or put in later.
        """
        path, before, found = self.folder / PROMOTIONS, FIRST, []
        lines = path.read_bytes().splitlines() if path.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                one = msgspec.json.decode(line, type=Promotion)
            except msgspec.MsgspecError as wrong:
                raise ModelError(f"line {number} of {path} cannot be read: put it back as it was") from wrong
            if (
                one.number != number
                or one.previous != before
                or not self._signer.holds(_line(one), one.signature)
            ):
                raise ModelError(
                    f"line {number} of {path} is not as it was signed: put the file back as it was"
                )
            before = one.signature
            found.append(one)
        return tuple(one for one in found if detector in (None, one.detector))

    def champion(self, detector: str) -> str:
        """The version that scores; empty while it is the author's own scorecard and what that has learnt."""
        latest = self.decided(detector)
        return latest.version if latest else ""

    def decided(self, detector: str) -> Promotion | None:
        """The promotion or rollback by which what scores stands; none while it is the author's own."""
        decided = [one for one in self.promotions(detector) if one.stage in ("promote", "rollback")]
        return decided[-1] if decided else None

    def alerts_from(self, version: str) -> float:
        """From which score a version alerts: a champion as it was promoted, any other as its card says.

        Raises:
            ModelError: there is no such version, or it is unsigned or was altered.
        """
        card = self.card(version)
        latest = self.decided(card.detector)
        return self.threshold_of(latest) if latest and latest.version == version else card.threshold

    def threshold_of(self, decided: Promotion) -> float:
        """From which score a version alerts by a decision, whatever came later: as that says, else as its card does.

        Raises:
            ModelError: there is no such version, or it is unsigned or was altered.
        """
        return self.card(decided.version).threshold if decided.threshold is None else decided.threshold

    def challengers(self, detector: str) -> tuple[str, ...]:
        """The versions that score in shadow."""
        standing: dict[str, None] = {}
        for one in self.promotions(detector):
            if one.stage == "challenge":
                standing[one.version] = None
            else:
                standing.pop(one.version, None)
        return tuple(standing)

    def promote(
        self, version: str, *, by: str, agreed_by: str, why: str, threshold: float | None = None
    ) -> Promotion:
        """Make a version the champion of its detector, at two people's word; it alerts from its card's threshold or this.

        Raises:
            ModelError: the version is not there, not as it was signed, or the champion already; or no score is so high.
            NotAllowed: not two people are named, or no reason is given.
        """
        card = self.card(version)
        if threshold is not None and not 0.0 < threshold < 1.0:
            raise ModelError(f"a threshold lies between 0 and 1, not at {threshold}")
        return self._decide("promote", card.detector, version, by, agreed_by, why, threshold=threshold)

    def rollback(self, detector: str, *, by: str, agreed_by: str, why: str) -> Promotion:
        """Put back the champion before this one, at two people's word.

        Raises:
            ModelError: nothing was ever promoted.
            NotAllowed: not two people are named, or no reason is given.
        """
        version, threshold = self._before(detector)
        if version:
            self.card(version)
        return self._decide("rollback", detector, version, by, agreed_by, why, threshold=threshold)

    def fall_back(self, detector: str, version: str, why: str, at: int | None = None) -> Promotion:
        """Put back the champion before this one without a person: it did worse than that on fresh labels.

        `at` is the flow's own time, where a flow found it out.

        Raises:
            ModelError: the champion is another by now, or nothing stood before it.
        """
        if self.champion(detector) != version:
            raise ModelError(f"{version} is not the champion of {detector} any more")
        before, threshold = self._before(detector)
        if before:
            self.card(before)
        return self._decide("rollback", detector, before, AUTOMATIC, None, why, at, threshold)

    def rolled_back(self, detector: str) -> Promotion | None:
        """The automatic rollback that its owner still has to answer for: no person has promoted or rolled back since."""
        latest = self.decided(detector)
        return latest if latest and latest.by == AUTOMATIC else None

    def challenge(self, version: str, *, by: str, why: str) -> Promotion:
        """Have a version score in shadow: it raises nothing, so one person's word is enough.

        Raises:
            ModelError: the version is not there or not as it was signed.
            NotAllowed: nobody is named, or no reason is given.
        """
        card = self.card(version)
        return self._decide("challenge", card.detector, version, by, None, why)

    def retire(self, version: str, *, by: str, why: str) -> Promotion:
        """Have a challenger score no more.

        Raises:
            ModelError: it is no challenger.
            NotAllowed: nobody is named, or no reason is given.
        """
        card = self.card(version)
        if version not in self.challengers(card.detector):
            raise ModelError(f"{version} is no challenger of {card.detector}")
        return self._decide("retire", card.detector, version, by, None, why)

    def _before(self, detector: str) -> tuple[str, float | None]:
        """The champion before the present one, as it was promoted; rollbacks undo the promotion they answer."""
        standing: list[tuple[str, float | None]] = [("", None)]
        for one in self.promotions(detector):
            if one.stage == "promote":
                standing.append((one.version, one.threshold))
            elif one.stage == "rollback" and len(standing) > 1:
                standing.pop()
        if len(standing) == 1:
            raise ModelError(f"there is nothing to roll back: no version of {detector} stands promoted")
        return standing[-2]

    def _decide(
        self,
        stage: str,
        detector: str,
        version: str,
        by: str,
        agreed_by: str | None,
        why: str,
        at: int | None = None,
        threshold: float | None = None,
    ) -> Promotion:
        asks = AUTOMATIC if by == AUTOMATIC and agreed_by is None and stage == "rollback" else check_name(by)
        agrees = "" if agreed_by is None else check_name(agreed_by)
        if agreed_by is not None and _same(asks, agrees):
            raise NotAllowed("two people promote or roll back a model: name a second one (--agreed-by NAME)")
        if not why.strip():
            raise NotAllowed("say why (--reason): what is done with models is audited with its reason")
        with self._alone():
            lines = self.promotions()
            champion = self.champion(detector)
            if stage == "promote" and champion == version:
                raise ModelError(f"{version} is the champion of {detector} already")
            if stage == "challenge" and (version == champion or version in self.challengers(detector)):
                raise ModelError(f"{version} scores for {detector} already")
            made = Promotion(
                number=len(lines) + 1,
                stage=stage,
                detector=detector,
                version=version,
                before=champion,
                by=asks,
                agreed_by=agrees,
                why=why.strip(),
                at=self._clock() if at is None else max(at, lines[-1].at if lines else 0),
                previous=lines[-1].signature if lines else FIRST,
                threshold=threshold,
            )
            made = msgspec.structs.replace(made, signature=self._signer.sign(_line(made)))
            with (self.folder / PROMOTIONS).open("ab") as file:
                file.write(msgspec.json.encode(_written(made)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        return made

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time."""
        (self.folder / VERSIONS).mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _packed(card: Card, weights: Any) -> tuple[str, bytes]:
    if isinstance(weights, Mapping | msgspec.Struct):
        return WEIGHTS, msgspec.json.encode(weights, order="sorted")
    return PICKLE, pickle.dumps(weights, protocol=5)


def _signed(version: str, files: Mapping[str, str]) -> bytes:
    return msgspec.json.encode(["linewatch model", FORMAT, version, sorted(files.items())])


def _line(one: Promotion) -> bytes:
    return msgspec.json.encode(_written(msgspec.structs.replace(one, signature="")), order="sorted")


def _written(one: Promotion) -> dict[str, Any]:
    """A line as plain data: of a threshold only where there is one, so that lines from before hold."""
    told = msgspec.structs.asdict(one)
    return told if one.threshold is not None else {k: v for k, v in told.items() if k != "threshold"}


def _same(one: str, other: str) -> bool:
    return " ".join(one.lower().split()) == " ".join(other.lower().split())


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
