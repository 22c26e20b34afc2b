"""Secrets at rest: sealed with a key that the database never holds, and the file where that key may be kept."""

import multiprocessing
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from align import sealing
from align.sealing import KEY_FILE, Sealer, Unsealable, key_in
from align.settings import InvalidSettings, Settings
from align.webhooks.running import sealer_of

OLD, NEW = "o" * 32, "n" * 32


def test_what_is_sealed_shows_nothing_and_opens_again():
    sealer = Sealer(OLD)
    sealed = sealer.seal("whsec_secret")
    assert b"whsec_secret" not in sealed
    assert sealer.open(sealed) == "whsec_secret"
    assert sealer.seal("whsec_secret") != sealed


def test_another_key_opens_nothing_and_says_so_without_showing_a_key():
    sealed = Sealer(OLD).seal("whsec_secret")
    with pytest.raises(Unsealable, match="ALIGN_SECRET_KEY") as refused:
        Sealer(NEW).open(sealed)
    assert OLD not in str(refused.value)
    assert NEW not in str(refused.value)


@pytest.mark.parametrize("index", [0, 20, -1])
def test_a_changed_byte_is_noticed(index):
    sealed = bytearray(Sealer(OLD).seal("whsec_secret"))
    sealed[index] ^= 1
    with pytest.raises(Unsealable):
        Sealer(OLD).open(bytes(sealed))


def test_a_key_is_replaced_by_putting_a_new_one_before_it():
    before = Sealer(OLD).seal("sealed before")
    both = Sealer(f"{NEW}, {OLD}")
    assert both.open(before) == "sealed before"
    after = both.seal("sealed after")
    assert Sealer(NEW).open(after) == "sealed after"
    with pytest.raises(Unsealable):
        Sealer(OLD).open(after)
    with pytest.raises(Unsealable):
        Sealer(NEW).open(before)


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path):
    directory = tmp_path / "not" / "there"
    key = key_in(directory)
    assert key_in(directory) == key
    assert len(bytes.fromhex(key)) == 32
    assert stat.S_IMODE((directory / KEY_FILE).stat().st_mode) == 0o600
    assert [each.name for each in directory.iterdir()] == [KEY_FILE]
    assert key_in(tmp_path / "another") != key


def test_a_wide_open_umask_opens_nothing(tmp_path):
    old = os.umask(0)
    try:
        key_in(tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_many_starts_of_one_process_get_one_key(tmp_path):
    with ThreadPoolExecutor(32) as threads:
        keys = set(threads.map(lambda _: key_in(tmp_path), range(32)))
    assert len(keys) == 1
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


def test_many_processes_get_one_key(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        keys = set(processes.map(key_in, [tmp_path] * 8, chunksize=1))
    assert keys == {(tmp_path / KEY_FILE).read_text()}


def test_what_an_earlier_start_left_half_written_is_in_nobodys_way(tmp_path):
    for suffix in (str(os.getpid()), "1", "tmp"):
        (tmp_path / f"secret.{suffix}").write_text("ha")
        (tmp_path / f"{KEY_FILE}.{suffix}").write_text("ha")
    assert len(key_in(tmp_path)) == 64


def test_a_start_that_fails_while_writing_leaves_no_key(tmp_path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(sealing.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            key_in(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(key_in(tmp_path)) == 64


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_a_file_that_holds_no_key_is_not_replaced_but_told(tmp_path, content):
    path = tmp_path / KEY_FILE
    path.write_text(content)
    with pytest.raises(InvalidSettings, match="holds no key") as told:
        key_in(tmp_path)
    assert str(path) in str(told.value)
    assert path.read_text() == content


def test_the_setting_wins_over_the_file_and_a_database_of_ones_own_has_no_file(tmp_path):
    def settings(**given: object) -> Settings:
        return Settings(data_dir=tmp_path, **given)

    own = settings(database_url="postgresql://somewhere/align")
    assert sealer_of(own) is None
    assert list(tmp_path.iterdir()) == []
    sealed = Sealer(OLD).seal("text")
    for given in ({"secret_key": OLD}, {"secret_key": OLD, "database_url": "postgresql://somewhere/align"}):
        sealer = sealer_of(settings(**given))
        assert sealer is not None
        assert sealer.open(sealed) == "text"
    assert list(tmp_path.iterdir()) == []
    made = sealer_of(settings())
    assert made is not None
    assert Sealer(Path(tmp_path, KEY_FILE).read_text()).open(made.seal("text")) == "text"
