"""What to run, running it, and what came out."""
