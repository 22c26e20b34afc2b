"""Reading the settings: strict with names and values, and the same as docs/settings.md says."""

from pathlib import Path
from typing import get_type_hints

import msgspec
import platformdirs
import pytest

from align import settings
from align.settings import InvalidSettings, Settings
from tests.docs.markdown import ROOT, section, table

FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}


def shown_default(field: msgspec.structs.FieldInfo) -> str:
    """As the documentation writes it."""
    if field.default is msgspec.NODEFAULT:
        return "the user's data directory"
    return "none" if field.default is None else str(field.default)


def test_the_documentation_lists_every_setting_as_it_is():
    hints = get_type_hints(Settings, include_extras=True)
    expected = [
        [
            settings.variable_of(name),
            shown_default(field),
            settings.allowed(name),
            hints[name].__metadata__[0].description,
        ]
        for name, field in FIELDS.items()
    ]
    assert table(section(ROOT / "docs" / "settings.md", "# Settings")) == expected


def test_an_empty_environment_gives_the_defaults():
    loaded = settings.load({"HOME": "/home/somebody", "PATH": "/bin"})
    assert loaded == Settings(data_dir=platformdirs.user_data_path("align"))
    defaults = {name: field.default for name, field in FIELDS.items() if field.default is not msgspec.NODEFAULT}
    assert {name: getattr(loaded, name) for name in defaults} == defaults


GIVEN = {
    "data_dir": ("/srv/align", Path("/srv/align")),
    "database_url": ("postgres://somebody@host/name", "postgres://somebody@host/name"),
    "host": ("::1", "::1"),
    "port": ("0", 0),
    "workers": ("64", 64),
    "database_connections": ("500", 500),
    "redis_url": ("rediss://host", "rediss://host"),
    "rate_limit_per_minute": ("10000000", 10_000_000),
    "log_format": ("json", "json"),
    "access_log": ("none", "none"),
    "event_retention_days": ("0", 0),
    "shutdown_grace_seconds": ("1", 1),
    "api_key": ("ako_x", "ako_x"),
    "secret_key": ("k" * 32, "k" * 32),
    "webhook_worker": ("false", False),
    "webhook_allow_http": ("true", True),
    "webhook_allowed_networks": ("10.1.0.0/16, ::1", "10.1.0.0/16, ::1"),
}


def test_every_setting_can_be_given():
    assert set(GIVEN) == set(FIELDS)
    loaded = settings.load({settings.variable_of(name): text for name, (text, _) in GIVEN.items()})
    assert {name: getattr(loaded, name) for name in FIELDS} == {name: value for name, (_, value) in GIVEN.items()}


def test_set_but_empty_means_not_set():
    assert settings.load({settings.variable_of(name): "" for name in FIELDS}) == settings.load({})


def test_options_win_over_variables_unless_they_are_not_given():
    environment = {"ALIGN_PORT": "1000", "ALIGN_HOST": "::"}
    loaded = settings.load(environment, port=2000, host=None, data_dir="elsewhere")
    assert (loaded.port, loaded.host, loaded.data_dir) == (2000, "::", Path.cwd() / "elsewhere")


def test_a_home_directory_is_filled_in(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert settings.load({"ALIGN_DATA_DIR": "~/align"}).data_dir == Path("/home/somebody/align")


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("ALIGN_PROT", "ALIGN_PROT is not a setting; did you mean ALIGN_PORT?"),
        ("ALIGN_DATABASE_URI", "ALIGN_DATABASE_URI is not a setting; did you mean ALIGN_DATABASE_URL?"),
        ("ALIGN_port", "ALIGN_port is not a setting; did you mean ALIGN_PORT?"),
        ("ALIGN_", "ALIGN_ is not a setting"),
        ("ALIGN_SOMETHING_QUITE_DIFFERENT", "ALIGN_SOMETHING_QUITE_DIFFERENT is not a setting; see docs/settings.md"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_closest_one(variable, told):
    with pytest.raises(InvalidSettings) as refused:
        settings.load({variable: "1"})
    assert str(refused.value).startswith(told)


def test_an_unknown_variable_is_refused_even_when_it_is_empty():
    with pytest.raises(InvalidSettings):
        settings.load({"ALIGN_PROT": ""})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "80a"),
        ("port", "80.5"),
        ("workers", "0"),
        ("workers", "two"),
        ("database_connections", "501"),
        ("rate_limit_per_minute", "0"),
        ("log_format", "JSON"),
        ("access_log", "true"),
        ("shutdown_grace_seconds", "601"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(name, text):
    variable = settings.variable_of(name)
    told = f"{variable}={text}: must be {settings.allowed(name)}"
    with pytest.raises(InvalidSettings) as refused:
        settings.load({variable: text})
    assert str(refused.value) == told
    with pytest.raises(InvalidSettings, match=f"^--{name.replace('_', '-')}="):
        settings.load({}, **{name: text})


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
@pytest.mark.parametrize("text", ["s3cret", "http://a:s3cret@host", "mysql://a:s3cret@host/b"])
def test_a_wrong_url_is_refused_without_repeating_its_password(name, text):
    with pytest.raises(InvalidSettings) as refused:
        settings.load({settings.variable_of(name): text})
    assert str(refused.value).startswith(f"{settings.variable_of(name)} is not a URL such as ")
    assert "s3cret" not in str(refused.value)


def test_settings_can_not_be_changed_after_they_were_read():
    with pytest.raises(AttributeError):
        settings.load({}).port = 1
