"""Explicit beats environment beats file beats default; and mistakes name their place."""

from __future__ import annotations

import pytest

from agent import Settings, UsageError


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('expert = "patchcore"\nnotation = "mask"\nmax_looks = 1\n')
    return file


def test_the_nearest_source_wins_and_is_known(config, monkeypatch):
    monkeypatch.setenv("AGENT_EXPERT", "anomalib-patchcore")
    monkeypatch.setenv("AGENT_MAX_LOOKS", "3")
    settings = Settings.resolve({"max_looks": 5, "vlm_url": None}, config=config)
    assert (settings.max_looks, settings.origin("max_looks")) == (5, "explicit")
    assert (settings.expert, settings.origin("expert")) == ("anomalib-patchcore", "environment")
    assert (settings.notation, settings.origin("notation")) == ("mask", f"file {config}")
    assert (settings.cot, settings.origin("cot")) == (True, "default")
    assert settings.vlm_url is None


def test_a_wrong_value_names_its_variable(monkeypatch):
    monkeypatch.setenv("AGENT_MAX_LOOKS", "99")
    with pytest.raises(UsageError, match="AGENT_MAX_LOOKS"):
        Settings.resolve()


def test_an_unknown_name_in_a_file_is_a_mistake(tmp_path):
    (tmp_path / "s.toml").write_text("exprt = 'pair'\n")
    with pytest.raises(UsageError, match="exprt"):
        Settings.resolve(config=tmp_path / "s.toml")


@pytest.mark.parametrize("content", ["not toml at all [", "\x00\x01"])
def test_a_file_that_is_no_toml(tmp_path, content):
    (tmp_path / "s.toml").write_text(content)
    with pytest.raises(UsageError, match=r"s\.toml"):
        Settings.resolve(config=tmp_path / "s.toml")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        Settings.resolve(config=tmp_path / "none.toml")


def test_a_settings_file_in_the_working_directory_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "settings.toml").write_text('vlm_url = "http://stranger:1/v1"\n')
    monkeypatch.chdir(tmp_path)
    assert Settings.resolve().vlm_url is None


def test_the_key_is_never_shown(monkeypatch):
    monkeypatch.setenv("AGENT_VLM_KEY", "s3cret-value")
    assert "s3cret-value" not in repr(Settings.resolve())
