"""What records say: estimates, comparisons, calibrated volumes and weights."""
