"""Doing runs on an emulated network, one after the other or on many machines."""
