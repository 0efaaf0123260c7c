"""The lines of a trace: of a file or of all files of a log, packed or not, whole or cut off.

What a file is, is told by its content. One that ends in the middle, as the log of an application that still runs does,
is read as far as it goes, and a note says so.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import lz4.frame
import zstandard

from workloads.importers import avro, lz4_blocks
from workloads.importers.trace import TraceError

MOST_LINE_BYTES = 64 * 2**20

_BOM = b"\xef\xbb\xbf"
_UNREADABLE = {
    b"\x82SNAPPY\x00": "packed by Snappy for Java; set spark.eventLog.compression.codec=zstd",
    b"ZV": "packed by LZF; set spark.eventLog.compression.codec=zstd",
}
_ROLLED = re.compile(r"events_(\d+)_(?!.*\.compact)")
_COMPACTED = re.compile(r"events_(\d+)_.*\.compact")
_DATED = re.compile(r"eventlog-(.+)\.gz")
_PIECE_BYTES = 512  # of what is packed: it unpacks to some 16 MiB at most
_CHUNK_BYTES = 2**20


class _Unpacking(Protocol):
    """What unpacks one member or frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(frozen=True)
class _Codec:
    """How to unpack, and what is raised where that cannot be done."""

    begin: Callable[[], _Unpacking]
    error: type[Exception]


_CODECS = {
    b"\x1f\x8b": _Codec(lambda: zlib.decompressobj(wbits=31), zlib.error),
    b"\x28\xb5\x2f\xfd": _Codec(lambda: zstandard.ZstdDecompressor().decompressobj(), zstandard.ZstdError),
    b"\x04\x22\x4d\x18": _Codec(lz4.frame.LZ4FrameDecompressor, RuntimeError),
    lz4_blocks.MAGIC: _Codec(lz4_blocks.BlockDecompressor, lz4_blocks.BlockError),
}


def lines(path: Path, notes: list[str]) -> Iterator[str]:
    """The lines of a file, or of all files of a Spark event log in their order, without an end that is missing.

    Args:
        path: a file or a folder.
        notes: takes a sentence for everything that is missing.

    Raises:
        TraceError: a folder without a log, a file in a format that cannot be unpacked, damaged or not text, or a line
            of more than `MOST_LINE_BYTES`.
        OSError: it cannot be read.
    """
    for part in _parts(path, notes) if path.is_dir() else (path,):
        with _opened(part) as raw:
            yield from _lines(raw, part.name, notes)


def _opened(path: Path) -> BinaryIO:
    """A file to read; a pipe would be waited for, and a device may have no end."""
    raw = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        raw.close()
        raise TraceError(f"{path}: no regular file; copy what it holds into one")
    return raw


def _parts(folder: Path, notes: list[str]) -> list[Path]:
    """The files of a rolled log in the order in which they were written."""
    names = [path.name for path in folder.iterdir()]
    rolled = {int(match[1]): name for name in names if (match := _ROLLED.match(name))}
    compacted = {int(match[1]): name for name in names if (match := _COMPACTED.match(name))}
    if rolled or compacted:
        last = max(compacted) if compacted else min(0, min(rolled) - 1)
        if compacted:
            notes.append(f"{compacted[last]} was compacted: jobs that had ended by then are missing")
        later = [number for number in sorted(rolled) if number > last]
        if missing := max(later, default=last) - last - len(later):
            notes.append(f"{folder.name}: {missing} files of the log are missing")
        return [folder / name for name in ([compacted[last]] if compacted else []) + [rolled[one] for one in later]]
    dated = sorted(name for name in names if _DATED.fullmatch(name))
    order = [*dated, *(name for name in names if name == "eventlog")]
    if not order:
        raise TraceError(f"{folder}: no events_1_... and no eventlog in it; give the folder of one application's log")
    return [folder / name for name in order]


def _lines(raw: BinaryIO, name: str, notes: list[str]) -> Iterator[str]:
    start = raw.read(8)
    raw.seek(0)
    for magic, what in _UNREADABLE.items():
        if start.startswith(magic):
            raise TraceError(f"{name}: {what}")
    cut: list[str] = []
    codec = next((codec for magic, codec in _CODECS.items() if start.startswith(magic)), None)
    chunks = iter(lambda: raw.read(_CHUNK_BYTES), b"") if codec is None else _unpacked(raw, name, codec, cut)
    for number, line in enumerate(_in_json(_split(chunks, name), name, cut), 1):
        if not line.endswith(b"\n") and (cut or _is_cut(line)):
            cut.append(name)
            break
        try:
            yield line.removeprefix(_BOM).decode() if number == 1 else line.decode()
        except UnicodeDecodeError as error:
            raise TraceError(f"{name}: line {number}: not text in UTF-8 ({error.reason}); give a trace") from error
    if cut:
        notes.append(f"{name} ends in the middle; what it has been cut off from is missing")


def _in_json(lines: Iterator[bytes], name: str, cut: list[str]) -> Iterator[bytes]:
    """The lines of a file, in JSON where it has Avro records in binary, as Hadoop 3 writes its job histories."""
    first = next(lines, b"")
    if first.strip() != avro.BINARY.encode():
        yield from itertools.chain([first] if first else [], lines)
        return
    schema = next(lines, b"")
    yield from (f"{avro.JSON}\n".encode(), schema)
    try:
        for line in avro.json_lines(schema.decode(), lines):
            yield line.encode()
    except EOFError:
        cut.append(name)
    except TraceError:
        raise
    except ValueError as error:
        raise TraceError(f"{name}: damaged ({error}); copy it again") from error


def _is_cut(last_line: bytes) -> bool:
    """Whether a last line, which has no end, is part of an object of JSON."""
    return last_line.lstrip(_BOM + b" ").startswith(b"{") and not last_line.rstrip().endswith(b"}")


def _unpacked(raw: BinaryIO, name: str, codec: _Codec, cut: list[str]) -> Iterator[bytes]:
    while piece := raw.read(_PIECE_BYTES):
        unpacking = codec.begin()  # one member or frame; another may follow
        while piece and not unpacking.eof:
            try:
                yield unpacking.decompress(piece)
            except codec.error as error:
                raise TraceError(f"{name}: damaged ({error}); copy it again") from error
            piece = b"" if unpacking.eof else raw.read(_PIECE_BYTES)
        if not unpacking.eof:
            cut.append(name)
        raw.seek(-len(unpacking.unused_data or b""), io.SEEK_CUR)


def _split(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Lines with their ends; the last one may have none."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        begun.append(first)
        size += len(first)
        for piece in rest:
            yield b"".join(begun) + b"\n"
            begun, size = [piece], len(piece)
        if size > MOST_LINE_BYTES:
            raise TraceError(f"{name}: a line of more than {MOST_LINE_BYTES // 2**20} MiB; give a trace")
    if size:
        yield b"".join(begun)
