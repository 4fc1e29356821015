"""Changes put together in a draft, run beside the run that they change, and compared."""
