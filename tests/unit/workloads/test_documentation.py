"""The examples of docs/workloads.md are valid."""

import re
from pathlib import Path

import yaml

from workloads import profiles
from workloads.profiles import parse_profile
from workloads.schedule import parse_schedule

PAGE = (Path(__file__).parents[3] / "docs" / "workloads.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_can_be_read():
    schedule, profile = EXAMPLES
    assert len(parse_schedule(yaml.safe_load(schedule))) == 26
    assert parse_profile(yaml.safe_load(profile), "example").job("j").tasks == 11


def test_every_key_of_a_profile_is_explained():
    keys = {*profiles._READ_KEYS, *profiles._EXCHANGE_KEYS, *profiles._STAGE_KEYS, *profiles._REPEAT_KEYS}
    assert {key for key in keys if f"`{key}`" not in PAGE} <= {"name", "inputs"}
