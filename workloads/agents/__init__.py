"""What runs on the hosts: one agent a host, which reads, computes and sends."""
