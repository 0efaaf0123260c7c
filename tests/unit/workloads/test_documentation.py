"""The examples of docs/workloads.md are valid."""

import re
from pathlib import Path

import yaml
from pydantic import BaseModel

from experiments.specification.files import FilesSpec, tasks
from experiments.specification.schedule_file import Schedule
from workloads.profiles import Profile, parts

PAGE = (Path(__file__).parents[3] / "docs" / "workloads.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_can_be_read():
    schedule, workflow, clients, profile = EXAMPLES
    assert len(tasks([FilesSpec(**entry) for entry in yaml.safe_load(clients)["files"]])) == 9
    assert [job["reads"] for job in yaml.safe_load(workflow)["workload"][1:]]
    assert len(Schedule(jobs=yaml.safe_load(schedule)).submissions()) == 26
    assert Profile.model_validate(yaml.safe_load(profile)).job("j").tasks == 11


def test_every_key_of_a_profile_is_explained():
    models: list[type[BaseModel]] = [parts.FileInput, parts.StageInput, parts.ProfileStage, parts.Repeat]
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert len(keys) > 20
    assert {key for key in keys if f"`{key}`" not in PAGE} <= {"name", "inputs"}
