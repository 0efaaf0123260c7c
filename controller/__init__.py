"""The SDN application: a process of its own that is asked over HTTP."""
