"""Out of a trace: a specification that runs as it is, and the profiles that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from experiments.documents.atomic import write_text
from experiments.documents.nofollow import followed, make_folder
from experiments.specification import specification_file
from experiments.specification.plan import check
from workloads.importers import Trace, TraceError, import_trace, profile_document


def import_file(
    path: Path,
    trace_format: str = "auto",
    output: Path | None = None,
    force: bool = False,
    notice: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write the specification of a trace, and the profile of each of its jobs into a folder next to it.

    The specification names the profiles by paths that start at its folder.

    Args:
        path: The trace.
        trace_format: `auto`, `spark`, `jhist`, `mremu` or `coflow`.
        output: The specification; the trace's name with `.yaml` in the current folder when None.
        force: Replace files that are there.
        notice: Takes a sentence for everything that is missing in the trace or could not be told.

    Returns:
        What was written, the specification first.

    Raises:
        TraceError: the trace cannot be imported, or a file cannot be written or is there already.
        SpecificationError: what became of it cannot run.
    """
    trace = import_trace(Path(path), trace_format)
    named = Path(f"{trace.name}.yaml") if output is None else Path(output)
    target = (followed(named.parent) / named.name).absolute()
    if target.suffix not in (".yaml", ".yml"):
        raise TraceError(f"{target}: a specification is a YAML file; give a name that ends in .yaml")
    folder = target.with_name(f"{target.stem}-profiles")
    profiles = {folder / f"{imported.job.job_id}.yaml": profile_document(imported) for imported in trace.jobs}
    for written in (target, *profiles):
        if written.exists() and not force:
            raise TraceError(f"{written}: is there already; give another --output, or --force to replace it")
    for note in trace.notes:
        notice(note)
    said = ("Imported; docs/importing.md says what was kept of the trace.", *trace.notes)
    head = "".join(f"# {' '.join(line.split())}\n" for line in said)
    text = yaml.safe_dump(_specification(trace, Path(path).name, list(profiles)), sort_keys=False, width=100)
    try:
        make_folder(folder)
        for profile, document in profiles.items():
            write_text(profile, yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100))
        write_text(target, f"{head}{text}")
    except OSError as error:
        raise TraceError(f"{target}: cannot be written ({error}); give another output") from error
    check(specification_file.load(target))
    return [target, *profiles]


def _specification(trace: Trace, source: str, profiles: list[Path]) -> dict[str, Any]:
    jobs = [
        {"profile": f"{profile.parent.name}/{profile.name}", "job_id": imported.job.job_id, "at_s": imported.at_s}
        for profile, imported in zip(profiles, trace.jobs, strict=True)
    ]
    recorded = f" {trace.jobs[0].recorded}" if len(trace.jobs) == 1 else ""
    return {
        "name": trace.name,
        "description": f"Imported from {source} ({trace.format}).{recorded}".rstrip(),
        **trace.cluster,
        "strategies": ["default", "neawa"],
        "workload": jobs,
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
