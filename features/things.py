"""What is known of things. Only of those a detector asks about: what nobody needs is not kept."""

from typing import Final

from features.declare import Of
from features.declared import CATALOGUE
from features.rows import Entity, Kind, Role

handset: Final = Of(CATALOGUE, Entity.HANDSET)

in_use = handset.events("in_use", words="records of the handset", roles=[Role.HANDSET], kinds=tuple(Kind))
handset_sims_30d = in_use.distinct(
    "sims_30d", "sim", within="30d", every="2d", words="different SIMs used in the handset in a month"
)

device: Final = Of(CATALOGUE, Entity.DEVICE)

used = device.events(
    "used", words="logins and payments with the device", roles=[Role.DEVICE], kinds=tuple(Kind)
)
device_accounts_30d = used.distinct(
    "accounts_30d",
    "other",
    within="30d",
    every="2d",
    words="different accounts used with the device in a month",
)
