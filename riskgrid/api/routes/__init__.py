"""One file of routes for each resource; :mod:`riskgrid.api.app` puts them together."""
