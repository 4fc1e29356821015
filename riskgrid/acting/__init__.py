"""What a principal does to a store: asks runs and what-ifs, names inputs, cancels and resumes, within its rights."""

from riskgrid.acting.asked import QUOTA, Asked, ask_run, cancel, resume
from riskgrid.acting.naming import keep_input, make_scenarios
from riskgrid.acting.supposing import ask_what_if

__all__ = ["QUOTA", "Asked", "ask_run", "ask_what_if", "cancel", "keep_input", "make_scenarios", "resume"]
