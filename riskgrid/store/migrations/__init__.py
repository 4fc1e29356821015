"""The tables of the catalogue, made step by step."""
