"""riskgrid over HTTP: a thin layer in which a route asks for the object, calls the library and returns a model."""
