"""Public data sets, prepared from files that a person has downloaded; one small file each."""
