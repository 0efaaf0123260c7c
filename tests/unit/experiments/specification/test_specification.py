"""Specifications: what is accepted, what is refused, and how a refusal reads."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from experiments.documents.diagnostics import SpecificationError
from experiments.documents.quantities import parse_bytes, parse_mb_per_s, parse_mbps
from experiments.records.record import json_schema as record_schema
from experiments.specification.catalogue import locate
from experiments.specification.specification_file import dump, json_schema, load, loads, override, preset_names
from topologies.schema import json_schema as topology_schema

SMALL = "name: small\nstrategies: [default]\nworkload: mixed-high\n"


def refused(text: str) -> list[str]:
    with pytest.raises(SpecificationError) as caught:
        loads(text, source="e.yaml")
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250 GB", 250 * 10**9),
        ("128 MiB", 128 * 2**20),
        ("1.5kB", 1500),
        (7, 7),
        ("1e3", 1000),
        ("1_000 B", 1000),
        ("0.1 GB", 10**8),
    ],
)
def test_sizes(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize(
    "text", ["250 Gb", "-1 GB", "GB", "1 GB/s", "", True, None, float("nan"), -1, "1.5 B", "1e999"]
)
def test_what_is_not_a_size_is_refused(text):
    with pytest.raises(ValueError, match=r"give a size|whole number"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("50 Mbit/s", 50), ("1 Gbit/s", 1000), ("1 Gbps", 1000), (400, 400), ("125 MB/s", 1000)]
)
def test_rates(text, expected):
    assert parse_mbps(text) == pytest.approx(expected)


def test_disk_rates_take_bytes_only():
    assert parse_mb_per_s("150 MB/s") == parse_mb_per_s(150) == 150
    with pytest.raises(ValueError, match="unit 'Mbit/s'"):
        parse_mb_per_s("150 Mbit/s")


@given(st.integers(min_value=1, max_value=90_000), st.sampled_from(["kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"]))
def test_a_size_is_proportional_to_its_number(number, unit):
    assert parse_bytes(f"{number} {unit}") == number * parse_bytes(f"1 {unit}")


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_survive_writing(name):
    specification = load(name)
    assert loads(dump(specification)) == specification


def test_examples_load_and_point_to_the_schema():
    files = sorted(Path("examples").glob("*.yaml"))
    assert files
    for file in files:
        load(file)
        assert "$schema=../docs/specification.schema.json" in file.read_text(encoding="utf-8").splitlines()[0]


@pytest.mark.parametrize(
    "file", [*Path("examples").glob("*.yaml"), *(locate(name) for name in preset_names())], ids=lambda file: file.stem
)
def test_an_editor_accepts_what_the_testbed_accepts(file):
    jsonschema_rs.validate(json_schema(), yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("wrong", [{"strategies": []}, {"workload": []}, {"topology": {"blocking_factor": "five"}}])
def test_an_editor_refuses_what_the_testbed_refuses(wrong):
    document = {"name": "a", "strategies": "neawa", "workload": [{"profile": "kmeans"}]}
    assert jsonschema_rs.is_valid(json_schema(), document)
    assert not jsonschema_rs.is_valid(json_schema(), {**document, **wrong})
    with pytest.raises(SpecificationError):
        loads(yaml.safe_dump({**document, **wrong}))


@pytest.mark.parametrize(
    ("name", "schema"), [("specification", json_schema), ("record", record_schema), ("topology", topology_schema)]
)
def test_the_published_schemas_are_those_of_the_code(name, schema):
    published = json.loads(Path(f"docs/{name}.schema.json").read_text(encoding="utf-8"))
    assert published == schema(), "write them anew: python -m experiments.records.schemas docs"


def test_the_thesis_preset_is_the_thesis_experiment():
    thesis = load("thesis")
    assert thesis.topology.blocking_factor == (5.0,)
    assert [strategy.label for strategy in thesis.strategies] == ["default", "neawa", "coloc"]
    assert (thesis.workload.preset, thesis.seed, thesis.repeats) == ("mixed-high", 1, 3)
    assert (thesis.scale.rate_divisor, thesis.scale.volume_divisor) == ("auto", "auto")
    assert thesis.topology.build(5.0).link_by_id["t1-c2/3"].capacity_mbps == pytest.approx(50)


def test_shorthands_mean_the_long_form():
    short = loads("name: a\ntopology: single-switch\nstrategies: neawa\nworkload: [{profile: kmeans}]\n")
    long = loads(
        "name: a\ntopology: {preset: single-switch}\nstrategies: [{name: neawa}]\n"
        "workload: {jobs: [{profile: kmeans}]}\n"
    )
    assert short == long


def test_quantities_are_read_everywhere():
    specification = loads(
        "name: a\nstrategies: [default]\nworkload: [{profile: kmeans, input_bytes: 8 GB}]\n"
        "topology: {preset: fat-tree, parameters: {host_mbps: 10 Gbit/s}, blocking_factor: 2}\n"
        "node: {disk_mb_per_s: 0.2 GB/s, memory_bytes: 32 GiB}\ndata: {block_bytes: 64 MiB}\n"
    )
    assert specification.workload.jobs[0].input_bytes == 8 * 10**9
    assert specification.topology.build(2.0).link_by_id["h1-t1"].capacity_mbps == 10_000
    assert specification.node.disk_mb_per_s == 200


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SMALL + "topolgy: thesis\n", "e.yaml:4:1: topolgy: unknown key; did you mean 'topology'?"),
        (
            SMALL + "scale: {rate_divsor: 8}\n",
            "e.yaml:4:9: scale.rate_divsor: unknown key; did you mean 'rate_divisor'?",
        ),
        (SMALL + "seed: -1\n", "e.yaml:4:1: seed: -1: must be greater than or equal to 0"),
        (
            SMALL + "scale:\n  rate_divisor: fast\n",
            "e.yaml:5:3: scale.rate_divisor: 'fast': give a number from 1 to 10,000, or auto",
        ),
        (
            SMALL + "topology: thesiss\n",
            "e.yaml:4:1: topology.preset: 'thesiss': unknown topology; did you mean 'thesis'?",
        ),
        ("name: a\nstrategies: [default]\n", "e.yaml:1:1: workload: missing; give it"),
        (SMALL + "name: b\n", "e.yaml:4:1: not YAML: key 'name' is given twice; remove one"),
        ("name: [a\nb: c\n", "e.yaml:2:2: not YAML: while parsing a flow sequence expected ',' or ']', but got ':'"),
        ("- a\n", "e.yaml:1:1: must hold keys such as `name`"),
        ("", "e.yaml:1:1: must hold keys such as `name`"),
    ],
)
def test_a_refusal_is_one_line_with_place_value_and_remedy(text, line):
    assert refused(text) == [line]


@pytest.mark.parametrize(
    ("addition", "words"),
    [
        ("topology: {blocking_factor: 0}", ["topology.blocking_factor", "0", "above 0"]),
        ("topology: {blocking_factor: [5, 5]}", ["given twice", "repeats"]),
        ("topology: {preset: single-switch, blocking_factor: 5}", ["single-switch", "remove it"]),
        ("topology: {preset: fat-tree, parameters: {rack: 3}}", ["'rack'", "did you mean 'racks'?"]),
        ("topology: {preset: fat-tree, parameters: {racks: 2.5}}", ["topology", "whole numbers"]),
        ("topology: {preset: fat-tree, parameters: {racks: 1999}}", ["racks 1999", "1000"]),
        ("topology: {preset: fat-tree, parameters: {blocking_factor: 3}}", ["topology.blocking_factor"]),
        ("failures: [{at_s: 1}]", ["failures.0", "give one of `link`, `host` and `corrupt`"]),
        ("failures: [{at_s: 1, link: a, host: b}]", ["failures.0", "give one of"]),
        ("failures: [{at_s: 1, corrupt: {file: /a}, restore_after_s: 1}]", ["failures.0", "only links come back"]),
        ("retention: {}", ["retention", "nothing is tracked; give patterns in `track`, or `policies`"]),
        ("retention: {track: a, expire: true}", ["retention", "give `retain_s`"]),
        ("retention: {track: a, validate: always}", ["retention.validate", "'never' or 'reads'"]),
        ("retention: {track: a, chain: {gas_limit: 1000}}", ["retention.chain.gas_limit", "1500000"]),
        ("retention: {track: a, chain: {block_s: 0}}", ["retention.chain.block_s", "0.01"]),
        ("data: {load: slowly}", ["data.load", "'direct' or 'network'"]),
        ("node: {memory_bytes: much}", ["node.memory_bytes", "'much'", "250 GB"]),
        ("network: {congestion_control: cubic; reboot}", ["network.congestion_control"]),
        ("network: {queue_bytes: 1513}", ["network.queue_bytes", "1513", "at least a frame of 1514 bytes"]),
        ("network: {queue_bytes: 4 GiB}", ["network.queue_bytes", "less than 4 GiB"]),
        ("network: {queue_bytes: long}", ["network.queue_bytes", "'long'", "or auto"]),
        ("network: {super_frame_bytes: 65537}", ["network.super_frame_bytes", "to 64 KiB, or auto"]),
        ("network: {rto_min_s: 0}", ["network.rto_min_s", "0.001 to 1 second, or auto"]),
        ("network: {rto_min_s: true}", ["network.rto_min_s", "or auto"]),
        ("network: {short_packets_first: maybe}", ["network.short_packets_first", "true, false or auto"]),
        ("network: {connections: many}", ["network.connections", "'engine' or 'task-pairs'"]),
        ("network: {rto_max_s: .inf}", ["network.rto_max_s", "1 to 120 seconds, or auto"]),
        ("controller: {poll_interval_s: 1000}", ["controller.poll_interval_s", "1000", "less than or equal to 5"]),
        ("controller: {poll_interval_s: .inf}", ["controller.poll_interval_s", "less than or equal to 5"]),
        ("controller: {poll_interval_s: 1e-9}", ["controller.poll_interval_s", "greater than or equal to 0.05"]),
        ("node: {slots: 1e9}", ["node.slots", "less than or equal to 10000"]),
        ("node: {cores: 1e9}", ["node.cores", "less than or equal to 10000"]),
        ("node: {memory_bytes: 1000 PB}", ["node.memory_bytes", "'1000 PB'", "at most 100 PB"]),
        ("node: {disk_mb_per_s: 1e-9}", ["node.disk_mb_per_s", "greater than or equal to 0.001"]),
        ("data: {block_bytes: 1e300}", ["data.block_bytes", "at most 100 PB"]),
        ("repeats: 10_001", ["repeats", "less than or equal to 10000"]),
        (
            "repeats: 10_000\ntopology: {blocking_factor: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}",
            ["110,000 runs", "100,000"],
        ),
        ("seed: 1e16", ["seed", "less than or equal to 9007199254740992"]),
        ("max_attempts: 1e9", ["max_attempts", "less than or equal to 100"]),
        ("job_deadline_wall_s: 1e9", ["job_deadline_wall_s", "less than or equal to"]),
        ("scale: {rate_divisor: 1e9}", ["scale.rate_divisor", "from 1 to 10,000"]),
        ("scale: {volume_divisor: 1e99}", ["scale.volume_divisor", "from 1 to 1,000,000,000"]),
        ("failures: [{at_s: 1e9, host: h1}]", ["failures.0.at_s", "less than or equal to 1"]),
        ("failures: [{at_s: 1, link: a, restore_after_s: .inf}]", ["failures.0.restore_after_s", "less than or equal"]),
        ("fidelity: {max_receive_delay_s: .inf}", ["fidelity.max_receive_delay_s", "finite"]),
        ("topology: {blocking_factor: 1e-9}", ["link t1-c1/1", "give rates and blocking factors"]),
        ("topology: {blocking_factor: [5, 1e9]}", ["link t1-c1/1", "give rates and blocking factors"]),
        ("topology: {preset: fat-tree, parameters: {racks: 555, hosts_per_rack: 254}}", ["140,970", "at most 100,000"]),
    ],
)
def test_a_refusal_names_the_field_and_what_to_do(addition, words):
    (line,) = refused(SMALL + addition + "\n")
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("strategies", "words"),
    [
        ("[]", ["strategies", "at least 1"]),
        ("[neawa, neawa]", ["'neawa'", "label"]),
        ("[{name: neawa, lable: x}]", ["strategies.0.lable", "did you mean 'label'?"]),
        (
            "[{name: neawa, weights: {kmeans: {closeness: 0.7, locality: 0.7}}}]",
            ["strategies.0.weights.kmeans", "add up to 1"],
        ),
        ("[{name: neawa, weights: {kmeans: {closenes: 0.7}}}]", ["did you mean 'closeness'?"]),
        (f"[{{name: neawa, label: {'x' * 51}}}]", ["strategies.0.label", "at most 50"]),
    ],
)
def test_strategies_are_checked(strategies, words):
    lines = "\n".join(refused(f"name: a\nworkload: mixed-high\nstrategies: {strategies}\n"))
    assert all(word in lines for word in words), lines


def test_every_mistake_is_reported_at_once():
    assert len(refused("name: a b\nstrategies: []\nworkload: {}\nrepeats: 0\n")) == 4


def test_an_unknown_experiment_is_suggested():
    with pytest.raises(SpecificationError, match="did you mean 'thesis'"):
        load("thesiss")
    with pytest.raises(SpecificationError, match="cannot be read"):
        load("no/such.yaml")


def test_overriding_replaces_and_leaves_the_original():
    thesis = load("thesis")
    changed = override(
        thesis, ["scale.rate_divisor=auto", "topology.blocking_factor=[1, 5]", "strategies.1.label=mine"]
    )
    assert changed.scale.rate_divisor == "auto"
    assert changed.topology.blocking_factor == (1, 5)
    assert changed.strategies[1].label == "mine"
    assert thesis == load("thesis")
    assert override(thesis, ["workload=kmeans-high"]).workload.preset == "kmeans-high"
    assert override(thesis, ["topology=single-switch"]).topology.factors == (None,)


def test_a_preset_replaces_inline_jobs():
    inline = loads("name: a\nstrategies: [default]\nworkload: [kmeans]\n")
    assert override(inline, ["workload.preset=mixed-mid"]).workload.jobs == ()


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("scale.rate=3", ["scale.rate", "did you mean 'rate_divisor'?"]),
        ("scael.rate_divisor=3", ["'scael'", "did you mean 'scale'?"]),
        ("strategies.9.name=a", ["'9'", "use 0 to 2"]),
        ("seed.value=1", ["single value"]),
        ("seed", ["path=value"]),
        ("seed=[", ["not a YAML value"]),
        ("seed=many", ["seed", "'many'"]),
    ],
)
def test_a_refused_override_says_why(assignment, words):
    with pytest.raises(SpecificationError) as caught:
        override(load("thesis"), [assignment])
    assert all(word in str(caught.value) for word in words), caught.value


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["topology", "strategies", "workload", "scale", "failures", "node", "seed"])


def problems_of(text: str) -> tuple[str, ...]:
    try:
        loads(text)
    except SpecificationError as error:
        return error.problems or ("",)
    return ()


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_in_lines(text):
    for line in problems_of(text):
        assert line.startswith("specification")
        assert "\n" not in line


@given(KEYS, VALUES)
def test_any_value_of_a_key_is_read_or_refused_in_lines(key, value):
    document = {"name": "a", "strategies": ["default"], "workload": "mixed-high", key: value}
    for line in problems_of(json.dumps(document)):
        assert line.startswith("specification")
        assert "\n" not in line
