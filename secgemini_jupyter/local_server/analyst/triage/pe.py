"""Windows programs: what the headers, sections, imports and resources of a PE file say."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from secgemini_jupyter.local_server.analyst.text import count, utc
from secgemini_jupyter.local_server.analyst.tool import ToolFailure
from secgemini_jupyter.local_server.analyst.triage.common import HIDES, NOTES, Seen, clean, entropy

PACKERS = {  # beginning of a section's name, in lower case: the packer that names its sections so
    "upx": "UPX", ".aspack": "ASPack", ".adata": "ASPack", ".petite": "Petite", "mew": "MEW", ".wwp32": "WWPack",
    ".mpress": "MPRESS", ".themida": "Themida", ".winlice": "WinLicense", ".vmp": "VMProtect", "pec2": "PECompact",
    "pec1": "PECompact", ".nsp": "NSPack", "nsp": "NSPack", ".enigma": "Enigma", "fsg!": "FSG", ".perplex": "Perplex",
    ".yp": "Y0da Protector", "yc": "yoda's Crypter", "ps\xff": "Upack", ".upack": "Upack", ".boom": "The Boomerang",
    ".ndata": "NSIS (an installer)", ".packed": "RLPack", ".rlpack": "RLPack", ".svkp": "SVKP",
}  # fmt: skip
CAPABILITIES = {  # what it is for: names of functions, without A or W at the end
    "start programs": "CreateProcess ShellExecute ShellExecuteEx WinExec CreateProcessAsUser system",
    "write into other processes": "WriteProcessMemory VirtualAllocEx CreateRemoteThread NtMapViewOfSection "
    "QueueUserAPC SetThreadContext NtUnmapViewOfSection RtlCreateUserThread NtWriteVirtualMemory",
    "load code at run time": "LoadLibrary LoadLibraryEx GetProcAddress VirtualProtect LdrLoadDll",
    "use the network": "InternetOpen InternetOpenUrl InternetConnect HttpOpenRequest HttpSendRequest URLDownloadToFile "
    "WinHttpOpen WinHttpConnect WinHttpSendRequest WSAStartup socket connect send recv getaddrinfo gethostbyname "
    "DnsQuery FtpPutFile",
    "write the registry or make services": "RegSetValue RegSetValueEx RegCreateKey RegCreateKeyEx CreateService "
    "StartService OpenSCManager NetScheduleJobAdd",
    "see keys or the screen": "SetWindowsHookEx GetAsyncKeyState GetKeyState BitBlt RegisterRawInputDevices",
    "change privileges": "AdjustTokenPrivileges OpenProcessToken ImpersonateLoggedOnUser DuplicateTokenEx LogonUser",
    "look for debuggers": "IsDebuggerPresent CheckRemoteDebuggerPresent NtQueryInformationProcess OutputDebugString",
    "encrypt or decrypt": "CryptEncrypt CryptDecrypt CryptAcquireContext CryptGenKey BCryptEncrypt BCryptDecrypt "
    "CryptUnprotectData",
    "list or end processes": "CreateToolhelp32Snapshot Process32First Process32Next EnumProcesses TerminateProcess",
    "search and delete files": "FindFirstFile FindNextFile DeleteFile MoveFileEx SHFileOperation",
}
_BY_API = {api: what for what, apis in CAPABILITIES.items() for api in apis.split()}
_INSIDE = (  # bytes in what is after the program: what it is
    (b"NullsoftInst", "an NSIS installer"), (b"Inno Setup", "an Inno Setup installer"),
    (b"AU3!EA0", "a compiled AutoIt script"), (b"MEI\x0c\x0b\x0a\x0b\x0e", "a Python program (PyInstaller)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"Rar!\x1a\x07", "a RAR archive"), (b"PK\x03\x04", "a zip file"),
    (b"ISc(", "an InstallShield cabinet"), (b"MSCF", "a cabinet"),
    (b"MZ", "bytes that begin like a program"),
)  # fmt: skip

BROKEN = (IndexError, KeyError, ValueError, AttributeError, TypeError, OverflowError, struct.error, UnicodeError)
"""What headers that lie make of reading on."""


def look_at_pe(content: bytes) -> Seen:
    import pefile

    try:
        pe = pefile.PE(data=content, fast_load=True)
        names = "IMPORT EXPORT RESOURCE DEBUG TLS DELAY_IMPORT COM_DESCRIPTOR".split()
        pe.parse_data_directories([pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{name}"] for name in names])
    except pefile.PEFormatError as error:
        raise ToolFailure(f"The PE headers cannot be read: {clean(str(error), 200)}.") from None
    header, optional = pe.FILE_HEADER, pe.OPTIONAL_HEADER
    bits = "PE32+" if optional.Magic == 0x20B else "PE32"
    is_dll, is_driver = bool(pe.is_dll()), optional.Subsystem == 1
    machine = _name(pefile.MACHINE_TYPE, header.Machine, "IMAGE_FILE_MACHINE_")
    subsystem = _name(pefile.SUBSYSTEM_TYPE, optional.Subsystem, "IMAGE_SUBSYSTEM_")
    what = "library (DLL)" if is_dll else "driver" if is_driver else "program"
    seen = Seen(f"{bits} Windows {what} for {machine}")
    seen.facts |= {
        "format": bits, "machine": machine, "subsystem": subsystem, "is_dll": is_dll,
        "compiled": utc(header.TimeDateStamp),
        "imphash": pe.get_imphash(), "entry_point": optional.AddressOfEntryPoint,
        "protections": _protections(optional.DllCharacteristics),
        "warnings": [clean(each, 200) for each in pe.get_warnings()[:5]],
    }  # fmt: skip
    seen.limits.append("The compile time is what the header says; it is easily set to anything.")
    seen.sources.append({"name": "pefile", "version": pefile.__version__})
    for read in (_sections, _imports, _exports, _resources):
        try:
            read(pe, seen)
        except BROKEN:
            seen.miss(f"its list of {read.__name__.strip('_')}")
    try:
        _extras(pe, content, seen)
    except BROKEN:
        seen.miss("what follows the sections", "", "could not be read")
    return seen


def _exports(pe: Any, seen: Seen) -> None:
    exports = getattr(getattr(pe, "DIRECTORY_ENTRY_EXPORT", None), "symbols", [])
    seen.facts["exports"] = [_text(each.name) if each.name else f"#{each.ordinal}" for each in exports[:100]]
    seen.facts["exports_total"] = len(exports)


def _name(table: dict[Any, Any], value: int, prefix: str) -> str:
    return str(table.get(value, value)).removeprefix(prefix)


def _text(raw: bytes | None) -> str:
    return (raw or b"").rstrip(b"\0").decode("latin-1")


def _protections(flags: int) -> list[str]:
    known = {0x40: "ASLR", 0x100: "DEP", 0x4000: "CFG", 0x20: "high-entropy ASLR"}
    return [name for bit, name in known.items() if flags & bit]


def _sections(pe: Any, seen: Seen) -> None:
    rows, packers, open_both = [], Counter[str](), []
    entry = pe.OPTIONAL_HEADER.AddressOfEntryPoint
    for section in pe.sections[:96]:
        name = _text(section.Name)
        flags = section.Characteristics
        rights = "".join(letter for letter, bit in (("r", 1 << 30), ("w", 1 << 31), ("x", 1 << 29)) if flags & bit)
        has_entry = section.VirtualAddress <= entry < section.VirtualAddress + max(section.Misc_VirtualSize, 1)
        rows.append({
            "name": name, "virtual_size": section.Misc_VirtualSize, "raw_size": section.SizeOfRawData,
            "entropy": entropy(section.get_data()), "rights": rights, "has_entry_point": has_entry,
        })  # fmt: skip
        if packer := next((title for start, title in PACKERS.items() if name.lower().startswith(start)), None):
            packers[packer] += 1
        if "w" in rights and "x" in rights:
            open_both.append(name)
    seen.facts |= {"sections": rows, "packers": list(packers)}
    for packer in packers:
        seen.find(HIDES, f"sections are named as {packer} names them", ", ".join(r["name"] for r in rows))
    if open_both:
        seen.find(HIDES, "sections can be written and run", ", ".join(open_both))
    dense = [row["name"] for row in rows if row["entropy"] > 7.2 and row["raw_size"] > 512]
    if dense:
        seen.find(HIDES, "sections look compressed or encrypted (entropy over 7.2)", ", ".join(dense))


def _imports(pe: Any, seen: Seen) -> None:
    libraries, capabilities = dict[str, list[str]](), dict[str, list[str]]()
    entries = [*getattr(pe, "DIRECTORY_ENTRY_IMPORT", []), *getattr(pe, "DIRECTORY_ENTRY_DELAY_IMPORT", [])]
    total = 0
    for entry in entries[:200]:
        names = [_text(each.name) if each.name else f"#{each.ordinal}" for each in entry.imports[:2000]]
        total += len(names)
        libraries.setdefault(_text(entry.dll), []).extend(names[:60])
        for name in names:
            base = name[:-1] if name[-1:] in ("A", "W") and name[:-1] in _BY_API else name
            if what := _BY_API.get(base):
                capabilities.setdefault(what, []).append(name)
    seen.facts |= {
        "imports": libraries,
        "imports_total": total,
        "capabilities": {what: list(dict.fromkeys(names))[:12] for what, names in capabilities.items()},
    }
    if 0 < total <= 8:
        seen.find(HIDES, f"it imports only {count(total, 'function')}: the others are probably looked up while it runs")


def _resources(pe: Any, seen: Seen) -> None:
    import pefile

    kinds: Counter[str] = Counter()
    for kind in getattr(getattr(pe, "DIRECTORY_ENTRY_RESOURCE", None), "entries", [])[:50]:
        name = str(kind.name) if kind.name else pefile.RESOURCE_TYPE.get(kind.id, f"#{kind.id}")
        for entry in getattr(getattr(kind, "directory", None), "entries", [])[:200]:
            for language in getattr(getattr(entry, "directory", None), "entries", [])[:10]:
                kinds[str(name).removeprefix("RT_")[:60]] += 1
                data = getattr(language, "data", None)
                start = pe.get_data(data.struct.OffsetToData, 2) if data and data.struct.Size > 64 else b""
                if start == b"MZ":
                    seen.find(NOTES, "a resource begins like a program", str(name))
    seen.facts["resources"] = dict(kinds)
    info: dict[str, str] = {}
    for group in getattr(pe, "FileInfo", None) or []:
        for item in group:
            for strings in getattr(item, "StringTable", []):
                info |= {_text(k)[:60]: clean(v.decode("utf-8", "replace"), 200) for k, v in strings.entries.items()}
    seen.facts["version_info"] = info


def _extras(pe: Any, content: bytes, seen: Seen) -> None:
    facts = seen.facts
    directories = pe.OPTIONAL_HEADER.DATA_DIRECTORY
    signature = directories[4] if len(directories) > 4 else None
    facts["signature"] = {"is_present": False}
    if signature is not None and signature.VirtualAddress and signature.Size:
        blob = content[signature.VirtualAddress + 8 : signature.VirtualAddress + signature.Size]
        facts["signature"] = {"is_present": True, "size": signature.Size, "certificates": _signers(blob)}
        seen.limits.append("The signature is present; whether it is valid was not verified.")
    facts["is_dotnet"] = hasattr(pe, "DIRECTORY_ENTRY_COM_DESCRIPTOR")
    for debug in getattr(pe, "DIRECTORY_ENTRY_DEBUG", [])[:4]:
        if path := getattr(getattr(debug, "entry", None), "PdbFileName", None):
            facts["pdb"] = clean(_text(path), 260)
    callbacks = getattr(getattr(pe, "DIRECTORY_ENTRY_TLS", None), "struct", None)
    if callbacks is not None and callbacks.AddressOfCallBacks:
        seen.find(NOTES, "thread-local callbacks run before the entry point")
    start = pe.get_overlay_data_start_offset()
    facts["overlay"] = None
    if start is not None and start < len(content):
        overlay = content[start:]
        if facts["signature"]["is_present"] and signature is not None and signature.VirtualAddress == start:
            overlay = content[start + signature.Size :]
        if overlay.strip(b"\0"):
            sample = overlay[: 2**20]
            inside = next(
                (what for magic, what in _INSIDE if magic in sample[:4096] or (len(magic) > 4 and magic in sample)), ""
            )
            facts["overlay"] = {"offset": start, "size": len(overlay), "entropy": entropy(sample), "looks_like": inside}
            told = f": {inside}" if inside else ""
            seen.find(NOTES, f"{count(len(overlay), 'byte')} after the last section{told}")


def _signers(blob: bytes) -> list[str]:
    """Subjects of the certificates in a signature; nothing of it is verified."""
    from asn1crypto import cms

    try:
        signed = cms.ContentInfo.load(blob)["content"]
        return [clean(each.chosen.subject.human_friendly, 200) for each in signed["certificates"]][:6]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):
        return []
