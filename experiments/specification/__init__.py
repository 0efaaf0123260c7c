"""What to measure: experiments and sweeps as validated documents, and what they resolve to."""
