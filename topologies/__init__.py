"""What the network is (pure values), and how it is emulated."""
