"""How commands fail: one clear line, the right exit code, never a traceback, nothing changed."""

import pytest

from align import __version__


@pytest.fixture(scope="module")
def org(cli) -> str:
    cli.run("orgs", "create", "Acme")
    cli.run("users", "create", "Acme", "--email", "ada@acme.example", "--name", "Ada")
    return "Acme"


def test_version_and_help_need_no_database(cli, tmp_path):
    assert cli.run("--version").stdout == f"align {__version__}\n"
    assert "time_tracking" in cli.run("orgs", "create", "--help", ALIGN_DATA_DIR=str(tmp_path / "x")).stdout
    assert not list(tmp_path.iterdir())


def test_a_name_that_can_not_be_stored(cli):
    failure = cli.failure("orgs", "create", b"a\xffb")
    assert failure["error"] == "refused"
    assert failure["message"].startswith("name holds a control character")


def test_what_is_refused_is_told_in_one_line(cli, org):
    process = cli.run("users", "create", org, "--email", "ada", "--name", "Ada", expect=1)
    assert process.stdout == ""
    assert process.stderr == "Error: email 'ada' is not an address such as ada@example.com\n"
    process = cli.run("projects", "status", org, "Nothing", "archived", expect=1)
    assert process.stderr == "Error: no project is called 'Nothing'; see: align projects list ORG\n"


def test_a_key_that_is_not_found_is_not_repeated(cli, org):
    text = "ako_" + "0" * 38
    failure = cli.failure("keys", "revoke", org, text)
    assert failure["error"] == "not_found"
    assert text not in failure["message"]


MINT = ["keys", "mint", "Acme", "--name", "x", "--created-by", "ada@acme.example"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["users", "create", "Acme", "--email", "b@acme.example"],
        ["users", "create", "Acme", "--email", "b@acme.example", "--name", "B", "--role", "boss"],
        ["orgs", "strict", "Acme", "perhaps"],
        ["orgs", "features", "Acme", "time_tracking"],
        ["orgs", "list", "--data-dir", ""],
        [*MINT, "--rate-limit", "0"],
        [*MINT, "--rate-limit", "5", "--unlimited"],
        [*MINT, "--expires-at", "2020-01-01T00:00:00Z"],
        [*MINT, "--expires-at", "2199-01-01"],
        [*MINT, "--expires-at", "2199-01-01T00:00:00Z", "--expires-in-days", "3"],
        ["keys", "rate-limit", "Acme", "ako_000000", "-1"],
        ["keys", "rate-limit", "Acme", "ako_000000", "10000001"],
    ],
)
def test_wrong_usage(cli, arguments):
    assert cli.failure(*arguments, expect=2)["error"] == "usage"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"ALIGN_PROT": "1"}, "ALIGN_PROT is not a setting; did you mean ALIGN_PORT?"),
        ({"ALIGN_DATABASE_URL": "s3cret"}, "ALIGN_DATABASE_URL is not a URL"),
    ],
)
def test_wrong_settings(cli, setting, expected):
    failure = cli.failure("orgs", "list", expect=2, **setting)
    assert failure["error"] == "invalid_settings"
    assert failure["message"].startswith(expected)


def test_a_database_that_can_not_be_reached(cli, tmp_path):
    failure = cli.failure("orgs", "list", expect=3, ALIGN_DATABASE_URL="postgresql://nobody:s3cret@127.0.0.1:1/nothing")
    assert failure["error"] == "database_unusable"
    assert "s3cret" not in failure["message"]


def test_a_data_directory_that_can_not_be_used(cli, tmp_path):
    (tmp_path / "file").write_text("")
    process = cli.run("orgs", "list", "--data-dir", str(tmp_path / "file" / "data"), expect=3)
    assert process.stderr.startswith(f"Error: the data directory {tmp_path / 'file' / 'data'} can't be used")


def test_a_reader_that_leaves_early_is_no_failure_of_ours(cli, org):
    with cli.start("orgs", "list") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
