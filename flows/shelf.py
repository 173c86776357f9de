"""Where a flow gets a model that a control row only names: from the registry, signed and with the digest named.

A scorecard's weights are in the control row itself. Trees are too large for that: the row names the version and the
digest of its weights, and the one process that reads the input puts the weights in before the row goes on its way. So
every shard, every snapshot and every log has them, and nothing else of a flow reads the registry.
"""

from pathlib import Path
from typing import Any, Final

from models.errors import ModelError
from models.registry import Registry
from models.signing import signer_of

MODELS: Final = "models"
KEY: Final = "models.key"
MODEL: Final = "model"


class Shelf:
    """The versions of one data folder, each read once; without a folder there are none."""

    def __init__(self, data: Path | None = None, key: Path | None = None) -> None:
        self._data = data
        self._key = key or (None if data is None else data / KEY)
        self._read: dict[tuple[str, str], Any] = {}

    def filled(self, body: dict[str, Any]) -> dict[str, Any]:
        """A control row's body with the weights it names, where it names any.

        Raises:
            ModelError: they are not there, not as they were signed, or not those that are named.
        """
        named = body.get(MODEL)
        if not isinstance(named, dict) or "weights" in named:
            return body
        version, digest = str(named.get("version")), str(named.get("digest"))
        if (version, digest) not in self._read:
            self._read[version, digest] = self._weights(version, digest)
        return body | {MODEL: named | {"weights": self._read[version, digest]}}

    def _weights(self, version: str, digest: str) -> Any:
        if self._data is None or self._key is None:
            raise ModelError(f"{version} is to score, and there is no registry to take it from")
        weights, found = Registry(self._data / MODELS, signer_of(self._key)).data(version)
        if found != digest:
            raise ModelError(
                f"{version} in the registry is not what was decided on: its weights have another digest"
            )
        return weights
