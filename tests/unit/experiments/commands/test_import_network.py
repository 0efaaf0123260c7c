"""Scripts for Mininet and files for containerlab become documents that `topology.file` takes."""

import pytest

from experiments.commands.main import main
from experiments.specification.plan import check
from experiments.specification.specification_file import load
from topologies.topology import Topology

SCRIPT = """
from mininet.topo import Topo

class Pair(Topo):
    def build(self, bw=10):
        left, right = self.addSwitch("s1"), self.addSwitch("s2")
        for number in range(1, 5):
            self.addLink(self.addHost(f"h{number}"), left if number < 3 else right, bw=100)
        self.addLink(left, right, bw=bw, loss=1)

topos = {"pair": Pair, "thin": lambda: Pair(bw=1)}
"""
LAB = """
name: lab
topology:
  nodes: {leaf: {kind: srl}, a: {kind: linux}, b: {kind: linux}}
  links: [{endpoints: ["a:eth1", "leaf:1"]}, {endpoints: ["b:eth1", "leaf:2"]}]
"""


def test_a_script_for_mininet_becomes_a_network_that_experiments_take(tmp_path, capsys, monkeypatch):
    pytest.importorskip("mininet")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "custom.py").write_text(SCRIPT)
    assert main(["import-network", "custom.py", "--topo", "thin"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == "custom.json"
    assert "loss of links: not emulated" in said.err
    assert "s1 is t1, s2 is t2" in said.err
    made = Topology.from_json((tmp_path / "custom.json").read_text())
    assert {link.id: link.capacity_mbps for link in made.uplinks} == {"t1-t2": 1}
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nstrategies: default\nworkload: [{profile: kmeans}]\ntopology: {file: custom.json}\n"
    )
    specification = load(tmp_path / "mine.yaml")
    check(specification)
    assert specification.build_topology(None) == made


def test_a_containerlab_file_becomes_a_network_once(tmp_path, capsys):
    (tmp_path / "lab.clab.yml").write_text(LAB)
    words = ["import-network", str(tmp_path / "lab.clab.yml"), "--output", str(tmp_path / "out.json")]
    assert main([*words, "--mbps", "250"]) == 0
    assert {link.capacity_mbps for link in Topology.from_json((tmp_path / "out.json").read_text()).links} == {250}
    assert main(words) == 2
    assert "exists; give another --output, or --force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


@pytest.mark.parametrize(
    ("name", "text", "words", "message"),
    [
        ("a.py", "topos = {}", [], "has no `topos`"),
        ("a.py", "1 / 0", [], "ZeroDivisionError: division by zero; it has to run by itself"),
        ("a.py", "topos = {'x': int, 'y': int}", [], "has x, y; choose one with --topo"),
        ("a.py", "topos = {'x': int}", ["--topo", "z"], "--topo z: "),
        ("a.py", "topos = {'x': int}", [], "x: is no mininet.topo.Topo"),
        ("a.yml", "topology: 3", [], "no containerlab file"),
        ("a.yml", "{", [], "a.yml:1:2: not YAML"),
        ("a.yml", LAB, ["--topo", "z"], "--topo z: only scripts have several"),
        ("a.yml", LAB, ["--mbps", "0"], "--mbps 0: give a rate above 0"),
        ("a.yml", LAB.replace("linux", "srl"), [], "has no hosts"),
    ],
)
def test_what_makes_no_network_is_refused(tmp_path, capsys, monkeypatch, name, text, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    assert main(["import-network", name, *words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert main(["import-network", str(tmp_path / "none.yml")]) == 2
    assert "none.yml: cannot be read" in capsys.readouterr().err
    assert main(["import-network", str(tmp_path / "none.py")]) == 2
    assert "none.py" in capsys.readouterr().err
