"""What the user settled for one project: answers, rules, and secret files that may be read.

It lies in the user's config folder, by the project's path, never in the repository:

    ["/home/me/shop"]
    show_secrets = [".env.test"]

    [["/home/me/shop".answers]]
    action = "network"
    subject = "npm install"

    [["/home/me/shop".rules]]
    effect = "deny"
    kind = "command"
    pattern = ["git", "push"]

`answers` are written when a question is answered with "for this project", and hold for an equal
question alone: the same command, to the last character, with the same grant. The rest is
written by hand.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from turbo_tui.config import nearest, read_rules
from turbo_tui.core.errors import ConfigError

if TYPE_CHECKING:
    from turbo_tui.core.policy import Rule

FILE = "projects.toml"
KNOWN = ("show_secrets", "answers", "rules")
HEAD = (
    '# What you answered with "for this project". Take an entry out to be asked again.\n'
    "# By hand: show_secrets, globs of secret files that commands and models may read, and rules.\n"
)


@dataclass(slots=True)
class ProjectSettings:
    """What the user settled for the project at `root`.

    Attributes:
        file: Where it is kept.
        show_secrets: Globs of secret files that commands and file tools may read, matched
            against the path from the workspace and against the name alone.
        rules: As in `config.toml`.
    """

    file: Path
    root: Path
    show_secrets: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    _answers: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]], repr=False)

    def has(self, action: str, subject: str) -> bool:
        """Tell whether exactly this was once answered with yes, for this project."""
        return (action, subject) in self._answers

    def give(self, action: str, subject: str) -> None:
        """Keep the answer: it counts at once, and in later sessions.

        Raises:
            ConfigError: It cannot be written, or the file that is there cannot be read; nothing
                is changed then.
        """
        if self.has(action, subject):
            return
        try:
            with _alone(self.file):
                _add(self.file, os.fspath(self.root), action, subject)
        except OSError as error:
            raise ConfigError(
                f"{self.file}: the answer cannot be kept: {error.strerror or error}. Answer for "
                "this plan instead, or make the folder writable."
            ) from error
        self._answers.add((action, subject))


def load_project(config: Path, root: Path) -> ProjectSettings:
    """Read what is settled for a project.

    Args:
        config: The user's config folder; the file need not exist.
        root: The workspace, absolute.

    Raises:
        ConfigError: The file, or what it says about this project, cannot be used.
    """
    file = config / FILE
    table = _read(file).get(os.fspath(root), {})
    where = f'{file}: ["{root}"]'
    if not isinstance(table, dict):
        raise ConfigError(f'{where} must be a table: write ["{root}"] on a line of its own.')
    given = cast("dict[str, object]", table)
    for name in given:
        if name not in KNOWN:
            raise ConfigError(f"{where} has no setting {name!r}.{nearest(name, KNOWN)}")
    shown = given.get("show_secrets", [])
    if not _is_texts(shown):
        raise ConfigError(
            f'{where} show_secrets = {shown!r} cannot be used; give a list such as [".env.test"].'
        )
    return ProjectSettings(
        file,
        root,
        tuple(cast("list[str]", shown)),
        read_rules(given.get("rules", []), file),
        set(_answers(given.get("answers", []), where)),
    )


def _read(file: Path) -> Mapping[str, object]:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}. Mend or remove the file.") from error
    import tomllib  # noqa: PLC0415  not needed where there is no file

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{file}: is not valid TOML: {error}. Mend that line.") from error


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, str) and each for each in cast("list[object]", value)
    )


def _answers(given: object, where: str) -> Generator[tuple[str, str]]:
    entries = cast("list[object]", given) if isinstance(given, list) else [given]
    for number, entry in enumerate(entries, 1):
        table = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        if set(table) != {"action", "subject"} or not _is_texts(list(table.values())):
            raise ConfigError(
                f"{where} answer {number} must have the texts action and subject, as turbo-tui "
                "wrote it; take it out to be asked again."
            )
        yield str(table["action"]), str(table["subject"])


@contextmanager
def _alone(file: Path) -> Generator[None]:
    """Let no other turbo-tui write meanwhile: its answer would be lost."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _add(file: Path, root: str, action: str, subject: str) -> None:
    """Write one answer more; comments and all else in the file stay as they are."""
    import tomllib  # noqa: PLC0415  only an answer writes

    import tomlkit  # noqa: PLC0415
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    load_project(file.parent, Path(root))  # what cannot be read is not written over
    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8") if file.exists() else HEAD)
        if root not in document:
            document[root] = tomlkit.table()
        project = cast("dict[str, object]", document[root])
        if "answers" not in project:
            project["answers"] = tomlkit.aot()
        answer = tomlkit.table()
        answer["action"], answer["subject"] = action, subject
        cast("list[object]", project["answers"]).append(answer)
        content = tomlkit.dumps(document).encode("utf-8")
        kept = tomllib.loads(content.decode("utf-8"))
    except (TOMLKitError, UnicodeEncodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise ConfigError(
            f"{file}: the answer cannot be kept there: {error}. Answer for this plan instead."
        ) from error
    table = cast("dict[str, list[object]]", kept.get(root, {}))
    if {"action": action, "subject": subject} not in table.get("answers", []):
        raise ConfigError(f"{file}: the answer cannot be kept there. Answer for this plan instead.")
    _replace(file.resolve(), content)


def _replace(file: Path, content: bytes) -> None:
    """Write a file whole or not at all, for the user's eyes only."""
    fresh = file.with_name(f"{file.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
