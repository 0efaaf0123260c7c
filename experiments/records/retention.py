"""What became of tracked files in a run: the transactions, what was proven, and what there was at the end."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import statistics
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, TypeAdapter

from experiments.records.file_figures import FileFigures
from experiments.records.values import Count, Value
from retention.terms import MOST_LOCATIONS
from retention.transactions import Transaction

_CHECKSUM = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file at the end of a run.

    Attributes:
        name: its name.
        key: tells a tracked file from all others, whatever its name; None of one that is not tracked.
        blocks: checksum of each replica of each block by host; None of a file that was deleted.
    """

    name: str
    key: str | None
    blocks: tuple[dict[str, int], ...] | None


def file_digest(checksums: Iterable[int]) -> bytes:
    """Hash of a file: SHA-256 over the checksums of its blocks, in their order."""
    return hashlib.sha256(b"".join(map(_CHECKSUM.pack, checksums))).digest()


def locations(blocks: Iterable[Sequence[str]]) -> str:
    """Hosts of the replicas of blocks as the ledger has them; of many blocks only their hash."""
    whole = ", ".join(" ".join(hosts) for hosts in blocks)
    return whole if len(whole) <= MOST_LOCATIONS else f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"


def stored_document(files: Iterable[StoredFile]) -> str:
    """Files as retention/files.json has them."""
    return json.dumps([dataclasses.asdict(file) for file in files], indent=1)


def stored_files(document: str) -> list[StoredFile]:
    """What `stored_document` has written.

    Raises:
        ValueError: it has not.
    """
    return TypeAdapter(list[StoredFile]).validate_json(document)


@dataclass(frozen=True)
class Retained:
    """What retaining files came to in a run.

    Attributes:
        origin_s: where the clock of the transactions began, wall seconds since the run's start.
        transactions: all that were sent, their times in modelled seconds on that clock.
        checks: how often a file was proven before it was used.
        altered: replicas that were found to be others: file, block, host.
        not_kept: operations that could not be hashed, and why.
        restarts: how often the ledger was started again.
        files: there at the end, and those that are tracked and were deleted.
    """

    origin_s: float
    transactions: Sequence[Transaction]
    checks: int = 0
    altered: Sequence[tuple[str, int, str]] = ()
    not_kept: Sequence[str] = ()
    restarts: int = 0
    files: Sequence[StoredFile] = ()


class RetentionRecord(Value):
    """Retention in one run; times from when something was done to a file until that is confirmed, modelled seconds."""

    transactions: Count
    confirmed: Count
    refused: Count = Field(description="by a contract")
    gas: Count
    confirmed_after_s: tuple[float, float, float] | None = Field(
        default=None, description="shortest, median and longest; null where nothing is confirmed"
    )
    checks: Count = Field(description="how often a file was proven before it was used")
    altered: tuple[str, ...] = Field(default=(), description="replicas that were found to be others")
    not_kept: tuple[str, ...] = Field(default=(), description="operations that could not be hashed, and why")
    ledger_restarts: Count = 0
    files: tuple[FileFigures, ...] = Field(default=(), description="what clients' operations took, by kind and size")


def record(retained: Retained, files: tuple[FileFigures, ...] = ()) -> RetentionRecord:
    """The figures of a run, with those of its clients."""
    sent = retained.transactions
    confirmed = [one for one in sent if one.confirmed_s is not None]
    took_s = [one.confirmed_s - one.asked_s for one in confirmed if one.confirmed_s and one.operation.of_content]
    return RetentionRecord(
        transactions=len(sent),
        confirmed=len(confirmed),
        refused=sum(one.refused is not None for one in sent),
        gas=sum(one.gas or 0 for one in sent),
        confirmed_after_s=(min(took_s), statistics.median(took_s), max(took_s)) if took_s else None,
        checks=retained.checks,
        altered=tuple(f"block {block} of {file} on {host}" for file, block, host in retained.altered),
        not_kept=tuple(retained.not_kept),
        ledger_restarts=retained.restarts,
        files=files,
    )


def rows(transactions: Iterable[Transaction], later_s: float) -> Iterator[Mapping[str, Any]]:
    """Rows of transactions.parquet in the order of their numbers.

    Args:
        transactions: all that were sent.
        later_s: by how much the first submission was later than the beginning of their clock.
    """
    for one in transactions:
        done = one.operation
        times: dict[str, float | None] = {"asked_s": one.asked_s, "sent_s": one.sent_s}
        times |= {"included_s": one.included_s, "confirmed_s": one.confirmed_s}
        yield {
            "nonce": one.nonce,
            "operation": done.kind,
            "file": done.uri,
            "user": done.user,
            "digest": done.digest.hex(),
            **{name: None if at is None else at - later_s for name, at in times.items()},
            "block": one.block,
            "gas": one.gas,
            "contract": one.contract or one.to,
            "refused": one.refused,
        }
