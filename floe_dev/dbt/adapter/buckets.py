"""Iceberg's bucket hash as a DuckDB expression: murmur3 (x86, 32 bits, seed 0) over the bytes the specification names.

DuckDB has no such function, and one written in Python would need numpy and run on one thread. All arithmetic is in
UBIGINT: a product of two 32-bit numbers fits it, what is above 32 bits is masked off.
"""

from __future__ import annotations

_MASK = 4294967295


def hash_of_long(value: str) -> str:
    """The hash of a BIGINT expression: its eight bytes, little end first."""
    low = f"CAST({value} & {_MASK} AS UBIGINT)"
    high = f"CAST(({value} >> 32) & {_MASK} AS UBIGINT)"
    return _final(_step(_step("CAST(0 AS UBIGINT)", low), high), "8")


def hash_of_hex(text: str) -> str:
    """The hash of the bytes that a VARCHAR expression spells in hexadecimal; null for null."""
    blocks = f"list_transform(range(len(x) // 8), lambda i: {_block('substr(x, i * 8 + 1, 8)')})"
    hashed = f"list_reduce(list_concat([CAST(0 AS UBIGINT)], {blocks}), lambda h, k: {_step('h', 'k')})"
    rest = _block("rpad(substr(x, (len(x) // 8) * 8 + 1), 8, '0')")
    # A list of one element gives an expression a name: spelled out, the text would grow with each use of it.
    final = f"list_transform([xor({hashed}, {_mixed(rest)})], lambda h: {_final('h', 'CAST(len(x) // 2 AS UBIGINT)')})"
    return f"CASE WHEN {text} IS NOT NULL THEN list_transform([{text}], lambda x: {final}[1])[1] END"


def _block(digits: str) -> str:
    """Four bytes, spelled by eight hexadecimal digits, as a number: the first byte is the lowest."""
    pairs = " || ".join(f"substr({digits}, {at}, 2)" for at in (7, 5, 3, 1))
    return f"CAST('0x' || {pairs} AS UBIGINT)"


def _step(state: str, block: str) -> str:
    return f"((({_rotated(f'xor({state}, {_mixed(block)})', 13)}) * 5 + 3864292196) & {_MASK})"


def _mixed(block: str) -> str:
    return _times(_rotated(_times(block, 0xCC9E2D51), 15), 0x1B873593)


def _final(state: str, length: str) -> str:
    mixed = f"xor({state}, {length})"
    for bits, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = _times(f"xor({mixed}, {mixed} >> {bits})", factor)
    return f"xor({mixed}, {mixed} >> 16)"


def _times(value: str, factor: int) -> str:
    return f"(({value} * {factor}) & {_MASK})"


def _rotated(value: str, bits: int) -> str:
    # The number beside itself in 64 bits, so that a shift right leaves the rotated one below.
    return f"((({value} * 4294967297) >> {32 - bits}) & {_MASK})"
