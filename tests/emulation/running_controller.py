"""A controller next to emulated switches, asked over HTTP, and traffic to watch while things fail."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from topologies.emulated.network import OPENFLOW_PORT

HTTP_PORT = 18181
PATIENCE_S = 20.0
"""How long to wait for what must happen, where the time that it takes is not asked about."""


class Controller:
    """A controller process next to the switches, and its API."""

    def __init__(self, process, log):
        self.process = process
        self.log = log
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{HTTP_PORT}", timeout=10)

    def get(self, path, **parameters):
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, condition, timeout_s, path="/v1/health", **parameters):
        """Poll until the condition holds; returns the seconds it took."""
        begin = time.monotonic()
        document = None
        while time.monotonic() - begin < timeout_s:
            with contextlib.suppress(httpx.TransportError):
                document = self.get(path, **parameters)
                if condition(document):
                    return time.monotonic() - begin
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        pytest.fail(f"not within {timeout_s} s: {document}")

    def wait_until_ready(self, timeout_s=PATIENCE_S):
        return self.wait(lambda health: health["status"] == "ready", timeout_s)

    def events(self, kind):
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["event"] == kind]

    def ports(self, switch, address):
        """Ports that a switch may use towards a destination address."""
        flows = self.get("/v1/flows", switch=switch)["flows"]
        return {
            port for flow in flows if flow["match"].get("ipv4_dst", "").startswith(address) for port in flow["ports"]
        }


@contextlib.contextmanager
def controller(topology, directory, *options):
    plan = Path(directory) / "plan.json"
    plan.write_text(topology.to_json())
    log = Path(directory) / "controller.log"
    argv = [sys.executable, "-m", "controller", "--topology", str(plan), "--openflow-port", str(OPENFLOW_PORT)]
    with log.open("ab") as output:
        process = subprocess.Popen([*argv, "--http-port", str(HTTP_PORT), *options], stderr=output)
    try:
        yield Controller(process, log)
    finally:
        process.terminate()
        process.wait(timeout=5)


@contextlib.contextmanager
def connected(network, directory, *options):
    """A controller that has found a network as planned and routed it."""
    with controller(network.topology, directory, *options) as running:
        network.connect_controller()
        running.wait_until_ready()
        yield running


def link(*arguments):
    subprocess.check_call(["ip", "link", "set", *arguments])


@contextlib.contextmanager
def links_down(*names):
    """Interfaces that are down until the end."""
    try:
        for name in names:
            link(name, "down")
        yield
    finally:
        for name in names:
            link(name, "up")


def kernel_bytes():
    """Bytes sent by every interface."""
    listing = json.loads(subprocess.check_output(["ip", "-j", "-s", "link"]))
    return {entry["ifname"]: entry["stats64"]["tx"]["bytes"] for entry in listing}


PROBE = """
import select, socket, sys, time
socks = []
for number in range(64):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 20000 + number)); socks.append(s)
begin = time.monotonic(); sent = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    socks[sent % 64].sendto(sent.to_bytes(8, "big"), (sys.argv[1], 9000)); sent += 1
    time.sleep(0.002)
print(sent)
"""

SINK = """
import select, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 9000)); print("up", flush=True)
s.settimeout(0.5); last = {}; worst = 0.0; got = 0; told = False
while not told:
    told = select.select([sys.stdin], [], [], 0)[0]
    try:
        while True:
            _, peer = s.recvfrom(2048); now = time.monotonic(); got += 1
            if peer in last: worst = max(worst, now - last[peer])
            last[peer] = now
    except TimeoutError:
        pass
print(got, worst)
"""


@contextlib.contextmanager
def stream(network, source, destination):
    """64 UDP flows, a packet every 2 ms in all, until the end; yields a dict for what was lost and the longest gap of a
    flow.
    """
    address = {host.name: host.ip for host in network.topology.hosts}[destination]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    sink = network.popen(destination, [sys.executable, "-c", SINK], **pipes)
    assert sink.stdout.readline() == "up\n"
    sender = network.popen(source, [sys.executable, "-c", PROBE, address], **pipes)
    result: dict[str, float] = {}
    try:
        yield result
        sent = int(sender.communicate(timeout=20)[0])  # which closes its input
        got, worst = sink.communicate(timeout=20)[0].split()
    finally:
        for process in (sender, sink):
            process.kill()
            process.wait()
    result.update(sent=sent, lost=sent - int(got), gap_s=float(worst))
