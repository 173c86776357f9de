"""What is known of things: handsets and SIMs, devices, terminals and merchants."""

from typing import Final

from features.declare import Of
from features.declared import CATALOGUE
from features.rows import Entity, Kind, Role

handset: Final = Of(CATALOGUE, Entity.HANDSET)
device: Final = Of(CATALOGUE, Entity.DEVICE)

in_use = handset.events("in_use", words="records of the handset", roles=[Role.HANDSET], kinds=tuple(Kind))
handset_sims_30d = in_use.distinct(
    "sims_30d", "sim", within="30d", every="2d", words="different SIMs used in the handset in a month"
)

pays = device.events("pays", words="payments made from the device", roles=[Role.DEVICE], kinds=tuple(Kind))
device_accounts_7d = pays.distinct(
    "accounts_7d", "other", within="7d", every="1d", words="different accounts used from the device in a week"
)
