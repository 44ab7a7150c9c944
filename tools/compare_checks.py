#!/usr/bin/env python3
"""Compares verdicts of `bartizan check --json` with other tools' on this host, fact by fact.

Every tool's native result is mapped to the name of the fact it is about (`sysctl:kernel.kptr_restrict`,
`cpu-vuln:mds`, `kconfig:CONFIG_X`, `module:sctp`, ...). For each fact that two tools share the verdicts agree, or they
differ for one cause of a fixed list:

  runtime-vs-persisted  one speaks of the running kernel, the other of what the files say
  not-affected-as-fail  the kernel says that this CPU is not affected
  stale-table           the tool's own table of CPUs or kernels is older than the kernel's
  wrong-kernel          the tool looked at another kernel's configuration
  role-dependent        both are right, for hosts of different roles or with different ideas of enough
  their-bug             the tool is wrong; the raw text is beside it
  our-bug               everything that nobody has explained

Usage: compare_checks.py --ours FILE --results DIR [--explained FILE] [--out FILE.tsv]
Exits with 1 when an `our-bug` is left.
"""

import argparse
import json
import pathlib
import re
import sys
import tomllib
from collections import defaultdict

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"
CAUSES = [
    "runtime-vs-persisted",
    "not-affected-as-fail",
    "stale-table",
    "wrong-kernel",
    "role-dependent",
    "their-bug",
    "our-bug",
]
# Which file of /sys/devices/system/cpu/vulnerabilities a CVE is told in (Documentation/admin-guide/hw-vuln).
CVE_FILES = {
    "CVE-2017-5753": "spectre_v1",
    "CVE-2017-5715": "spectre_v2",
    "CVE-2017-5754": "meltdown",
    "CVE-2018-3639": "spec_store_bypass",
    "CVE-2018-3620": "l1tf",
    "CVE-2018-3646": "l1tf",
    "CVE-2018-12126": "mds",
    "CVE-2018-12127": "mds",
    "CVE-2018-12130": "mds",
    "CVE-2019-11091": "mds",
    "CVE-2019-11135": "tsx_async_abort",
    "CVE-2018-12207": "itlb_multihit",
    "CVE-2020-0543": "srbds",
    "CVE-2022-40982": "gather_data_sampling",
    "CVE-2023-20569": "spec_rstack_overflow",
    "CVE-2023-20593": "zenbleed",
    "CVE-2023-23583": "reptar",
    "CVE-2023-28746": "reg_file_data_sampling",
    "CVE-2022-29900": "retbleed",
    "CVE-2022-29901": "retbleed",
}
# checksec's names for facts that have other names here.
CHECKSEC_KERNEL = {
    "randomize_va_space": ("sysctl:kernel.randomize_va_space", {"full": PASS}),
    "protect_symlinks": ("sysctl:fs.protected_symlinks", {"yes": PASS}),
    "protect_hardlinks": ("sysctl:fs.protected_hardlinks", {"yes": PASS}),
    "protect_fifos": ("sysctl:fs.protected_fifos", {"yes": PASS}),
    "protect_regular": ("sysctl:fs.protected_regular", {"yes": PASS}),
    "gcc_stack_protector_strong": ("kconfig:CONFIG_STACKPROTECTOR_STRONG", {"yes": PASS}),
    "slab_freelist_randomization": ("kconfig:CONFIG_SLAB_FREELIST_RANDOM", {"yes": PASS}),
    "virtually_mapped_stack": ("kconfig:CONFIG_VMAP_STACK", {"yes": PASS}),
    "hardened_usercopy": ("kconfig:CONFIG_HARDENED_USERCOPY", {"yes": PASS}),
    "fortify_source": ("kconfig:CONFIG_FORTIFY_SOURCE", {"yes": PASS}),
    "random_address_space_layout": ("kconfig:CONFIG_RANDOMIZE_BASE", {"yes": PASS}),
}
# Lynis' tests that are about one fact of ours; a test that is not reported was passed.
LYNIS_TESTS = {
    "NETW-3200": lambda text: [f"module:{m}" for m in re.findall(r"protocol '(\w+)'", text)],
    "USB-1000": lambda text: ["module:usb-storage"],
    "STRG-1846": lambda text: ["module:firewire-core"],
    "KRNL-5830": lambda text: ["patch:reboot"],
    "ACCT-9628": lambda text: ["audit:running"],
}


class Facts:
    """Verdicts by fact and tool."""

    def __init__(self):
        self.by_fact = defaultdict(dict)

    def put(self, tool, fact, verdict, observed, native):
        """A fact that a tool judges several times fails if one of them fails."""
        known = self.by_fact[fact].get(tool)
        if known is None or verdict == FAIL:
            self.by_fact[fact][tool] = (verdict, str(observed), native)


def read_ours(path):
    """Our findings by fact: verdict of the whole, and of each facet."""
    ours = defaultdict(list)
    for line in path.read_text().splitlines():
        finding = json.loads(line)
        if finding["subject"]["kind"] != "host":
            continue
        facets = {facet["facet"]: facet["verdict"] for facet in finding["facets"]}
        for fact in finding["fact_keys"]:
            # What the file says is the persisted side of the same fact.
            ours[fact.replace("sysctl.d:", "sysctl:").replace("modprobe.d:", "module:")].append(
                {"check": finding["check_id"], "verdict": finding["verdict"], "facets": facets, "observed": finding["observed"]}
            )
    return ours


def read_lynis(facts, folder):
    report = folder / "lynis-report.dat"
    profile = pathlib.Path("/etc/lynis/default.prf")
    if not report.exists():
        return
    differing = {}
    for line in report.read_text(errors="replace").splitlines():
        if match := re.match(r"details\[\]=KRNL-6000\|sysctl\|.*?field:(.*?);prefval:(.*?);value:(.*?);", line):
            differing[match[1]] = match[3]
        if match := re.match(r"(?:suggestion|warning)\[\]=([A-Z]+-\d+)\|(.*)", line):
            for fact in LYNIS_TESTS.get(match[1], lambda text: [])(match[2]):
                facts.put("lynis", fact, FAIL, match[2].split("|")[0], match[1])
    for line in profile.read_text().splitlines() if profile.exists() else []:
        if match := re.match(r"config-data=sysctl;([^;]+);([^;]+);", line):
            name = match[1]
            path = pathlib.Path("/proc/sys") / name.replace(".", "/")
            if path.exists():
                verdict = FAIL if name in differing else PASS
                facts.put("lynis", f"sysctl:{name}", verdict, differing.get(name, f"as wanted: {match[2]}"), "KRNL-6000")


def read_spectre(facts, folder):
    path = folder / "spectre-meltdown-checker.json"
    if not path.exists():
        return
    for item in json.loads(path.read_text()):
        verdict = UNKNOWN if item["VULNERABLE"] is None else FAIL if item["VULNERABLE"] else PASS
        fact = f"cpu-vuln:{CVE_FILES.get(item['CVE'], item['CVE'])}"
        facts.put("spectre-meltdown-checker", fact, verdict, item["INFOS"], item["CVE"])


def read_checksec(facts, folder):
    path = folder / "checksec.json"
    if not path.exists():
        return
    kernel = json.loads(path.read_text())["kernel"]
    for native, (fact, good) in CHECKSEC_KERNEL.items():
        if native in kernel:
            facts.put("checksec", fact, good.get(kernel[native], FAIL), kernel[native], native)


def read_virt_host_validate(facts, folder):
    path = folder / "virt-host-validate.txt"
    if not path.exists():
        return
    names = {"IOMMU support": "iommu:active", "hardware virtualization": "kvm:usable", "device /dev/kvm": "kvm:usable"}
    for line in path.read_text().splitlines():
        for words, fact in names.items():
            if words in line:
                verdict = PASS if ": PASS" in line else FAIL if ": FAIL" in line else UNKNOWN
                facts.put("virt-host-validate", fact, verdict, line.split(" : ", 1)[-1].strip(), words)


def read_systemd(facts, folder):
    """Its verdicts are about units: shown as facts that nobody else judges."""
    for path in sorted(folder.glob("systemd-*.json")):
        try:
            items = json.loads(path.read_text())
        except json.JSONDecodeError:
            continue
        for item in items:
            if item.get("set") is not None:
                unit = path.stem.removeprefix("systemd-")
                fact = f"unit:{unit}:{item.get('json_field', item.get('name'))}"
                facts.put("systemd-analyze", fact, PASS if item["set"] else FAIL, item.get("description"), item.get("name"))


def raw_text(fact):
    """What the kernel itself says of a fact, where it says it in one file."""
    kind, _, name = fact.partition(":")
    path = {
        "sysctl": lambda: pathlib.Path("/proc/sys") / name.replace(".", "/"),
        "cpu-vuln": lambda: pathlib.Path("/sys/devices/system/cpu/vulnerabilities") / name,
    }.get(kind)
    try:
        return path().read_text().strip() if path else ""
    except OSError as error:
        return f"({error.strerror})"


def cause(fact, ours, theirs, tool, explained):
    """Why two verdicts differ; `our-bug` until somebody has shown otherwise."""
    verdict, observed, _ = theirs
    for entry in explained:
        if re.fullmatch(entry["fact"], fact) and entry["tool"] == tool and re.search(entry.get("raw", ""), raw_text(fact)):
            return entry["cause"], entry["why"]
    if any(verdict in finding["facets"].values() and len(set(finding["facets"].values())) > 1 for finding in ours):
        return "runtime-vs-persisted", "ours has both"
    raw = raw_text(fact)
    if fact.startswith("cpu-vuln:") and raw.startswith("Not affected") and verdict == FAIL:
        return "not-affected-as-fail", raw
    if fact.startswith("cpu-vuln:") and ((verdict == PASS) != (not raw.startswith("Vulnerable"))):
        return "stale-table", f"the kernel: {raw}; {tool}: {observed}"
    return "our-bug", f"ours: {ours[0]['observed']}; {tool}: {observed}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--ours", type=pathlib.Path, required=True)
    arguments.add_argument("--results", type=pathlib.Path, required=True)
    arguments.add_argument("--explained", type=pathlib.Path)
    arguments.add_argument("--out", type=pathlib.Path)
    options = arguments.parse_args()
    ours = read_ours(options.ours)
    facts = Facts()
    for read in (read_lynis, read_spectre, read_checksec, read_virt_host_validate, read_systemd):
        read(facts, options.results)
    explained = tomllib.loads(options.explained.read_text())["explained"] if options.explained else []

    def fold(verdict):
        return PASS if verdict == "not-applicable" else verdict

    rows, counts = [], defaultdict(lambda: defaultdict(int))
    for fact, tools in sorted(facts.by_fact.items()):
        for tool, theirs in sorted(tools.items()):
            mine = ours.get(fact)
            if not mine:
                counts[tool]["ONLY-THEM"] += 1
                continue
            verdicts = {fold(finding["verdict"]) for finding in mine}
            mine_word = FAIL if FAIL in verdicts else UNKNOWN if UNKNOWN in verdicts else PASS
            if mine_word == fold(theirs[0]):
                counts[tool]["AGREE"] += 1
                continue
            if theirs[0] == UNKNOWN or mine_word == UNKNOWN:
                counts[tool]["ONE-UNKNOWN"] += 1
                continue
            why, detail = cause(fact, mine, theirs, tool, explained)
            counts[tool][why] += 1
            rows.append((why, fact, tool, mine_word, theirs[0], raw_text(fact), detail))
    columns = ["AGREE", "ONLY-THEM", "ONE-UNKNOWN", *CAUSES]
    print("tool".ljust(26) + "".join(column.rjust(len(column) + 2) for column in columns))
    for tool in sorted(counts):
        print(tool.ljust(26) + "".join(str(counts[tool][column]).rjust(len(column) + 2) for column in columns))
    only_us = [fact for fact in ours if fact not in facts.by_fact]
    print(f"\nfacts judged by us alone: {len(only_us)} of {len(ours)}")
    if rows:
        print("\ndisagreements (cause, fact, tool, ours, theirs, raw text, why):")
        for row in sorted(rows):
            print("  " + " | ".join(str(cell) for cell in row))
    if options.out:
        lines = ["cause\tfact\ttool\tours\ttheirs\traw\twhy", *("\t".join(map(str, row)) for row in sorted(rows))]
        options.out.write_text("\n".join(lines) + "\n")
    return 1 if any(row[0] == "our-bug" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
