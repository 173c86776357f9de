"""Whatever Python is started with this folder on its path knows the tests' own detectors beside those shipped."""

from pathlib import Path

import detectors

detectors.__path__.append(str(Path(__file__).parent / "beside"))
