"""Scenario sets: labelled affine shifts of market factors, one file per way of making them."""
