"""A small experiment: two racks of two hosts, two up-links a rack, a job of three stages."""

import yaml

from experiments.specification import plan, specification_file

PROFILE = """
name: join
description: Joins two tables and writes the result.
provenance: Made up.
weights: {closeness: 0.5, locality: 0.5}
input_bytes: 3000000000
containers: 6
slots_per_container: 1
memory_mb: 1024
vcores: 1
stages:
  - name: left
    inputs: [{read: left, share: 0.8, cpu_s_per_gb: 5}]
  - name: right
    inputs: [{read: right, share: 0.2, cpu_s_per_gb: 5}]
  - name: join
    inputs:
      - {from: left, bytes_per_input_byte: 0.3, skew: 0.5}
      - {from: right, bytes_per_input_byte: 0.02, kind: broadcast, pipelined: false}
    write_bytes_per_input_byte: 0.02
    write_replication: 2
"""
RATE_DIVISOR = 16.0


def specification(profile, **changed):
    """A small experiment; at these divisors a run's jobs take some three seconds."""
    path = profile / "join.yaml"
    path.write_text(PROFILE)
    document = {
        "name": "small",
        "topology": {
            "preset": "fat-tree",
            "parameters": {"racks": 2, "hosts_per_rack": 2, "core_switches": 1, "uplink_ports_per_rack": 2},
            "blocking_factor": 4,
        },
        "strategies": ["default", "neawa", "coloc"],
        "workload": [{"profile": str(path)}, {"profile": str(path), "input_bytes": "2 GB", "at_s": 3}],
        "controller": {"poll_interval_s": 0.1},
        "scale": {"rate_divisor": RATE_DIVISOR, "volume_divisor": 100},
        **changed,
    }
    result = specification_file.loads(yaml.safe_dump(document))
    plan.check(result)
    return result
