"""The one module that imports an OpenFlow library: it calls the core for the library's events.

`os-ken` and `ryu` offer the same API under two names; everything here works with either.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import ClassVar, Literal, Protocol

from controller.counters import PortCounters
from controller.discovery import Port
from controller.messages import Foreign, Switchboard

Library = Literal["os-ken", "ryu"]

TICK_S = 0.1
SILENCE_S = 5.0
"""A switch that has not said anything for so long, though its counters were asked for, counts as disconnected."""

_LOG = logging.getLogger("controller.openflow")


class Reports(Protocol):
    """What the application tells the core."""

    def switch_connected(self, dpid: int, ports: Sequence[Port], bridge_name: str = "") -> None:
        """A switch has connected and described its ports."""

    def switch_disconnected(self, dpid: int) -> None:
        """A switch's connection is gone."""

    def port_changed(self, dpid: int, port: Port) -> None:
        """A port was added or changed."""

    def port_removed(self, dpid: int, port_no: int) -> None:
        """A port was removed."""

    def frame_received(self, dpid: int, in_port: int, frame: bytes) -> None:
        """A switch handed us a frame."""

    def groups_listed(self, dpid: int, group_ids: Sequence[int]) -> None:
        """The switch has these groups."""

    def confirmed(self, dpid: int, token: int) -> None:
        """The switch has done everything up to `Confirm(token)`."""

    def counters_read(self, dpid: int, readings: Sequence[PortCounters]) -> None:
        """A switch's port counters have arrived."""

    def tick(self) -> None:
        """Some time has passed."""

    def poll(self) -> None:
        """It is time to read the counters."""


class RefusedError(RuntimeError):
    """A switch has refused a rule."""


def serve(
    library: Library,
    port: int,
    core: Reports,
    switchboard: Switchboard,
    poll_interval_s: float,
    host: str = "127.0.0.1",
) -> None:
    """Listen for switches and serve them until the process ends; returns only when listening failed."""
    api = load(library)
    api.cfg.CONF([], project="controller")
    api.cfg.CONF.set_override("ofp_listen_host", host)
    api.cfg.CONF.set_override("ofp_tcp_listen_port", port)
    manager = api.app_manager.AppManager.get_instance()
    manager.load_apps([f"{api.package}.controller.ofp_handler"])
    manager.instantiate(_application(api), core, switchboard, poll_interval_s)
    api.hub.joinall(manager.instantiate_apps())


def load(library: Library) -> SimpleNamespace:
    """The parts of the library that are used here.

    Raises:
        ImportError: it is not installed.
    """
    if library == "ryu":
        wsgi = importlib.import_module("eventlet.wsgi")
        # Ryu's own web server, which nobody uses here, wants a name that eventlet no longer has.
        vars(wsgi).setdefault("ALREADY_HANDLED", object())
    package = {"os-ken": "os_ken", "ryu": "ryu"}[library]
    modules = ("base.app_manager", "cfg", "controller.event", "controller.handler", "controller.ofp_event", "lib.hub")
    # app_manager comes first: the others import it in a circle.
    loaded = {module.rpartition(".")[2]: importlib.import_module(f"{package}.{module}") for module in modules}
    versions = importlib.import_module(f"{package}.ofproto.ofproto_v1_5")
    app = loaded["app_manager"].OSKenApp if library == "os-ken" else loaded["app_manager"].RyuApp
    return SimpleNamespace(package=package, openflow_1_5=versions.OFP_VERSION, App=app, **loaded)


def _or_exit(handler: Callable[..., None]) -> Callable[..., None]:
    """The same handler, but an exception ends the process: a controller that has lost track must not go on."""

    def guarded(*arguments: Foreign) -> None:
        try:
            handler(*arguments)
        except BaseException:
            _LOG.critical("handler_failed", exc_info=True, extra={"fields": {"handler": handler.__name__}})
            logging.shutdown()
            os._exit(1)

    guarded.__name__ = handler.__name__
    return guarded


class Pacer:
    """What is done at intervals: the core's ticks and polls, and noticing switches that fell silent."""

    def __init__(self, core: Reports, switchboard: Switchboard, poll_interval_s: float) -> None:
        self._core = core
        self._switchboard = switchboard
        self._ticks_per_poll = max(1, round(poll_interval_s / TICK_S))
        self._ticks_of_silence = round(SILENCE_S / TICK_S) + self._ticks_per_poll
        self._ticks = 0
        self._last_heard: dict[int, int] = {}

    def heard(self, dpid: int) -> None:
        """A switch has answered."""
        self._last_heard[dpid] = self._ticks

    def tick(self, _: Foreign = None) -> None:
        """One interval has passed."""
        self._ticks += 1
        for dpid, datapath in list(self._switchboard.datapaths.items()):
            if datapath.socket.fileno() < 0:
                # The library reports the end of a connection only after it has tried to send once more.
                datapath.send_msg(datapath.ofproto_parser.OFPEchoRequest(datapath))
            elif self._ticks - self._last_heard[dpid] > self._ticks_of_silence:
                with contextlib.suppress(OSError):  # it may end by itself at this moment
                    datapath.socket.shutdown(socket.SHUT_RDWR)
        self._core.tick()
        if self._ticks % self._ticks_per_poll == 0:
            self._core.poll()


class Handlers:
    """Receives the library's events, one at a time, as the library's application class that this is mixed into."""

    core: Reports
    switchboard: Switchboard
    pacer: Pacer
    connected_state: str

    EVENTS: ClassVar = {
        "state_changed": "StateChange",
        "ports_described": "PortDescStatsReply",
        "port_status": "PortStatus",
        "packet_in": "PacketIn",
        "port_counters": "PortStatsReply",
        "groups_listed": "GroupStatsReply",
        "barrier_reply": "BarrierReply",
        "refused": "ErrorMsg",
    }

    def state_changed(self, event: Foreign) -> None:
        """A connection is complete, or has ended."""
        datapath, dpid = event.datapath, event.datapath.id
        if event.state == self.connected_state:
            datapath.send_msg(datapath.ofproto_parser.OFPPortDescStatsRequest(datapath, 0, datapath.ofproto.OFPP_ANY))
        elif self.switchboard.datapaths.get(dpid) is datapath:
            del self.switchboard.datapaths[dpid]
            self.core.switch_disconnected(dpid)

    def ports_described(self, event: Foreign) -> None:
        """A switch that has just connected lists its ports."""
        datapath = event.msg.datapath
        self.switchboard.datapaths[datapath.id] = datapath
        self.pacer.heard(datapath.id)
        ports = [port for port in event.msg.body if port.port_no <= datapath.ofproto.OFPP_MAX]
        local = [_text(port.name) for port in event.msg.body if port.port_no == datapath.ofproto.OFPP_LOCAL]
        self.core.switch_connected(datapath.id, [_port(datapath, port) for port in ports], "".join(local))

    def port_status(self, event: Foreign) -> None:
        """A port has changed."""
        datapath, port = event.msg.datapath, event.msg.desc
        if port.port_no > datapath.ofproto.OFPP_MAX or datapath.id not in self.switchboard.datapaths:
            return
        if event.msg.reason == datapath.ofproto.OFPPR_DELETE:
            self.core.port_removed(datapath.id, port.port_no)
        else:
            self.core.port_changed(datapath.id, _port(datapath, port))

    def packet_in(self, event: Foreign) -> None:
        """A switch hands over a frame."""
        self.core.frame_received(event.msg.datapath.id, event.msg.match["in_port"], bytes(event.msg.data))

    def port_counters(self, event: Foreign) -> None:
        """Counters have arrived."""
        datapath = event.msg.datapath
        self.pacer.heard(datapath.id)
        known = [port for port in event.msg.body if port.port_no <= datapath.ofproto.OFPP_MAX]
        self.core.counters_read(datapath.id, [_counters(port) for port in known])

    def groups_listed(self, event: Foreign) -> None:
        """A switch lists its groups."""
        self.core.groups_listed(event.msg.datapath.id, [group.group_id for group in event.msg.body])

    def barrier_reply(self, event: Foreign) -> None:
        """A switch confirms."""
        self.core.confirmed(event.msg.datapath.id, event.msg.xid)

    def refused(self, event: Foreign) -> None:
        """A switch reports an error.

        Raises:
            RefusedError: it was about a rule.
        """
        message, ofp = event.msg, event.msg.datapath.ofproto
        text = f"dpid {message.datapath.id or 0:#x}: error type {message.type}, code {message.code}"
        refused = bytes(message.data)
        if refused[1:2] in (bytes([ofp.OFPT_FLOW_MOD]), bytes([ofp.OFPT_GROUP_MOD])):
            raise RefusedError(f"{text}: it refused a rule; the message began {refused.hex()}")
        _LOG.warning("switch_error", extra={"fields": {"what": text}})


def _application(api: SimpleNamespace) -> Callable[[Reports, Switchboard, float], Foreign]:
    """The handlers as an application of the library."""
    main, dead = api.handler.MAIN_DISPATCHER, api.handler.DEAD_DISPATCHER
    event_base: Foreign = api.event.EventBase
    app_base: Foreign = api.App

    class Tick(event_base):  # type: ignore[misc]
        """Time passes, in the thread that handles the switches' messages."""

    class Application(app_base):  # type: ignore[misc]
        OFP_VERSIONS = (api.openflow_1_5,)
        connected_state = main

        def __init__(self, core: Reports, switchboard: Switchboard, poll_interval_s: float) -> None:
            super().__init__()
            self.core = core
            self.switchboard = switchboard
            self.pacer = Pacer(core, switchboard, poll_interval_s)
            self.register_handler(Tick, _or_exit(self.pacer.tick))

        def start(self) -> None:
            super().start()
            api.hub.spawn(self.keep_ticking)

        def keep_ticking(self) -> None:
            while True:
                api.hub.sleep(TICK_S)
                self._send_event(Tick(), None)

    handlers: dict[str, object] = {}
    for name, event in Handlers.EVENTS.items():
        states = [main, dead] if event == "StateChange" else [main]
        listen = api.handler.set_ev_cls(getattr(api.ofp_event, f"EventOFP{event}"), states)
        handlers[name] = listen(_or_exit(getattr(Handlers, name)))
    return type("Controller", (Application, Handlers), handlers)


def _port(datapath: Foreign, port: Foreign) -> Port:
    ofp = datapath.ofproto
    up = not port.config & ofp.OFPPC_PORT_DOWN and not port.state & ofp.OFPPS_LINK_DOWN
    return Port(port.port_no, _text(port.name), up)


def _counters(port: Foreign) -> PortCounters:
    return PortCounters(
        port_no=port.port_no,
        age_s=port.duration_sec + port.duration_nsec / 1e9,
        rx_bytes=port.rx_bytes,
        tx_bytes=port.tx_bytes,
        rx_packets=port.rx_packets,
        tx_packets=port.tx_packets,
        rx_drops=port.rx_dropped,
        tx_drops=port.tx_dropped,
    )


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
