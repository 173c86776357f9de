"""The lawful bases records are held under, and the gate that drops what none of them covers."""

import msgspec


class Bases(msgspec.Struct, frozen=True):
    """The table of lawful bases."""

    @classmethod
    def from_toml(cls, text: str) -> "Bases":
        raise NotImplementedError

    @classmethod
    def demo(cls) -> "Bases":
        """One permissive basis, `synthetic-demo`, for made-up data."""
        raise NotImplementedError
