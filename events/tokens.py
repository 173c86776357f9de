"""Keyed tokens: what stands for an identifier past the door."""

import msgspec


class Key(msgspec.Struct, frozen=True):
    """A token key and its short public id (2 to 16 of a-z, 0-9)."""

    id: str
    secret: bytes


class KeyRing(msgspec.Struct, frozen=True):
    """The key in use and, while a rotation lasts, the one before it."""

    current: Key
    previous: Key | None = None


def format_token(kind: str, hi: int, lo: int, key_id: str) -> str:
    raise NotImplementedError


def token_for(keys: KeyRing, kind: str, value: str) -> list[str]:
    """The printed tokens of an identifier: under the current key and, while rotating, the previous one."""
    raise NotImplementedError
