"""Traces are read for what they contain, packed or not, whole or cut off."""

import gzip
import os
import struct
from pathlib import Path

import lz4.block
import lz4.frame
import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from workloads.importers import lz4_blocks, reading
from workloads.importers.reading import lines
from workloads.importers.trace import TraceError

TEXT = "".join(f'{{"number": {number}}}\n' for number in range(2000))


def zstd(data):
    return zstandard.ZstdCompressor().compress(data)


def spark_lz4(data, raw=False, checksum=None, block_bytes=2**15):
    """A stream as lz4-java's LZ4BlockOutputStream writes it."""
    stream = b""
    for at in range(0, len(data), block_bytes):
        block = data[at : at + block_bytes]
        packed = block if raw else lz4.block.compress(block, store_size=False)
        told = xxhash.xxh32_intdigest(block, seed=0x9747B28C) & 0x0FFFFFFF if checksum is None else checksum
        stream += b"LZ4Block" + struct.pack("<BIII", 0x15 if raw else 0x25, len(packed), len(block), told) + packed
    return stream + b"LZ4Block" + struct.pack("<BIII", 0x15, 0, 0, 0)


def read(path):
    notes: list[str] = []
    return "".join(lines(path, notes)), notes


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd, lz4.frame.compress, spark_lz4])
@pytest.mark.parametrize("name", ["log", "log.gz", "log.zstd.inprogress", "log.txt"])
def test_a_file_is_told_by_its_content(pack, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(pack(TEXT.encode()))
    assert read(path) == (TEXT, [])


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lz4.frame.compress, spark_lz4])
def test_members_and_frames_follow_each_other(pack, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(pack(TEXT[:1000].encode()) + pack(TEXT[1000:].encode()))
    assert read(path) == (TEXT, [])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_of_a_file_that_was_cut_off_the_whole_lines_are_read_and_it_is_said(pack, tmp_path):
    path = tmp_path / "log"
    whole = pack(TEXT.encode())
    path.write_bytes(whole[: len(whole) // 2])
    text, (note,) = read(path)
    assert note == "log ends in the middle; what it has been cut off from is missing"
    assert TEXT.startswith(text)
    assert text == "" or text.endswith("}\n")


def test_a_frame_that_is_still_written_is_read_as_far_as_it_was_flushed(tmp_path):
    packing = zstandard.ZstdCompressor().compressobj()
    data = packing.compress(TEXT.encode()) + packing.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    (tmp_path / "log").write_bytes(data)
    assert read(tmp_path / "log") == (TEXT, ["log ends in the middle; what it has been cut off from is missing"])


def test_a_mark_of_the_byte_order_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf4 2\r\n1 0\r\n")
    assert read(path) == ("4 2\r\n1 0\r\n", [])


@pytest.mark.parametrize("text", ["4 2\n1 0", '{\n "a": 1\n}', '{"a": 1}\n{"b": 2}'])
def test_a_last_line_that_is_whole_needs_no_end(text, tmp_path):
    path = tmp_path / "log"
    path.write_text(text)
    assert read(path) == (text, [])


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")), max_size=8), st.integers(1, 40))
def test_lines_are_those_of_the_text_however_it_comes(pieces, size):
    data = b"\n".join(pieces)
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    assert list(reading._split(chunks, "log")) == data.splitlines(keepends=True) or b"\r" in data or b"\x0b" in data


def test_files_of_a_rolled_log_come_in_their_order(tmp_path):
    for name, text in (
        ("events_10_app", "c\n"),
        ("events_2_app.zstd", "b\n"),
        ("events_1_app", "a\n"),
        ("appstatus_app", ""),
    ):
        (tmp_path / name).write_bytes(zstd(text.encode()) if name.endswith("zstd") else text.encode())
    text, (note,) = read(tmp_path)
    assert text == "a\nb\nc\n"
    assert note.endswith(": 7 files of the log are missing")


def test_a_compacted_file_stands_for_those_up_to_it_and_it_is_said(tmp_path):
    for name in ("events_1_app", "events_2_app", "events_2_app.compact", "events_3_app"):
        (tmp_path / name).write_text(f"{name}\n")
    assert read(tmp_path) == (
        "events_2_app.compact\nevents_3_app\n",
        ["events_2_app.compact was compacted: jobs that had ended by then are missing"],
    )


def test_dated_files_come_before_the_one_that_is_written_to(tmp_path):
    (tmp_path / "eventlog").write_text("c\n")
    for name, text in (("eventlog-2026-01-05--11-00.gz", b"b\n"), ("eventlog-2026-01-05--10-00.gz", b"a\n")):
        (tmp_path / name).write_bytes(gzip.compress(text))
    assert read(tmp_path) == ("a\nb\nc\n", [])


@given(st.binary(max_size=300_000), st.booleans())
def test_what_spark_packs_as_lz4_comes_out_as_it_was(content, raw):
    unpacking, stream = lz4_blocks.BlockDecompressor(), spark_lz4(content, raw=raw) + b"rest"
    pieces = (stream[at : at + 512] for at in range(0, len(stream), 512))
    assert b"".join(unpacking.decompress(piece) for piece in pieces) == content
    assert (unpacking.eof, unpacking.unused_data) == (True, b"rest")


@pytest.mark.parametrize("pack", [lz4.frame.compress, spark_lz4])
def test_logs_in_lz4_are_read_as_far_as_they_go(pack, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(pack(b"a\n") + pack(b"b\n"))
    assert read(path) == ("a\nb\n", [])
    path.write_bytes(pack(b"a\n") + pack(b"b\n")[:-5])
    text, notes = read(path)
    assert text in ("a\n", "a\nb\n")
    assert notes == ["log ends in the middle; what it has been cut off from is missing"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"LZ4Block" + bytes(13), "damaged .*packed in an unknown way"),
        (spark_lz4(b"a" * 99)[:-21] + b"LZ4Blick" + bytes(13), "damaged .*no block"),
        (spark_lz4(b"a" * 99, checksum=1), "damaged .*checksum"),
        (b"LZ4Block\x20" + struct.pack("<III", 9, 9, 0) + b"\xff" * 9, "damaged"),
        (b"LZ4Block\x20" + struct.pack("<III", 2**31, 9, 0), "damaged .*no block"),
        (b"\x04\x22\x4d\x18" + b"\xff" * 64, "damaged"),
        (b"\x82SNAPPY\x00", "packed by Snappy for Java; set"),
        (b"ZV\x01", "packed by LZF; set"),
        (b"\x1f\x8b\x08 and so on", "damaged"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 64, "damaged"),
        (b"a\n\xff\n", "line 2: not text in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(content, said, tmp_path):
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=f"^log: {said}"):
        read(path)


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(TraceError, match=f"^{path}: no regular file"):
            read(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd, lz4.frame.compress, spark_lz4])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_LINE_BYTES", 2**20)
    path = tmp_path / "log"
    path.write_bytes(pack(bytes(10 * 2**20)))
    with pytest.raises(TraceError, match="a line of more than 1 MiB"):
        read(path)
