"""Frames that the controller itself sends and reads: LLDP probes that find links, and ARP answers."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from controller.entries import ETH_TYPE_ARP, ETH_TYPE_LLDP

LLDP_MULTICAST = bytes.fromhex("0180c200000e")
_CHASSIS, _PORT, _TTL = 1, 2, 3
_LOCALLY_ASSIGNED = 7
_TTL_S = 30
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2


@dataclass(frozen=True, slots=True)
class Probe:
    """Where a probe was sent from. `nonce` is the sending process's own, so that no host can forge links."""

    dpid: int
    port_no: int
    nonce: bytes

    def frame(self) -> bytes:
        """The LLDP frame."""
        source = b"\x02" + self.dpid.to_bytes(8, "big")[-3:] + self.port_no.to_bytes(4, "big")[-2:]
        chassis = bytes([_LOCALLY_ASSIGNED]) + self.dpid.to_bytes(8, "big") + self.nonce
        port = bytes([_LOCALLY_ASSIGNED]) + self.port_no.to_bytes(4, "big")
        body = _tlv(_CHASSIS, chassis) + _tlv(_PORT, port) + _tlv(_TTL, _TTL_S.to_bytes(2, "big")) + _tlv(0, b"")
        return LLDP_MULTICAST + source + ETH_TYPE_LLDP.to_bytes(2, "big") + body

    @classmethod
    def read(cls, frame: bytes) -> Probe | None:
        """The probe in a frame, None when it is not one of ours."""
        if frame[12:14] != ETH_TYPE_LLDP.to_bytes(2, "big"):
            return None
        fields: dict[int, bytes] = {}
        rest = frame[14:]
        while len(rest) >= 2:
            header = int.from_bytes(rest[:2], "big")
            kind, length = header >> 9, header & 0x1FF
            if kind == 0:
                break
            fields[kind], rest = rest[2 : 2 + length], rest[2 + length :]
        chassis, port = fields.get(_CHASSIS, b""), fields.get(_PORT, b"")
        if len(chassis) < 9 or len(port) != 5 or chassis[0] != _LOCALLY_ASSIGNED or port[0] != _LOCALLY_ASSIGNED:
            return None
        return cls(int.from_bytes(chassis[1:9], "big"), int.from_bytes(port[1:], "big"), chassis[9:])


def _tlv(kind: int, value: bytes) -> bytes:
    return (kind << 9 | len(value)).to_bytes(2, "big") + value


@dataclass(frozen=True, slots=True)
class ArpMessage:
    """An ARP request or reply over Ethernet and IPv4."""

    is_request: bool
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str

    @classmethod
    def read(cls, frame: bytes) -> ArpMessage | None:
        """The message in a frame, None when there is none."""
        if frame[12:14] != ETH_TYPE_ARP.to_bytes(2, "big") or len(frame) < 14 + _ARP.size:
            return None
        hardware, protocol, hardware_size, protocol_size, operation, *ends = _ARP.unpack_from(frame, 14)
        if (hardware, protocol, hardware_size, protocol_size) != (1, 0x0800, 6, 4):
            return None
        if operation not in (_REQUEST, _REPLY):
            return None
        macs = [end.hex(":") for end in ends[::2]]
        ips = [str(ipaddress.IPv4Address(end)) for end in ends[1::2]]
        return cls(operation == _REQUEST, macs[0], ips[0], macs[1], ips[1])

    def frame(self) -> bytes:
        """The Ethernet frame from sender to target."""
        sender, target = (bytes.fromhex(mac.replace(":", "")) for mac in (self.sender_mac, self.target_mac))
        addresses = [ipaddress.IPv4Address(ip).packed for ip in (self.sender_ip, self.target_ip)]
        operation = _REQUEST if self.is_request else _REPLY
        body = _ARP.pack(1, 0x0800, 6, 4, operation, sender, addresses[0], target, addresses[1])
        return target + sender + ETH_TYPE_ARP.to_bytes(2, "big") + body

    def answered_by(self, mac: str) -> ArpMessage:
        """The reply that tells the sender of this request where its target is."""
        return ArpMessage(False, mac, self.target_ip, self.sender_mac, self.sender_ip)
