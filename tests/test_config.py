"""Settings: sources, precedence, and errors that name file, key and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from turbo_tui.config import (
    Caps,
    ModelSettings,
    Settings,
    load_plain,
    load_settings,
    paths,
)
from turbo_tui.config.writing import save_models
from turbo_tui.core.command import MIB
from turbo_tui.core.errors import ConfigError
from turbo_tui.trust import project_files

FILE = Path("config.toml")


def settings_of(
    tmp_path: Path,
    user: str = "",
    project: str = "",
    *,
    trusted: bool = False,
    env: dict[str, str] | None = None,
    dotenv: str = "",
) -> Settings:
    user_file = tmp_path / "config.toml"
    workspace = tmp_path / "ws"
    (workspace / ".turbo").mkdir(parents=True)
    user_file.write_text(user)
    (workspace / ".turbo" / "config.toml").write_text(project)
    (workspace / ".env").write_text(dotenv)
    return load_settings(
        user_file,
        project=workspace,
        contents=project_files(workspace).contents,
        trusted=trusted,
        environment=env or {},
    )


def test_without_any_file_there_is_no_model_and_the_caps_are_safe(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "none.toml", environment={})

    assert not settings.planner.configured
    assert not settings.executor.configured
    assert settings.caps == Caps()


def test_a_model_in_the_users_file_counts_as_named_by_the_user(tmp_path: Path) -> None:
    text = '[planner]\nkind = "ollama"\nbase_url = "http://127.0.0.1:11434"\nmodel = "m"\n'
    settings = settings_of(tmp_path, text)

    assert settings.planner.configured
    assert settings.planner.origin == "file"
    assert settings.executor.origin == "none"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[planer]\n", "unknown section [planer]. Did you mean 'planner'?"),
        ("[planner]\nmodle = 'x'\n", "[planner] has no setting 'modle'. Did you mean 'model'?"),
        ("[caps]\nmax_turns = 'many'\n", "[caps] max_turns = 'many' cannot be used; give a whole"),
        ("[caps]\nmax_turns = true\n", "give a whole number above 0"),
        ("[caps]\nmax_usd = -1\n", "give a number of US dollars above 0"),
        ("[planner]\nbase_url = 'localhost'\n", "give an address such as"),
        ("[planner]\nbase_url = 'https://'\n", "give an address such as"),
        ("[planner]\nbase_url = 'http://my host'\n", "give an address such as"),
        ("[planner]\nbase_url = 'http://[::1'\n", "give an address such as"),
        ("[planner]\nkind = 'gpt'\n", 'give one of "openai", "ollama", "anthropic"'),
        ("[planner]\nmodel = 'm'\n", "model is given without base_url"),
        ("[planner]\nkind = 'openai'\nmodel = 'm'\n", 'and kind = "openai" with the key_env'),
        ("[planner]\nmodel = 'm'\nkey_env = 'KEY'\n", "add the server's address"),
        ("[planner]\nkey = 'sk-1'\n", "keys are not kept in files"),
        ("planner = 3\n", "write [planner] on a line of its own"),
        ("[sandbox]\nrung = 'none'\n", "give one of auto, overlay+bubblewrap"),
        ("[caps\n", "is not valid TOML"),
        ("rules = 3\n", "begin each with [[rules]]"),
        ("rules = [3]\n", "rule 1 must be a table"),
        ("[[rules]]\neffect = 'maybe'\n", "effect = 'maybe'; give"),
        ("[[rules]]\neffect = 'deny'\nkind = 'x'\n", "kind = 'x'; give"),
        ("[[rules]]\neffect = 'deny'\nkind = 'host'\npattern = []\n", "give a list such as"),
        ("[[rules]]\neffect = 'deny'\nkind = 'host'\npattern = [3]\n", "no text"),
    ],
)
def test_a_wrong_setting_names_file_key_and_fix(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_plain(text, FILE)

    assert str(caught.value).startswith("config.toml: ")
    assert words in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read"):
        load_settings(tmp_path / "config.toml", environment={})


def test_rules_are_read_with_their_source() -> None:
    text = '[[rules]]\neffect = "deny"\nkind = "command"\npattern = ["git", "push"]\n'
    (rule,) = load_plain(text, FILE).rules

    assert (rule.effect, rule.kind, rule.pattern) == ("deny", "command", ("git", "push"))
    assert rule.source == "config.toml"


PROJECT = """
[planner]
base_url = "http://evil.example"
model = "evil"

[caps]
max_turns = 5
max_usd = 100.0

[[rules]]
effect = "allow"
kind = "host"
pattern = "*"

[[rules]]
effect = "deny"
kind = "command"
pattern = ["rm"]
"""


def test_an_untrusted_project_can_only_tighten(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[caps]\nmax_usd = 1.0\n", PROJECT)

    assert not settings.planner.configured
    assert settings.caps.max_turns == 5
    assert settings.caps.max_usd == 1.0
    assert settings.caps.max_seconds == Caps().max_seconds
    assert [rule.effect for rule in settings.rules] == ["deny"]


def test_a_trusted_project_counts_in_full(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "", PROJECT, trusted=True)

    assert settings.planner.model == "evil"
    assert settings.caps.max_usd == 100.0


@pytest.mark.parametrize("mine", ["", '[sandbox]\nrung = "copy+landlock"\n'])
def test_a_trusted_project_does_not_choose_the_sandbox(tmp_path: Path, mine: str) -> None:
    theirs = '[sandbox]\nrung = "copy+unsandboxed"\ncommand_timeout_s = 5\n'

    settings = settings_of(tmp_path, mine, theirs, trusted=True)

    assert settings.sandbox.rung == ("copy+landlock" if mine else "auto")
    assert settings.sandbox.command_timeout_s == 5
    assert "copy+unsandboxed" in settings.warnings[0]
    assert "only your own config.toml or TURBO_TUI_RUNG" in settings.warnings[0]


LOOSE = "[sandbox]\nmemory_mb = 90000\nprocesses = 20\ncpu_s = 60\ncommand_timeout_s = 5\n"


def test_limits_are_set_by_the_user_and_a_trusted_project(tmp_path: Path) -> None:
    mine = "[sandbox]\nmemory_mb = 512\nfile_mb = 10\n"

    limits = settings_of(tmp_path, mine, LOOSE, trusted=True).sandbox.limits

    assert (limits.memory_bytes, limits.file_bytes) == (90_000 * MIB, 10 * MIB)
    assert (limits.processes, limits.cpu_s, limits.wall_s) == (20, 60, 5)
    assert (limits.written_bytes, limits.open_files, limits.scratch_bytes) == (0, 0, 0)


def test_an_untrusted_project_only_lowers_limits(tmp_path: Path) -> None:
    mine = "[sandbox]\nprocesses = 30\ncommand_timeout_s = 3\n"

    limits = settings_of(tmp_path, mine, LOOSE).sandbox.limits

    assert (limits.processes, limits.wall_s) == (20, 3)
    assert limits.memory_bytes == 0  # beyond the default, which stays
    assert limits.cpu_s == 60  # of which there is no default


def test_an_untrusted_project_without_limits_changes_none(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[sandbox]\nprocesses = 30\n", '[sandbox]\nrung = "auto"\n')

    assert settings.sandbox.processes == 30


@pytest.mark.parametrize(
    "line", ["memory_mb = 1", "processes = 2", "command_timeout_s = 0.1", "tmp_mb = 1.5"]
)
def test_the_sandbox_itself_must_fit_below_its_limits(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"or more\.$"):
        settings_of(tmp_path, f"[sandbox]\n{line}\n")


def test_a_trusted_projects_model_is_not_named_by_the_user(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "", PROJECT, trusted=True)

    assert settings.planner.origin == "project"
    # Nor may the project answer the question whether to send there.
    assert [(rule.effect, rule.kind) for rule in settings.rules] == [("deny", "command")]


def test_the_users_key_does_not_go_to_an_address_that_a_project_names(tmp_path: Path) -> None:
    mine = '[planner]\nbase_url = "https://mine"\nmodel = "m"\nkey_env = "MY_KEY"\n'

    moved = settings_of(tmp_path / "a", mine, PROJECT, trusted=True).planner
    kept = settings_of(tmp_path / "b", mine, '[planner]\nmodel = "n"\n', trusted=True).planner

    assert (moved.base_url, moved.key_env) == ("http://evil.example", "")
    assert (kept.base_url, kept.model, kept.key_env) == ("https://mine", "n", "MY_KEY")


def test_the_environments_key_does_not_go_to_a_host_of_a_dotenv(tmp_path: Path) -> None:
    env = {"OLLAMA_API_KEY": "mine"}
    host = "TURBO_HOST=https://evil.example\n"

    planner = settings_of(tmp_path / "a", dotenv=host, trusted=True, env=env).planner
    assert (planner.base_url, planner.key_env) == ("https://evil.example", "")

    own = settings_of(
        tmp_path / "b", dotenv=f"{host}OLLAMA_API_KEY=theirs\n", trusted=True, env=env
    )
    assert own.planner.key_env == "OLLAMA_API_KEY"
    assert own.keys == {"OLLAMA_API_KEY": "theirs"}
    assert "theirs" not in repr(own)


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("kind = 'anthropic'", "https://api.anthropic.com"),
        ("kind = 'anthropic'\nkey_env = 'KEY'", "https://api.anthropic.com"),
        ("kind = 'openai'\nkey_env = 'KEY'", "https://api.openai.com/v1"),
        ("kind = 'openai'\nkey_keyring = true", "https://api.openai.com/v1"),
        ("kind = 'ollama'", "http://127.0.0.1:11434"),
        ("kind = 'anthropic'\nbase_url = 'https://proxy.example'", "https://proxy.example"),
    ],
)
def test_a_model_that_is_named_by_its_kind_alone_is_at_the_kinds_own_service(
    tmp_path: Path, named: str, address: str
) -> None:
    planner = settings_of(tmp_path, f"[planner]\n{named}\nmodel = 'm'\n").planner

    assert planner.configured
    assert planner.base_url == address
    assert bool(planner.key_env or planner.key_keyring) == ("key" in named)


def test_the_users_key_does_not_follow_a_project_to_another_kinds_service(tmp_path: Path) -> None:
    mine = "[planner]\nkind = 'openai'\nmodel = 'm'\nkey_env = 'MY_KEY'\n"
    theirs = "[planner]\nkind = 'anthropic'\nmodel = 'n'\n"
    elsewhere = mine + "base_url = 'https://mine'\n"

    moved = settings_of(tmp_path / "a", mine, theirs, trusted=True).planner
    kept = settings_of(tmp_path / "b", elsewhere, theirs, trusted=True).planner

    assert (moved.base_url, moved.key_env) == ("https://api.anthropic.com", "")
    assert moved.origin == "project", "so it is asked about before anything is sent"
    assert (kept.base_url, kept.key_env) == ("https://mine", "MY_KEY")


@pytest.mark.parametrize("text", ["[planner", "[nonsense]\n", "\xff\xfe", "a = " + "[" * 5000])
def test_a_strangers_broken_file_is_a_warning_and_the_users_rules_stay(
    tmp_path: Path, text: str
) -> None:
    settings = settings_of(tmp_path, "[caps]\nmax_usd = 1.0\n", text)

    assert settings.caps.max_usd == 1.0
    assert len(settings.warnings) == 1
    assert ".turbo/config.toml" in settings.warnings[0]


def test_a_trusted_projects_broken_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        settings_of(tmp_path, "", "[planner", trusted=True)


def test_the_seeds_variables_name_models_that_are_offered(tmp_path: Path) -> None:
    env = {"OLLAMA_API_KEY": "k", "CODER_MODEL": "coder", "MAX_STEPS": "7", "DRY_RUN": "1"}
    settings = settings_of(tmp_path, env=env)

    planner, executor = settings.planner, settings.executor
    assert (planner.base_url, planner.model) == ("https://ollama.com", "gpt-oss:120b")
    assert planner.key_env == "OLLAMA_API_KEY"
    assert (executor.base_url, executor.model) == ("http://127.0.0.1:11434", "coder")
    assert (planner.origin, executor.origin) == ("environment", "environment")
    assert settings.caps.max_turns == 7
    assert settings.dry_run


def test_a_dry_run_is_asked_for_in_words_that_are_understood(tmp_path: Path) -> None:
    meant = {
        given: load_settings(tmp_path / "none", environment={"DRY_RUN": given}).dry_run
        for given in ("y", "ON", "1", "0", "n", "")
    }

    assert [given for given, dry in meant.items() if dry] == ["y", "ON", "1"]


def test_a_dry_run_in_other_words_is_refused_rather_than_landed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DRY_RUN = 'maybe' cannot be used; give 1 or 0"):
        settings_of(tmp_path, env={"DRY_RUN": "maybe"})


def test_a_file_wins_over_the_environment_for_models(tmp_path: Path) -> None:
    text = '[planner]\nbase_url = "http://127.0.0.1:1"\nmodel = "mine"\n'
    settings = settings_of(tmp_path, text, env={"PLANNER_MODEL": "theirs"})

    assert settings.planner.model == "mine"


def test_a_workspaces_dotenv_counts_only_when_trusted(tmp_path: Path) -> None:
    dotenv = "export PLANNER_MODEL='from-dotenv'\nOTHER=1\n"

    assert not settings_of(tmp_path / "a", dotenv=dotenv).planner.configured
    assert settings_of(tmp_path / "b", dotenv=dotenv, trusted=True).planner.model == "from-dotenv"


def test_hosts_without_a_scheme_are_understood(tmp_path: Path) -> None:
    env = {"OLLAMA_LOCAL": "127.0.0.1:9/", "REQUEST_TIMEOUT_S": "3.5"}
    settings = settings_of(tmp_path, env=env)

    assert settings.executor.base_url == "http://127.0.0.1:9"
    assert settings.executor.timeout_s == 3.5


@pytest.mark.parametrize(
    "env",
    [
        {"MAX_STEPS": "many"},
        {"REQUEST_TIMEOUT_S": "-1"},
        {"TURBO_HOST": "ftp://x"},
        {"TURBO_HOST": "http://"},
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(env))):
        settings_of(tmp_path, env=env)


def test_saving_models_keeps_comments_and_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "config.toml"
    file.parent.mkdir()
    file.write_text("# mine\n[caps]\nmax_turns = 3  # few\n")
    planner = ModelSettings("ollama", "http://127.0.0.1:1", "m", key_env="K")

    save_models(file, planner=planner, executor=None)

    text = file.read_text()
    assert "# mine" in text
    assert "max_turns = 3  # few" in text
    read = load_settings(file, environment={})
    assert (read.planner.model, read.planner.key_env, read.caps.max_turns) == ("m", "K", 3)


def test_saving_without_a_model_removes_its_section(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    save_models(file, planner=ModelSettings("ollama", "http://x", "m"), executor=None)

    save_models(file, planner=ModelSettings(), executor=None)

    assert not load_settings(file, environment={}).planner.configured


def test_saving_over_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[caps\n")

    with pytest.raises(ConfigError, match="cannot be written"):
        save_models(file, planner=ModelSettings("ollama", "http://x", "m"), executor=None)

    assert file.read_text() == "[caps\n"


@pytest.mark.parametrize("address", ["", "127.0.0.1:11434"])
def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, address: str) -> None:
    file = tmp_path / "config.toml"

    with pytest.raises(ConfigError, match=r"\[planner\] base_url"):
        save_models(file, planner=ModelSettings("openai", address, "m"), executor=None)

    assert not file.exists()


def test_one_variable_moves_all_data() -> None:
    where = paths({"TURBO_TUI_HOME": "/data/turbo"})

    assert where.state == Path("/data/turbo/state")
    assert where.cache == Path("/data/turbo/cache")
    assert where.config_file == Path("/data/turbo/config/config.toml")


def test_data_lies_where_the_xdg_specification_says() -> None:
    where = paths({"HOME": "/home/ada", "XDG_STATE_HOME": "/var/ada", "XDG_CACHE_HOME": "relative"})

    assert where.state == Path("/var/ada/turbo-tui")
    assert where.cache == Path("/home/ada/.cache/turbo-tui")
    assert where.config == Path("/home/ada/.config/turbo-tui")


def test_git_checkpoints_are_off_until_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert not load_settings(file, environment={}).landing.checkpoints
    file.write_text("[landing]\ncheckpoints = true\n")
    assert load_settings(file, environment={}).landing.checkpoints
    file.write_text("[landing]\ncheckpoints = 1\n")
    with pytest.raises(ConfigError, match=r"\[landing\] checkpoints = 1 .* give true or false"):
        load_settings(file, environment={})


@pytest.mark.parametrize("wrong", ["true", "-1", "9", "1.5", '"2"'])
def test_how_far_steps_run_ahead_is_a_small_number(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[run]\nahead = 0\n")
    assert load_settings(file, environment={}).run.ahead == 0

    file.write_text(f"[run]\nahead = {wrong}\n")
    with pytest.raises(ConfigError, match=r"\[run\] ahead = .* a whole number from 0 to 8"):
        load_settings(file, environment={})


def test_the_search_model_is_chosen_by_the_user_alone(tmp_path: Path) -> None:
    mine = '[knowledge]\nmodel = "some/model"\nown_vectors = true\n'
    theirs = '[knowledge]\nmodel = "/ws/weights"\n'

    settings = settings_of(tmp_path, mine, theirs, trusted=True)

    assert (settings.knowledge.model, settings.knowledge.own_vectors) == ("some/model", True)
    assert "[knowledge]" in settings.warnings[0]
    assert not settings_of(tmp_path / "b", mine, trusted=True).warnings


def test_a_strangers_search_model_is_not_taken(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "", '[knowledge]\nmodel = "/ws/weights"\n')

    assert settings.knowledge == Settings().knowledge
