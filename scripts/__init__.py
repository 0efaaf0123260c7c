"""Developer and provisioning tools."""
