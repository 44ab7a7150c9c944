#!/usr/bin/env python3
"""Makes ``_abi.py`` and ``_metrics.py`` from the C headers, so that there is one source of truth.

    generate_abi.py            writes both files
    generate_abi.py --check    changes nothing; exit status 1 when one of them differs

It reads the small part of C in which the headers are written: integer ``#define``s, ``typedef``s, structs of scalars
and arrays, function declarations. Anything else is an error here rather than a wrong binding later.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
INCLUDE = HERE.parent.parent / "include"
PACKAGE = HERE / "src" / "bartizan"
WIDTH = 120

# Constants that begin with the prefix become members of the enumeration; what no line takes stays a plain constant.
ENUMERATIONS = {
    "BTZ_ERR_": ("Status", "What a call returns."),
    "BTZ_STATE_": ("AgentState", "What an agent is doing."),
    "BTZ_SCOPE_": ("Scope", "What kind of thing has a value."),
    "BTZ_KIND_": ("Kind", "How a metric moves."),
    "BTZ_UNIT_": ("Unit", "The unit of raw values."),
    "BTZ_SOURCE_": ("Source", "Where a metric is read."),
    "BTZ_AVAILABILITY_": ("Availability", "Whether there is a value, and if not, why."),
    "BTZ_VMM_": ("Vmm", "What runs a VM."),
    "BTZ_ALERT_": ("AlertState", "Whether a condition began or ended."),
    "BTZ_SEVERITY_": ("Severity", "How much an alert matters."),
    "BTZ_RULE_": ("RuleKind", "What a rule looks for."),
    "BTZ_LOG_": ("LogLevel", "How much a line of the library's log matters."),
    "BTZ_THREAD_TIER_": ("ThreadTier", "How the threads of VMs are read."),
    "BTZ_KVM_TIER_": ("KvmTier", "How KVM's counters are read."),
    "BTZ_VERDICT_": ("Verdict", "What a rule of the checks came to."),
    "BTZ_CHECK_SEVERITY_": ("CheckSeverity", "How bad it is when a rule of the checks fails."),
    "BTZ_CHECK_SCOPE_": ("CheckScope", "What a rule of the checks looks at."),
    "BTZ_CHECK_TEXT_": ("CheckText", "A text about a rule of the checks."),
    "BTZ_CHANGE_": ("ChangeKind", "What happened to a finding."),
    "BTZ_DISK_": ("DiskHealth", "How the disk of a ledger is."),
    "BTZ_LAST_RUN_": ("LastRun", "How the run before ended."),
    "BTZ_RECORD_": ("RecordKind", "What a record is about."),
    "BTZ_VERIFIED_": ("Verified", "What came out of verifying a ledger."),
}
# BTZ_OK is a status, though its name does not say so.
RENAMED = {"BTZ_OK": "BTZ_ERR_OK"}

# C type: ctypes name, size, alignment, on the 64-bit Linux that wheels are built for.
SCALARS = {
    "int8_t": ("c_int8", 1),
    "uint8_t": ("c_uint8", 1),
    "int16_t": ("c_int16", 2),
    "uint16_t": ("c_uint16", 2),
    "int32_t": ("c_int32", 4),
    "uint32_t": ("c_uint32", 4),
    "int64_t": ("c_int64", 8),
    "uint64_t": ("c_uint64", 8),
    "int": ("c_int", 4),
    "double": ("c_double", 8),
    "float": ("c_float", 4),
    "char": ("c_char", 1),
    "bool": ("c_bool", 1),
    "size_t": ("c_size_t", 8),
    "uintptr_t": ("c_size_t", 8),
    # A text that the caller owns, in a struct.
    "const char *": ("c_char_p", 8),
}


class HeaderError(Exception):
    """The header holds what this script does not understand."""


@dataclass
class Struct:
    """A struct whose fields are known."""

    name: str
    doc: str
    fields: list[tuple[str, str, int | None]]
    size: int = 0
    alignment: int = 1


@dataclass
class Function:
    """A function's declaration."""

    name: str
    result: str
    parameters: list[str]


@dataclass
class Header:
    """What a header declares, in its order."""

    constants: dict[str, tuple[int, str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)
    callbacks: set[str] = field(default_factory=set)
    structs: dict[str, Struct] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)

    def scalar(self, ctype: str) -> tuple[str, int]:
        """The ctypes name and the size of a scalar, through its aliases."""
        while ctype in self.aliases:
            ctype = self.aliases[ctype]
        if ctype not in SCALARS:
            raise HeaderError(f"'{ctype}' is not a scalar this script knows")
        return SCALARS[ctype]


COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CAST = re.compile(r"\(\s*(?:btz_\w+|u?int\d+_t)\s*\)")
NUMBER = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b")
ARITHMETIC = re.compile(r"[\s0-9a-fA-FxX()<>|&~+*-]+$")
CPLUSPLUS = re.compile(r"^[ \t]*#[ \t]*ifdef __cplusplus\b.*?^[ \t]*#[ \t]*endif[^\n]*$", re.DOTALL | re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(BTZ_\w+)[ \t]+((?:[^\n\\]|\\.)+?)[ \t]*$", re.MULTILINE)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*$", re.MULTILINE)
STRUCT = re.compile(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*(\w+)$", re.DOTALL)
MEMBER = re.compile(r"(?:struct\s+)?(const char \*|\w+(?=\s))\s*(\w+)(?:\[(\w+)\])?$")
CALLBACK = re.compile(r"typedef\s+[\w\s*]+\(\s*\*\s*(\w+)\s*\)\s*\(.*\)$", re.DOTALL)
FUNCTION = re.compile(r"(?:extern\s+)?([\w\s]+?[\s*]+)(btz_\w+)\s*\((.*)\)$", re.DOTALL)


def words(comment: str) -> str:
    """A comment's text on one line."""
    text = re.sub(r"^\s*/\*+!?|\*+/\s*$", "", comment)
    return " ".join(re.sub(r"(?m)^\s*\*+ ?", "", text).split())


def number(header: Header, text: str) -> int | None:
    """What a macro stands for, where that is a constant number."""
    text = CAST.sub("", text).replace("INT64_MIN", f"({-(2**63)})")
    text = re.sub(r"\bBTZ_\w+", lambda name: str(header.constants.get(name[0], (name[0],))[0]), text)
    text = NUMBER.sub(r"\1", text)
    if not ARITHMETIC.match(text):
        return None
    # Digits, brackets and operators only, as just seen.
    return int(eval(text, {"__builtins__": {}}))


def items(text: str) -> Iterator[tuple[str, str]]:
    """Declarations without their semicolon, each with the comment before it."""
    doc, start, depth, place = "", 0, 0, 0
    while place < len(text):
        if text.startswith("/*", place):
            end = text.index("*/", place) + 2
            if depth == 0 and not text[start:place].strip():
                doc, start = words(text[place:end]), end
            place = end
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if text[place] == ";" and depth == 0:
            yield doc, text[start:place].strip()
            doc, start = "", place + 1
        place += 1
    if text[start:].strip():
        raise HeaderError(f"no semicolon after: {text[start:].strip()[:60]}")


def parse(text: str) -> Header:
    """Reads a header."""
    header = Header()
    text = CPLUSPLUS.sub("", text)
    before = 0
    for define in DEFINE.finditer(text):
        value = number(header, COMMENT.sub("", define[2]))
        if value is not None:
            comments = list(COMMENT.finditer(text, before, define.start()))
            near = bool(comments) and not text[comments[-1].end() : define.start()].strip()
            header.constants[define[1]] = (value, words(comments[-1][0]) if near else "")
        before = define.end()
    for doc, item in items(DIRECTIVE.sub("", text)):
        declare(header, doc, item)
    for struct in header.structs.values():
        lay_out(header, struct)
    return header


def declare(header: Header, doc: str, item: str) -> None:
    """Takes up one declaration."""
    item = COMMENT.sub("", item).strip()
    if struct := STRUCT.match(item):
        members = [" ".join(member.split()) for member in struct[2].split(";") if member.strip()]
        fields: list[tuple[str, str, int | None]] = []
        for member in members:
            parts = MEMBER.match(member)
            if not parts:
                raise HeaderError(f"{struct[1]}: cannot read the field '{member}'")
            length = parts[3] and (int(parts[3]) if parts[3].isdigit() else header.constants[parts[3]][0])
            fields.append((parts[2], parts[1], length or None))
        header.structs[struct[3]] = Struct(struct[3], doc, fields)
    elif opaque := re.match(r"typedef\s+struct\s+(\w+)\s+\1$", item):
        header.opaque.add(opaque[1])
    elif callback := CALLBACK.match(item):
        header.callbacks.add(callback[1])
    elif alias := re.match(r"typedef\s+(\w+)\s+(\w+)$", item):
        header.aliases[alias[2]] = alias[1]
    elif function := FUNCTION.match(item):
        parameters = [] if function[3].strip() in ("", "void") else function[3].split(",")
        result = " ".join(function[1].split())
        header.functions.append(Function(function[2], result, [" ".join(p.split()) for p in parameters]))
    elif item:
        raise HeaderError(f"cannot read: {item[:80]}")


def lay_out(header: Header, struct: Struct) -> None:
    """Works out size and alignment as a C compiler does."""
    offset = 0
    for _, ctype, length in struct.fields:
        if ctype in header.structs:
            inner = header.structs[ctype]
            if not inner.size:
                lay_out(header, inner)
            size, alignment = inner.size, inner.alignment
        else:
            size = alignment = header.scalar(ctype)[1]
        offset = -(-offset // alignment) * alignment + size * (length or 1)
        struct.alignment = max(struct.alignment, alignment)
    struct.size = -(-offset // struct.alignment) * struct.alignment


def argument(header: Header, declaration: str) -> str | None:
    """The ctypes type of a parameter or result; None for a callback, which Python leaves alone."""
    stars = declaration.count("*")
    bare = re.sub(r"\b(const|struct)\b|\*", " ", declaration).split()
    base = bare[0]
    if "(" in declaration or base in header.callbacks:
        return None
    if base == "void":
        return "c_void_p" if stars else "None"
    if base in header.opaque:
        return {1: "c_void_p", 2: "POINTER(c_void_p)"}[stars]
    if base == "char" and stars == 1:
        return "c_char_p" if "const" in declaration else "POINTER(c_char)"
    known = base if base in header.structs else header.scalar(base)[0]
    return f"POINTER({known})" if stars else known


def wrapped(indent: str, opening: str, members: list[str], closing: str) -> list[str]:
    """A list on one line where it fits, else one member a line."""
    line = f"{indent}{opening}{', '.join(members)}{closing}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}{opening}", *(f"{indent}    {member}," for member in members), f"{indent}{closing}"]


def first_sentence(doc: str) -> str:
    """What stands before the first full stop, short enough for a docstring."""
    sentence = re.split(r"(?<=[.])\s", doc.replace('"', "'"), maxsplit=1)[0].strip()
    return textwrap.shorten(sentence, 96, placeholder=" ...") or "See bartizan.h."


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts c_uint8 before c_uint32."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


BASE = '''

class OpenEnum(IntEnum):
    """An enumeration that a newer library may have added to: numbers unknown here become UNKNOWN_<number>."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member
'''


def enumerations(header: Header) -> tuple[list[str], list[str]]:
    """The classes, and what is left as plain constants."""
    members: dict[str, list[str]] = {}
    plain: list[str] = []
    for name, (value, doc) in header.constants.items():
        full = RENAMED.get(name, name)
        prefix = next((p for p in ENUMERATIONS if full.startswith(p)), None)
        comment = f"  # {first_sentence(doc)}" if doc else ""
        if prefix is None:
            plain.append(f"{name} = {value}")
        else:
            line = f"    {full.removeprefix(prefix)} = {value}"
            members.setdefault(prefix, []).append(line + comment if len(line + comment) <= WIDTH else line)
    lines: list[str] = []
    for prefix, (name, doc) in ENUMERATIONS.items():
        if prefix in members:
            lines += ["", "", f"class {name}(OpenEnum):", f'    """{doc}"""', "", *members[prefix]]
    return lines, plain


def structures(header: Header) -> list[str]:
    """The ctypes structures, and what must be true of their sizes."""
    lines: list[str] = []
    for struct in header.structs.values():
        lines += ["", "", f"class {struct.name}(Structure):", f'    """{first_sentence(struct.doc)}"""', ""]
        lines.append("    _fields_ = (")
        for name, ctype, length in struct.fields:
            base = ctype if ctype in header.structs else header.scalar(ctype)[0]
            lines.append(f'        ("{name}", {base}{f" * {length}" if length else ""}),')
        lines.append("    )")
    sizes = [f"{struct.name}: {struct.size}" for struct in header.structs.values()]
    lines += ["", "", "# What the C compiler makes of each; checked when the library is loaded."]
    return lines + wrapped("", "SIZES: dict[type[Structure], int] = {", sizes, "}")


def prototypes(header: Header) -> list[str]:
    """The function that tells ctypes what every function takes and returns."""
    lines = ["", "", "def declare(library: CDLL) -> None:"]
    lines.append('    """Tells ctypes what every function takes and returns. AttributeError: the library lacks one."""')
    for function in header.functions:
        arguments = [argument(header, parameter) for parameter in function.parameters]
        if None in arguments:
            lines.append(f"    # {function.name} takes a callback, which would be called on the library's threads.")
            continue
        result = argument(header, function.result)
        known = [a for a in arguments if a is not None]
        lines += wrapped("    ", f"library.{function.name}.argtypes = [", known, "]")
        lines.append(f"    library.{function.name}.restype = {result}")
    return lines


def abi(header: Header) -> str:
    """The text of ``_abi.py``."""
    classes, plain = enumerations(header)
    body = [*classes, "", *([""] if classes else []), *plain, *structures(header), *prototypes(header)]
    used = sorted(
        {name for name in re.findall(r"\b(?:c_\w+|POINTER|CDLL|Structure)\b", "\n".join(body))},
        key=lambda name: (not name.isupper(), not name[0].isupper(), natural(name)),
    )
    head = [
        "# Made by generate_abi.py from include/bartizan.h; not edited by hand.",
        '"""The C ABI as ctypes sees it: constants, structs, prototypes."""',
        "",
        "from __future__ import annotations",
        "",
        *wrapped("", "from ctypes import (", used, ")"),
        "from enum import IntEnum",
        "",
    ]
    if head[5].endswith(")"):
        head[5] = f"from ctypes import {', '.join(used)}"
    return "\n".join(head) + BASE + "\n".join(body) + "\n"


def metrics(header: Header) -> str:
    """The text of ``_metrics.py``."""
    sources, _ = enumerations(header)
    lines = [
        "# Made by generate_abi.py from include/bartizan_metrics.h; not edited by hand.",
        '"""The numbers of all metrics; docs/metrics.md says what each means."""',
        "",
        "from bartizan._abi import OpenEnum, Scope",
        *sources,
        "",
        "",
        "class Metric(OpenEnum):",
        '    """A metric. Its number is its scope\'s number times 1,000 plus its place in it, for ever."""',
        "",
        "    @property",
        "    def scope(self) -> Scope:",
        '        """What kind of thing has this metric."""',
        "        return Scope(self.value // 1000)",
        "",
    ]
    for name, (value, _) in header.constants.items():
        if not name.startswith("BTZ_SOURCE_"):
            lines.append(f"    {name.removeprefix('BTZ_METRIC_')} = {value}")
    return "\n".join(lines) + "\n"


def generate() -> dict[Path, str]:
    """What both files should hold."""
    main = parse((INCLUDE / "bartizan.h").read_text(encoding="utf-8"))
    table = parse((INCLUDE / "bartizan_metrics.h").read_text(encoding="utf-8"))
    return {PACKAGE / "_abi.py": abi(main), PACKAGE / "_metrics.py": metrics(table)}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make _abi.py and _metrics.py from the C headers.")
    parser.add_argument("--check", action="store_true", help="change nothing, say whether anything would change")
    check = parser.parse_args().check
    drifted = []
    for path, text in generate().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            drifted.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    for path in drifted:
        print(f"{path.relative_to(HERE)}: {'differs from the headers; run generate_abi.py' if check else 'written'}")
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main())
