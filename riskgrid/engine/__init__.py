"""The engine: plan blocks, price the missing ones, add up cells."""
