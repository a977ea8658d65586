"""Changes of valid files, drawn by Hypothesis."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from hypothesis import strategies as st

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    10**6,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    -1,
    -2,
)
"""Counts and sizes that headers may claim."""

WORDS = (
    b"",
    b"0",
    b"1",
    b"-1",
    b"2.5",
    b"nan",
    b"inf",
    b"1e999",
    b"-1e-999",
    b"0x10",
    b"1_000",
    b"99999999999999999999",
    b"4294967296",
    b"1099511627776",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"[1, [2], {a: 3}]",
    b'{"a": {"b": 1}}',
    b'"',
    b"'",
    b":",
    b",",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\x00",
    b"\x1b[2J",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc3",
    "é🧠٣".encode(),
    b"a" * 5000,
    b"[" * 3000,
    b"{a: " * 1500,
    b"../../../etc/passwd",
    b"/etc/passwd",
    b".",
    b"..",
    b"sub-../x",
    b"!!python/object/apply:os.system ['touch ran']",
    b"!!python/name:os.system",
    b"!!binary aGk=",
    b"2024-02-30",
    b"&a [*a]",
    b"&a [&b [*b, *b], *b]",
    b"*a",
    b"<<: *a",
    b"---",
    b"...",
    b"%TAG ! x",
    b"group",
    b"x",
)

SCRIPTS = (
    b"cos\nsystem\n(S'touch ran'\ntR.",
    b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8e\xff\xff\xff\xff\xff\x00\x00\x00",
    b"r\xff\xff\xff\x0f",
    b"\x8b\xff\xff\xff\x7f",
    b"(" * 2000,
    b"]" * 2000,
    b"\x8c\x02os\x8c\x06system\x93",
    b"\x82\x01",
    b"Pid\n.",
    b"c__main__\nx\n",
    b"\x00\x00\x27\x10\xff\xff\xff\xff",
)
"""Pieces of hostile pickles, and of headers."""


@st.composite
def changed_bytes(draw: st.DrawFn, seed: bytes) -> bytes:
    """Change a file that is not text: bytes, numbers in both byte orders, pieces."""
    content = bytearray(seed)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 4)))):
        size = len(content)
        at = draw(
            st.one_of(
                st.integers(0, min(size, 512)), st.integers(0, size), st.integers(0, min(size, 512)).map(lambda back, n=size: n - back)
            )
        )
        kind = draw(st.sampled_from(("byte", "bit", "number", "cut", "insert", "script", "remove", "repeat")))
        if kind == "byte":
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "bit" and at < size:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            form = draw(st.sampled_from(("<b", "<h", ">h", "<i", ">i", "<q", ">q", "<f", ">f")))
            value = draw(st.sampled_from(NUMBERS))
            bits = 8 * struct.calcsize(form)
            made = (
                struct.pack(form, float(value))
                if form[1] == "f"
                else (value % 2**bits).to_bytes(bits // 8, "little" if form[0] == "<" else "big")
            )
            content[at : at + len(made)] = made
        elif kind == "cut":
            del content[at:]
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "script":
            content[at:at] = draw(st.sampled_from(SCRIPTS))
        elif kind == "remove":
            del content[at : at + draw(st.integers(1, 64))]
        elif kind == "repeat":
            content[at:at] = content[at : at + draw(st.integers(1, 256))] * draw(st.sampled_from((1, 2, 50)))
    return bytes(content)


@st.composite
def changed_text(draw: st.DrawFn, seed: bytes) -> bytes:
    """Change a text file: words, lines, characters."""
    content = seed
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 4)))):
        kind = draw(st.sampled_from(("word", "word", "word", "insert", "line", "swap", "repeat", "cut", "byte")))
        if kind in ("word", "insert"):
            tokens = re.findall(rb"\w+|[ ]+|[^\w ]", content) or [b""]
            place = draw(st.integers(0, len(tokens) - 1))
            word = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8), st.sampled_from(tokens)))
            tokens[place : place + (kind == "word")] = [word]
            content = b"".join(tokens)
        elif kind in ("line", "swap", "repeat"):
            lines = content.split(b"\n")
            one, two = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
            if kind == "line":
                del lines[one]
            elif kind == "swap":
                lines[one], lines[two] = lines[two], lines[one]
            else:
                lines[two:two] = [lines[one]] * draw(st.sampled_from((1, 2, 100)))
            content = b"\n".join(lines)
        else:
            at = draw(st.integers(0, len(content)))
            content = content[:at] if kind == "cut" else content[:at] + draw(st.binary(min_size=1, max_size=4)) + content[at + 1 :]
    return content


def changed(seed: bytes, *, text: bool) -> st.SearchStrategy[bytes]:
    """Return a strategy of changes of a file; now and then any bytes instead."""
    return st.one_of(*[changed_text(seed) if text else changed_bytes(seed)] * 9, st.binary(max_size=200))


def names(seed: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Return a strategy of names of files in a folder."""
    pieces = st.sampled_from(
        ("sub-", "01", "02", "ses-", "a", "_", "-", "run-1", "T1w", ".nii.gz", ".nii", ".NII", "..", " ", "\n", "é", "🧠", "'", "\\")
    )
    made = st.lists(pieces, max_size=8).map("".join)
    return st.lists(st.one_of(st.sampled_from(list(seed)), made), max_size=8)
