"""The examples and the README's programs, run as a reader would run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import LONG_S, MiniVm

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[2] / "examples" / "python"
PROGRAMS = re.findall(r"```python\n(.*?)```", (HERE.parent / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", ["watch.py", "watch_async.py"])
def test_an_example_tells_of_a_killed_vm(name: str, start_vm: Callable[..., MiniVm], tmp_path: Path) -> None:
    config = tmp_path / "quick.toml"
    config.write_text("[sampling]\ninterval_ms = 100\n[alerts]\nper_rule_per_minute_max = 10000\n", encoding="utf-8")
    vms = [start_vm()]
    process = subprocess.Popen([sys.executable, EXAMPLES / name, config], stdout=subprocess.PIPE, text=True)
    alarm = threading.Timer(2 * LONG_S, process.kill)
    alarm.start()
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            # Said every few seconds: by the second time at the latest, the first VM has been seen.
            if line.startswith("-- "):
                vms[-1].kill()
                vms.append(start_vm())
            if "is gone" in line and any(vm.name in line for vm in vms):
                break
        else:
            pytest.fail(f"the example ended without telling: {said[-20:]}")
        process.send_signal(signal.SIGINT)
        # To its end: it may be saying something just now, and a closed pipe would be its failure.
        process.stdout.read()
        process.stdout.close()
        assert process.wait(LONG_S) == 0
    finally:
        alarm.cancel()
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["watch.py", "watch_async.py"])
def test_an_example_tells_what_is_wrong_with_its_configuration(name: str, tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text("[sampling]\nintervall_ms = 100\n", encoding="utf-8")
    done = subprocess.run([sys.executable, EXAMPLES / name, config], capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 1
    assert "wrong.toml:2" in done.stderr and "Traceback" not in done.stderr


def test_the_example_that_records_verifies_what_it_recorded(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "record.py"), str(tmp_path / "ledger"), "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 0 and "PROVEN: records 0 to " in done.stdout, (done.stdout, done.stderr)
    damaged = tmp_path / "ledger" / "segments" / "0000000000000000.btzl"
    damaged.write_bytes(damaged.read_bytes().replace(b"watching", b"watChing"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == 1 and done.stderr.startswith("DamagedError: "), done.stderr


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_readme_s_programs_run(number: int) -> None:
    assert len(PROGRAMS) >= 4
    # Alerts of the host would keep the loops going: what is shown ends when it is quiet for a moment.
    program = PROGRAMS[number].replace("timeout=5", "timeout=0.2")
    clean = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG_S, env=clean)
    assert done.returncode == 0, done.stderr
