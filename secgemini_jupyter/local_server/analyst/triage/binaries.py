"""ELF and Mach-O programs, Windows shortcuts and images: their headers, with nothing but the standard library."""

from __future__ import annotations

import struct

from secgemini_jupyter.local_server.analyst.text import count
from secgemini_jupyter.local_server.analyst.triage.common import HIDES, NOTES, RUNS, Seen, entropy

_ELF_MACHINES = {3: "x86", 8: "MIPS", 20: "PowerPC", 40: "ARM", 62: "x86-64", 183: "ARM64", 243: "RISC-V", 22: "S390"}
_ELF_TYPES = {1: "object file", 2: "program", 3: "program or shared library", 4: "core dump"}
_MACH_CPUS = {7: "x86", 0x01000007: "x86-64", 12: "ARM", 0x0100000C: "ARM64", 18: "PowerPC"}
_MACH_TYPES = {1: "object file", 2: "program", 6: "shared library", 8: "bundle", 9: "debug symbols"}


def look_at_elf(content: bytes) -> Seen:
    is_64, order = content[4:5] == b"\2", ">" if content[5:6] == b"\2" else "<"
    head = content[:64].ljust(64, b"\0")
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    name = f"ELF {_ELF_TYPES.get(kind, f'file of type {kind}')} for {_ELF_MACHINES.get(machine, f'machine {machine}')}"
    seen = Seen(f"{'64' if is_64 else '32'}-bit {name}")
    _, _, sections = struct.unpack_from(f"{order}{'QQQ' if is_64 else 'III'}", head, 24)
    sizes = struct.unpack_from(f"{order}HHHHH", head, 54 if is_64 else 42)
    tables = []
    for index in range(min(sizes[3], 500)):
        at = sections + index * sizes[2]
        if at + (64 if is_64 else 40) > len(content):
            break
        title, stype = struct.unpack_from(f"{order}II", content, at)
        offset, size = struct.unpack_from(f"{order}{'QQ' if is_64 else 'II'}", content, at + (24 if is_64 else 16))
        tables.append((title, stype, offset, size))
    names = content[tables[sizes[4]][2] : tables[sizes[4]][2] + 2**16] if sizes[4] < len(tables) else b""
    rows = []
    for title, stype, offset, size in tables:
        data = content[offset : offset + size] if stype != 8 else b""
        rows.append({"name": _string(names, title), "raw_size": size, "entropy": entropy(data[: 4 * 2**20])})
    seen.facts |= {"sections": rows, "has_symbols": any(stype == 2 for _, stype, _, _ in tables)}
    dynamic = next((data for row, data in zip(rows, tables, strict=True) if row["name"] == ".dynamic"), None)
    strings = next((data for row, data in zip(rows, tables, strict=True) if row["name"] == ".dynstr"), None)
    libraries: list[str] = []
    if dynamic and strings:
        width = 16 if is_64 else 8
        text = content[strings[2] : strings[2] + min(strings[3], 2**20)]
        for at in range(dynamic[2], min(dynamic[2] + dynamic[3], len(content) - width), width):
            tag, value = struct.unpack_from(f"{order}{'QQ' if is_64 else 'II'}", content, at)
            if tag == 1 and len(libraries) < 100:
                libraries.append(_string(text, value))
    seen.facts["libraries"] = libraries
    if b"UPX!" in content[: 2**16] or b"UPX!" in content[-2048:]:
        seen.find(HIDES, "it carries the mark of the packer UPX", "UPX!")
    if not tables:
        seen.find(HIDES, "it has no section headers, as after packing or stripping")
    return seen


def _string(table: bytes, start: int) -> str:
    return table[start : table.find(b"\0", start) if table.find(b"\0", start) >= 0 else start + 200][:200].decode(
        "latin-1"
    )


def look_at_macho(content: bytes) -> Seen:
    if content[:4] == b"\xca\xfe\xba\xbe":
        number = min(int.from_bytes(content[4:8], "big"), 40)
        cpus = [int.from_bytes(content[8 + i * 20 : 12 + i * 20], "big") for i in range(number)]
        return Seen(f"Mach-O file for {', '.join(_MACH_CPUS.get(cpu, f'processor {cpu}') for cpu in cpus)}")
    order = "<" if content[:1] in (b"\xce", b"\xcf") else ">"
    is_64 = content[:4] in (b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf")
    _, cpu, _, kind, commands, _ = struct.unpack_from(f"{order}6I", content.ljust(32, b"\0"))
    seen = Seen(f"Mach-O {_MACH_TYPES.get(kind, f'file of type {kind}')} for {_MACH_CPUS.get(cpu, f'processor {cpu}')}")
    at, is_signed = 32 if is_64 else 28, False
    libraries: list[str] = []
    for _ in range(min(commands, 1000)):
        if at + 12 > len(content):
            break
        command, size, name = struct.unpack_from(f"{order}3I", content, at)
        if command in (0xC, 0x80000018, 0x8000001F) and len(libraries) < 200:
            libraries.append(_string(content[at : at + min(size, 1024)], name))
        is_signed |= command == 0x1D
        if size < 8:
            break
        at += size
    seen.facts |= {"libraries": libraries, "signature": {"is_present": is_signed}}
    if is_signed:
        seen.limits.append("The signature is present; whether it is valid was not verified.")
    return seen


def look_at_shortcut(content: bytes) -> Seen:
    """A .lnk file: what it starts, and with which arguments."""
    seen = Seen("Windows shortcut")
    flags = int.from_bytes(content[20:24], "little")
    at = 76
    if flags & 1:
        at += 2 + int.from_bytes(content[at : at + 2], "little")
    if flags & 2:
        info = content[at : at + int.from_bytes(content[at : at + 4], "little")]
        start = int.from_bytes(info[16:20], "little")
        if int.from_bytes(info[8:12], "little") & 1 and start:
            seen.facts["target"] = info[start : info.find(b"\0", start)].decode("latin-1")[:600]
        at += max(len(info), 4)
    for bit, name in ((4, "description"), (8, "relative_path"), (16, "folder"), (32, "arguments"), (64, "icon")):
        if flags & bit:
            size = int.from_bytes(content[at : at + 2], "little") * (2 if flags & 128 else 1)
            text = content[at + 2 : at + 2 + size].decode("utf-16-le" if flags & 128 else "latin-1", "replace")
            seen.facts[name] = text[:4000]
            at += 2 + size
    target = seen.facts.get("target") or seen.facts.get("relative_path") or ""
    seen.find(RUNS, "a click starts", f"{target} {seen.facts.get('arguments', '')}".strip())
    if len(seen.facts.get("arguments", "")) > 260:
        seen.find(HIDES, "its arguments are longer than the properties window shows (260 characters)")
    if arguments := seen.facts.get("arguments"):
        seen.encoded.append(str(arguments))
    return seen


def look_at_image(content: bytes, name: str) -> Seen:
    """Size in pixels, and what stands after the image's end."""
    seen = Seen(f"{name.upper()} image")
    end = -1
    if name == "png" and len(content) > 33:
        seen.facts["pixels"] = list(struct.unpack_from(">II", content, 16))
        end = content.find(b"IEND\xaeB`\x82") + 8 if b"IEND\xaeB`\x82" in content else -1
    elif name == "gif" and len(content) > 10:
        seen.facts["pixels"] = list(struct.unpack_from("<HH", content, 6))
    elif name == "jpeg":
        end = content.rfind(b"\xff\xd9") + 2 if b"\xff\xd9" in content else -1
    if 0 < end < len(content):
        seen.find(NOTES, f"{count(len(content) - end, 'byte')} after the end of the image")
    seen.limits.append("What pixels may hide is not looked for.")
    return seen
