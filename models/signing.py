"""A signature for what is loaded and run: HMAC-SHA256 under a key of this installation.

Weights are data, but trees trained by scikit-learn are kept as a pickle, and loading a pickle runs what is in it. So
nothing is loaded whose signature does not hold. The key is made at first use, in a file that only its owner may read.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from models.errors import ModelError

KEY_BYTES: Final = 32
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Signer:
    """Signs, and says whether a signature holds."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ModelError(f"a signing key has at least {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    @property
    def key_id(self) -> str:
        """Which key it is, without saying it."""
        return hashlib.sha256(b"linewatch models key" + self._key).hexdigest()[:16]

    def sign(self, data: bytes) -> str:
        """The signature of some bytes."""
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()

    def holds(self, data: bytes, signature: str) -> bool:
        """Whether the signature is of these bytes under this key."""
        return hmac.compare_digest(self.sign(data).encode(), signature.encode())


def signer_of(path: Path, *, make: bool = False) -> Signer:
    """The signer with the key in a file; with `make`, one that is not there yet is made.

    Raises:
        ModelError: there is no key, others may read it, or it is no key.
    """
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
    try:
        mode = path.stat().st_mode
        text = path.read_text().strip()
    except OSError as problem:
        raise ModelError(
            f"the key that signs models cannot be read ({path}: {problem.strerror}): put it back; what was signed "
            "with it cannot be loaded without it"
        ) from problem
    if os.name == "posix" and mode & _OTHERS:
        raise ModelError(
            f"others may read the key that signs models: chmod 600 {path}, or better make a new one"
        )
    try:
        return Signer(bytes.fromhex(text))
    except ValueError:
        raise ModelError(f"{path} is no signing key (hexadecimal digits): put it back as it was") from None


def _make(path: Path) -> None:
    """A new key, readable by its owner only from the beginning; whoever is first wins."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return
