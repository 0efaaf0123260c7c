"""The strategies that come with the testbed."""
