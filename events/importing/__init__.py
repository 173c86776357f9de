"""Importing: anybody's CSV, Parquet, NDJSON or ISO 20022 XML through a map to contract records."""

from events.importing.errors import MapError, SourceError
from events.importing.importer import ImportSummary, Progress, import_file
from events.importing.maps import ImportMap, ShippedMap, check_map, load_map, shipped_maps

__all__ = [
    "ImportMap",
    "ImportSummary",
    "MapError",
    "Progress",
    "ShippedMap",
    "SourceError",
    "check_map",
    "import_file",
    "load_map",
    "shipped_maps",
]
