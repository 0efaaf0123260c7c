"""An experiment from a script: one small job under two strategies, compared.

Run as root from the checkout, with the environment's Python: sudo .venv/bin/python examples/script.py [FOLDER]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where the testbed's packages are

from experiments import run
from experiments.analysis.comparison import compare

SPECIFICATION = {
    "name": "script",
    "topology": {
        "preset": "fat-tree",
        "parameters": {"racks": 2, "hosts_per_rack": 2, "core_switches": 1, "uplink_ports_per_rack": 2},
        "blocking_factor": 4,
    },
    "strategies": ["default", "neawa"],
    "workload": [{"profile": "tpch-q3", "input_bytes": "3 GB", "containers": 6}],
    "scale": {"rate_divisor": 16, "volume_divisor": 100},
}

if __name__ == "__main__":
    folder = run(SPECIFICATION, output=sys.argv[1] if len(sys.argv) > 1 else "results", force=True)
    (network,) = compare(folder.records()).networks
    for strategy in network.strategies:
        print(f"{strategy.strategy}: {strategy.summed_time_s.median:.0f} modelled seconds")
