"""How an account is got into: logins that failed, new devices, changed details and what was paid soon after."""

from typing import Final

from features.declare import Condition, Of, since_last
from features.declared import CATALOGUE
from features.rows import PAYERS, TAKEN, TRANSFERS, Entity, Kind, Role

_SOON_S: Final = (
    72 * 3_600.0
)  # a payment soon after a change of access is the mark of a takeover (within 72 hours)

account: Final = Of(CATALOGUE, Entity.ACCOUNT)

failed = account.events("failed", words="logins that failed", roles=[Role.HOLDER], kinds=[Kind.LOGIN_FAILED])
device_added = account.events(
    "device_added", words="a device added to the account", roles=[Role.HOLDER], kinds=[Kind.DEVICE_ADDED]
)
reset = account.events(
    "reset", words="a password or passcode set anew", roles=[Role.HOLDER], kinds=[Kind.CREDENTIAL_RESET]
)
detail_changed = account.events(
    "detail_changed",
    words="phone, email or address changed",
    roles=[Role.HOLDER],
    kinds=[Kind.DETAIL_CHANGED],
)
limit_changed = account.events(
    "limit_changed", words="the payment limit changed", roles=[Role.HOLDER], kinds=[Kind.LIMIT_CHANGED]
)
payee_added = account.events(
    "payee_added", words="a payee added", roles=[Role.HOLDER], kinds=[Kind.PAYEE_ADDED]
)
paid_on_new_device = account.events(
    "paid_on_new_device",
    words="money sent within three days of adding a device",
    roles=[Role.PAYER],
    kinds=TRANSFERS,
    statuses=TAKEN,
    when=Condition(since_last(device_added), at_most=_SOON_S),
)
with_device = account.events(
    "with_device",
    words="logins and payments",
    roles=[Role.HOLDER, *PAYERS],
    kinds=(Kind.LOGIN, Kind.DEVICE_ADDED, Kind.PAYEE_ADDED, *TRANSFERS, Kind.CARD),
)

failed_logins_24h = failed.count(
    "failed_logins_24h", within="24h", every="4h", words="failed logins in a day"
)
since_device_added = device_added.since("since_device_added", words="time since a device was added")
since_reset = reset.since("since_reset", words="time since the password or passcode was set anew")
since_detail_changed = detail_changed.since(
    "since_detail_changed", words="time since phone, email or address was changed"
)
since_limit_changed = limit_changed.since("since_limit_changed", words="time since the limit was changed")
since_payee_added = payee_added.since("since_payee_added", words="time since a payee was added")
payees_added_24h = payee_added.count(
    "payees_added_24h", within="24h", every="4h", words="payees added in a day"
)
sent_on_new_device_24h = paid_on_new_device.total(
    "sent_on_new_device_24h",
    within="24h",
    every="4h",
    words="sent in a day, within three days of adding a device",
)
device_age = with_device.pair_age("device_age", "device", words="time since this device was first used")
