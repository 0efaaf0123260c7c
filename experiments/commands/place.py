"""`place`: where blocks and containers would go under each strategy, without running anything."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from experiments.analysis import dry_run
from experiments.specification import modelled_cluster
from experiments.specification.model import Specification
from experiments.specification.workload import submissions
from placement import load_strategy
from workloads.profiles import load_profile


def show(specification: Specification, as_json: bool) -> int:
    """Print the placements of a specification's first network."""
    document = placements(specification)
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        dry_run.show(document, Console())
    return 0


def placements(specification: Specification) -> dict[str, Any]:
    """The dry runs of all strategies on a specification's first network, as one document of `place.dry_run`.

    Raises:
        PlacementError: a file does not fit.
    """
    topology = specification.topology.build(specification.topology.factors[0])
    planned = submissions(specification)
    jobs = [submission.job() for submission in planned]
    profile_weights = [load_profile(submission.profile).weights for submission in planned]
    dry_runs = [
        dry_run.dry_run(
            modelled_cluster.cluster(specification, topology),
            [file for job in jobs for file in modelled_cluster.files(specification, job)],
            [
                modelled_cluster.request(strategy, job, weights)
                for job, weights in zip(jobs, profile_weights, strict=True)
            ],
            {strategy.label: load_strategy(strategy.name, **strategy.options)},
            specification.seed,
            [described for job in jobs if (described := modelled_cluster.colocation(specification, strategy, job))],
        )
        for strategy in specification.strategies
    ]
    return {**dry_runs[0], "strategies": [result for run in dry_runs for result in run["strategies"]]}
