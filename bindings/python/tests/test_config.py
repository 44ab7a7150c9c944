"""Configurations: all forms, and mistakes with their line and cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bartizan import Agent, Config, ConfigError, RestartRequiredError
from conftest import SMALL


def test_all_forms_of_one_configuration_are_equal(tmp_path: Path) -> None:
    text = (
        "[sampling]\ninterval_ms = 250\n"
        '[[rules]]\nname = "r"\nsummary = "s \\" é"\nmetric = "host_forks"\nabove = 2.5\n'
    )
    file = tmp_path / "bartizan.toml"
    file.write_text(text, encoding="utf-8")
    mapping = {
        "sampling": {"interval_ms": 250},
        "rules": [{"name": "r", "summary": 's " é', "metric": "host_forks", "above": 2.5}],
    }
    loaded = [Config.load(source) for source in (text, file, mapping)]
    assert loaded[0] == loaded[1] == loaded[2] == Config.load(loaded[0])
    assert len(bytes.fromhex(loaded[0].fingerprint)) == 32
    assert loaded[0] != Config.load()
    assert "interval_ms = 250" in loaded[0].toml


def test_drop_ins_are_read(tmp_path: Path) -> None:
    file = tmp_path / "bartizan.toml"
    file.write_text("[sampling]\ninterval_ms = 250\n", encoding="utf-8")
    (tmp_path / "bartizan.toml.d").mkdir()
    (tmp_path / "bartizan.toml.d" / "50-quick.toml").write_text("[sampling]\ninterval_ms = 100\n", encoding="utf-8")
    assert Config.load(file) == Config.load({"sampling": {"interval_ms": 100}})


def test_memory_is_told_beforehand() -> None:
    few, many = (Config.load({"limits": {"vms": vms}}).memory_bytes for vms in (16, 4096))
    assert 0 < few < many
    agent = Agent({"limits": {"vms": 16}}, threads=False)
    assert agent.cost().memory_reserved_bytes >= few
    agent.close()


def test_bad_toml_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"configuration:3:\d+: ") as caught:
        Agent("[sampling]\ninterval_ms = 100\nslow_every_ticks = [\n")
    assert caught.value.status.name == "CONFIG"


def test_an_unknown_key_is_told_with_its_line_and_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r":2:\d+: .*intervall_ms.*interval_ms"):
        Agent("[sampling]\nintervall_ms = 100\n")


def test_mistakes_in_a_file_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "host.toml"
    file.write_text("[limits]\nvms = 'many'\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"host\.toml:2:\d+: "):
        Agent(file)
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        Agent(tmp_path / "absent.toml")


def test_the_line_of_a_mapping_s_mistake_can_be_looked_up() -> None:
    with pytest.raises(ConfigError, match=r":2:\d+: ") as caught:
        Agent({"sampling": {"interval_ms": 100, "slow_every": 3}})
    assert caught.value.toml is not None
    assert "slow_every" in caught.value.toml.splitlines()[1]


def test_the_name_of_a_file_as_str_is_told_apart() -> None:
    with pytest.raises(ConfigError, match=r"pathlib\.Path"):
        Agent("/etc/bartizan/bartizan.toml")


@pytest.mark.parametrize("source", [{"rules_off": [None]}, {"sampling": {"interval_ms": object()}}, {1: 2}])
def test_what_toml_cannot_say_is_refused(source: dict[Any, Any]) -> None:
    with pytest.raises(ConfigError):
        Config.load(source)
    with pytest.raises(TypeError):
        Config.load(3)  # type: ignore[arg-type]


def test_texts_with_every_control_character_arrive_unchanged() -> None:
    odd = "".join(chr(c) for c in (*range(1, 32), 127, 0x85, 0x2028)) + "\U0001f600\\\"'"
    mapping = {"rules": [{"name": "odd", "summary": "s", "description": odd, "metric": "host_forks", "above": 1}]}
    agent = Agent({**SMALL, **mapping}, threads=False)
    told = next(rule.description for rule in agent.rules() if rule.name == "odd")
    agent.close()
    assert told == odd


def test_reload_takes_up_rules_and_keeps_the_old_ones_when_refused(shipped: list[str]) -> None:
    def enabled(agent: Agent) -> list[str]:
        return [rule.name for rule in agent.rules() if rule.enabled and not rule.shipped]

    own = {"name": "mine", "summary": "s", "metric": "host_forks", "above": 1}
    agent = Agent(SMALL, threads=False)
    agent.reload({**SMALL, "rules": [own]})
    agent.maintain()
    agent.step()
    assert enabled(agent) == ["mine"]
    with pytest.raises(ConfigError, match="no_such_metric"):
        agent.reload({**SMALL, "rules": [{**own, "metric": "no_such_metric"}]})
    with pytest.raises(RestartRequiredError, match="limits"):
        agent.reload({**SMALL, "limits": {"vms": 17}})
    agent.maintain()
    agent.step()
    assert enabled(agent) == ["mine"]
    agent.close()
