"""What a ledger proves of files: whether one is as it should be, what was done to it, and whether all are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from retention.compiled import contract
from retention.errors import RetentionError
from retention.ledger import Readable
from retention.rpc import LedgerError
from retention.tracking import CODES
from retention.transactions import Kind

_NOWHERE = "0x" + "0" * 40
_KINDS: dict[int, Kind] = {code: kind for kind, code in CODES.items()}

Fault = Literal["altered", "missing", "gone without a record", "deleted and still there"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done to a file, as its contract has it; `time_s` is in seconds since the epoch."""

    kind: Kind
    time_s: int
    digest: bytes
    user: str
    uri: str
    locations: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file."""

    uri: str
    fault: Fault
    detail: str


def address_of(ledger: Readable, index: str, uri: str) -> str:
    """The contract that tracks the file of a name, by the index.

    Raises:
        RetentionError: the index knows no such name.
    """
    called = contract("file_index")
    (found,) = called.result("lookup", ledger.view(index, called.call("lookup", uri)))
    if found == _NOWHERE:
        raise RetentionError(f"file {uri!r}: the index knows no contract of it; annotate it first")
    return str(found)


def is_valid(ledger: Readable, address: str, digest: bytes) -> bool:
    """Whether this is the hash of the file as it should be now (thesis, Figure 7.4)."""
    called = contract("file_tracking")
    (valid,) = called.result("validate", ledger.view(address, called.call("validate", digest)))
    return bool(valid)


def digest_at(ledger: Readable, address: str, time_s: int) -> bytes:
    """Hash of the file as it was at a time, seconds since the epoch.

    Raises:
        RetentionError: the file was not there yet.
    """
    called = contract("file_tracking")
    try:
        answer = ledger.view(address, called.call("getEntryAtTime", time_s))
    except LedgerError as error:
        raise RetentionError(f"contract {address}: no entry at {time_s}: {error}") from error
    ((digest, *_),) = called.result("getEntryAtTime", answer)
    return bytes(digest)


def history(ledger: Readable, address: str) -> Iterator[Entry]:
    """All that was done to a file, oldest first.

    Raises:
        RetentionError: the log and the contract do not agree on how much that is.
    """
    called = contract("file_tracking")
    logs = ledger.logs(address)
    (count,) = called.result("operations", ledger.view(address, called.call("operations")))
    if len(logs) != count:
        raise RetentionError(f"contract {address}: {len(logs)} events, {count} operations; the node's log is damaged")
    for log in logs:
        fields = called.event(log["topics"], log["data"])
        user = fields["user"].rstrip(b"\0").decode(errors="replace")
        kind, where = _KINDS[fields["kind"]], fields["locations"]
        yield Entry(kind, fields["time"], fields["hash"], user, fields["uri"], where)


def audit(ledger: Readable, contracts: Mapping[str, str], stored: Mapping[str, bytes | None]) -> Iterator[Finding]:
    """What is wrong with tracked files.

    Args:
        ledger: has their contracts.
        contracts: address of each file's contract, by the file's name now.
        stored: hash of each file that is there now, or None where it cannot be read; files that are not tracked do not
            matter.
    """
    for uri, address in contracts.items():
        *_, last = history(ledger, address)
        if uri not in stored:
            if last.kind != "delete":
                yield Finding(uri, "gone without a record", f"last recorded: {last.kind} at {last.time_s}")
        elif last.kind == "delete":
            yield Finding(uri, "deleted and still there", f"recorded as deleted at {last.time_s}")
        elif (digest := stored[uri]) is None:
            yield Finding(uri, "missing", "it cannot be read")
        elif not is_valid(ledger, address, digest):
            yield Finding(uri, "altered", f"hash {digest.hex()}, recorded {last.digest.hex()}")
