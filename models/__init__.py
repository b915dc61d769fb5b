"""Networks, cohorts and training."""
