"""Where datablocks and containers go: cluster state, costs and strategies; pure, no I/O."""
