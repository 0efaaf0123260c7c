"""What a cluster's worker starts in tests instead of the emulation: writes synthetic records and keeps a diary.

DRY_DIARY names its folder. Where a file `kill` lies there, the worker that started the program is killed, once; where
`slow` does, every run takes a while.
"""

import json
import os
import secrets
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from experiments.runs import campaign, dask_worker
from experiments.runs.progress import Reporter
from tests.unit.experiments.synthetic import write_run

DIARY = Path(os.environ["DRY_DIARY"])


def execute(assignment, run, _say):
    begin = time.monotonic()
    if (DIARY / "fail").exists() and run.strategy.label == "neawa":
        raise TimeoutError("no route to h3")
    try:
        (DIARY / "kill").unlink()
    except FileNotFoundError:
        pass
    else:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)  # ended by the end of its input long before
    time.sleep(0.3 if (DIARY / "slow").exists() else 0)
    write_run(assignment.folder, run, datetime.now(timezone.utc))
    page = {"name": f"{assignment.prefix}{run.id}", "worker": os.getppid(), "begin": begin, "end": time.monotonic()}
    (DIARY / f"{secrets.token_hex(8)}.json").write_text(json.dumps(page))


def do(assignments, _force):
    return campaign.do(assignments, execute, Reporter(Console(), quiet=True))


if __name__ == "__main__":
    sys.exit(dask_worker.main({"emulated": do}))
