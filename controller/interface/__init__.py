"""The controller's interface over HTTP."""
