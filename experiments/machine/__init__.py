"""What this machine offers to the testbed, and what is to be done where that is not enough."""
