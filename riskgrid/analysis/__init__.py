"""What is asked of finished runs: comparisons, contributions, sensitivities, explains, stress, backtests."""
