"""A firing to start from: a mule account in Greater Manchester, unless the test says otherwise."""

from collections.abc import Callable
from typing import Any

import pytest

from alerts.record import Counterfactual, Fact, Fire, Reason, Subject

SECOND = 1_000_000
START = 1_767_225_600 * SECOND  # 1 January 2026
Maker = Callable[..., Fire]


@pytest.fixture(scope="session")
def fire() -> Maker:
    """Makes firings; `n` is the place in the order, one second apart."""

    def make(n: int = 1, who: int = 1, **said: Any) -> Fire:
        at = START + n * SECOND
        plain: dict[str, Any] = {
            "seq": n,
            "ts": at,
            "recorded_ts": at,
            "event_id": f"e{n}",
            "source": "bank-a",
            "basis": "synthetic",
            "detector": "mule_account",
            "detector_version": "1",
            "model_version": "mule_account-1.0",
            "threat": "fraud",
            "typology": "mule_account",
            "four_p": "pursue",
            "stream": "payments",
            "subject": Subject.of("account", 7, who),
            "score": 0.6,
            "threshold": 0.4,
            "facts": (Fact("senders", 9, "accounts", at - 86_400 * SECOND, at, ("bank-a",)),),
            "reasons": (Reason("senders_24h", "9 senders in a day", 9.0, 1.0, 0.7, 2.1),),
            "contributions": {"senders_24h": 2.1},
            "features": {"senders_24h": 9.0, "age_days": float("nan")},
            "usual": {"senders_24h": 1.0},
            "counterfactual": Counterfactual(
                "senders_24h", 9.0, 3.0, "with 3 senders it would not have alerted"
            ),
            "home_force": 5,
        }
        return Fire(**(plain | said))

    return make
