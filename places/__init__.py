"""Where things are: geography and organisations as dated data."""
