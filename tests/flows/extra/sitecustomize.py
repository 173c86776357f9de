"""Whatever Python is started with this folder on its path knows the tests' own detectors beside those shipped.

And it writes a shard's base when its log is still short, so that small inputs come to have bases, too.
"""

from pathlib import Path

import detectors
from flows import keeping

detectors.__path__.append(str(Path(__file__).parent / "beside"))
keeping._LEAST_LOG = 20_000
