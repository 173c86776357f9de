"""The innocent look-alikes: ordinary people and businesses who, seen through records alone, look guilty."""
