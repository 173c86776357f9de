"""The one catalogue that every declaration in this room goes into."""

from typing import Final

from features.declare import Catalogue

CATALOGUE: Final = Catalogue()
