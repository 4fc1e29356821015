"""Speed and memory of riskgrid, beside plain NumPy and QuantLib: ``python -m tests.benchmarks``."""
