"""Instruments: one file each, found by the registry; a new file here is all that a new instrument needs."""
