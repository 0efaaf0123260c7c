"""A twin of the emulation: the testbed's own coordinator, placement and plans in virtual time, the network as a fluid.

Nothing here is emulated, and no byte moves: what comes out is simulated.
"""
