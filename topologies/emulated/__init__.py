"""The network as it is emulated: Mininet, Open vSwitch, shaping, and the namespaces that hold all of it."""
