"""What a command line really runs: wrappers looked through, shell lines read cautiously.

Two readings, because a mistake costs differently. The *certain* reading is what an allow rule
may rest on: it is None where anything is left to guess. The *possible* reading is what a deny
rule is held against: it rather sees a command too many. Neither is what confines a command,
that is the sandbox; both decide about asking only.

Unseen stay: what an interpreter does (`python -c`, `awk`, `sed`, `make`), what a script, a Git
alias of the configuration or a container's image holds, and runners that `ANY_WORD` lacks.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

from turbo_tui.core.runners import (
    ANY_WORD,
    GIT_RUNS,
    JOINED,
    LINES,
    LOADER,
    MANAGERS,
    RUNNERS,
    RUNS,
    WRAPPERS,
    Wrapper,
)

Argv: TypeAlias = tuple[str, ...]

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"})
OTHER_SHELLS = frozenset({"rbash", "mksh", "csh", "tcsh", "yash"})  # never read for certain

MOST_LAYERS = 8  # env timeout sh -c 'nice …': deeper is not work but hiding


_MOST_BEHIND = 64  # words that a rule may name after it
_MOST_WORDS = 20  # tried of one command: a list of files is no hiding place

_EXECUTES = frozenset({"-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=.*", re.DOTALL)
_UNCERTAIN = frozenset("$`<>(){};|\n\r#!\\")
_CUTS = re.compile(r"[;|&\n\r`(){}]+|\$\(")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_KEYWORDS = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "coproc"})
_REDIRECT = re.compile(r"(?:(?<!\S)\d+)?(?:>[>|&]?|<<?<?[-&]?|<>)")
_TO = re.compile(_REDIRECT.pattern + r"""\s*(?:'[^']*'|"[^"]*"|[^\s<>'"])*""")


def name_of(argv: Argv) -> str:
    """Return the program's name without its folder; empty for an empty command."""
    return argv[0].rpartition("/")[2] if argv else ""


def certain(argv: Argv) -> tuple[Argv, ...] | None:
    """Return the commands that this one runs, all of them; None when that is not certain.

    A plain command runs itself. `a && b` in a shell line runs both.
    """
    return _certain(argv, MOST_LAYERS)


@lru_cache(maxsize=16)  # each rule asks
def possible(argv: Argv) -> tuple[Argv, ...]:
    """Return every command that can be made out: itself, what it wraps, each part of a line."""
    return tuple(_possible(argv))


def _certain(argv: Argv, layers: int) -> tuple[Argv, ...] | None:
    if not argv or layers == 0:
        return None
    name = argv[0]  # not its last part: `./env` is no wrapper we know
    if name in SHELLS:
        return _certain_shell(argv, layers)
    if name not in WRAPPERS:
        plain = (
            name_of(argv) not in {"find", "fd", *SHELLS, *OTHER_SHELLS, *WRAPPERS}
            and argv[:2] not in RUNNERS
        )
        return (argv,) if plain or _runs_nothing(argv) else None
    wrapper = WRAPPERS[name]
    inner, changed = _unwrapped(argv, wrapper)
    if not wrapper.certain or changed:
        return None
    return _certain(inner, layers - 1)


def _runs_nothing(argv: Argv) -> bool:
    options = {word.partition("=")[0] for word in argv}
    return name_of(argv) in {"find", "fd"} and options.isdisjoint({*_EXECUTES, "-delete"})


def _certain_shell(argv: Argv, layers: int) -> tuple[Argv, ...] | None:
    line, plain, _ = _shell_line(argv)
    if line is None:
        # A script: it is what is run, and a rule may name it.
        return (argv,) if len(argv) > 1 and not argv[1].startswith(("-", "+")) else None
    parts = _simple_parts(line) if plain else None
    if parts is None:
        return None
    found: list[Argv] = []
    for part in parts:
        inner = _certain(part, layers - 1)
        if inner is None:
            return None
        found += inner
    return tuple(found)


def _simple_parts(line: str) -> list[Argv] | None:
    """Split `a && b` into its commands; None for a line with anything but words and quotes."""
    parts: list[str] = [""]
    quote = ""
    at = 0
    while at < len(line):
        char = line[at]
        if quote:
            if char == quote:
                quote = ""
            elif quote == '"' and char in "$`\\":
                return None
        elif char in "'\"":
            quote = char
        elif line.startswith("&&", at):
            parts.append("")
            at += 2
            continue
        elif char in _UNCERTAIN or char == "&":
            return None
        parts[-1] += char
        at += 1
    if quote:
        return None
    commands = [tuple(shlex.split(part)) for part in parts]
    if any(not words or _ASSIGNMENT.fullmatch(words[0]) for words in commands):
        return None
    return commands


def _possible(argv: Argv) -> Iterator[Argv]:
    # Layer by layer, each command once: in `ssh ssh ssh …` each is in all the others.
    seen: set[Argv] = set()
    layer: list[Argv] = [argv]
    for left in range(MOST_LAYERS, -1, -1):
        found: dict[Argv, None] = {}
        for each in layer:
            words = list(each)
            while words and (words[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(words[0])):
                del words[0]
            plain = tuple(words)
            if plain and plain not in seen:
                seen.add(plain)
                yield plain
                if left:
                    found |= dict.fromkeys(_inside(plain))
        layer = list(found)


def _inside(argv: Argv) -> Iterator[Argv]:
    """Yield the commands directly inside a command."""
    name = name_of(argv)
    yield from _lines_of(argv, name)
    if name in SHELLS or name in OTHER_SHELLS:
        yield from _inside_shell(argv)
    elif name in WRAPPERS:
        yield _unwrapped(argv, WRAPPERS[name])[0]
    elif (name, *argv[1:2]) in RUNNERS:
        yield _unwrapped(argv[1:], WRAPPERS["nohup"])[0]
    elif name in {"find", "fd"}:
        for at, word in enumerate(argv):
            option, _, value = word.partition("=")
            if option in _EXECUTES:
                yield (*([value] if value else ()), *argv[at + 1 :])
    if name in ANY_WORD or LOADER.fullmatch(name):
        yield from _each_word(_behind_run(name, argv[1:]))
    elif name == "git":
        yield from _inside_git(argv)
    elif name == "alias":
        yield from (part for word in argv[1:] for part in _rough_parts(word.partition("=")[2]))


def _behind_run(name: str, words: Argv) -> Argv:
    """Return where a command may begin: of a package manager only what it is told to run."""
    if name not in MANAGERS:
        return words
    return next((words[at + 1 :] for at, word in enumerate(words) if word in RUNS), ())


def _each_word(words: Argv) -> Iterator[Argv]:
    """Yield what begins at each of some words, and the commands of those that are lines."""
    for at, word in enumerate(words[:_MOST_WORDS]):
        value = word.partition("=")[2] if word.startswith("-") else word
        if value and not value.startswith("-"):
            yield (value, *words[at + 1 : at + _MOST_BEHIND])
            if " " in value:
                yield from _rough_parts(value)


def _inside_git(argv: Argv) -> Iterator[Argv]:
    """Yield what Git is told to run: a new alias, and the commands of some subcommands."""
    for at, word in enumerate(argv[:_MOST_WORDS]):
        alias = re.fullmatch(r"(?:-c|--config-env=)?alias\.[^=]+=(!?)(.*)", word, re.DOTALL)
        if alias and alias[1]:
            yield from _rough_parts(alias[2])
        elif alias:
            yield from (("git", *part) for part in _rough_parts(alias[2]))
        option, _, value = word.partition("=")
        if option in GIT_RUNS:
            yield from _each_word((*([value] if value else ()), *argv[at + 1 :]))


def is_hidden(argv: Argv) -> bool:
    """Tell whether a command's name is made while it runs: `$X rm`, `rm${IFS}x`."""
    return any(_hides_its_name(each) for each in possible(argv))


def _hides_its_name(argv: Argv) -> bool:
    line = _shell_line(argv)[0] if name_of(argv) in SHELLS | OTHER_SHELLS else None
    if line is None:
        return False
    line = re.sub(r"\$\(\([^()]*\)\)", "0", _QUOTED.sub(_sign, _undone(line)))
    for piece in re.split(r"[;|&\n\r(]+|(?<!\$)\{", line):
        words = piece.split()
        while words and (words[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(words[0])):
            del words[0]
        if words and ("$" in words[0] or "`" in words[0]):
            return True
    return False


def _sign(quoted: re.Match[str]) -> str:
    """Keep of a quoted word only whether it is made while it runs, or holds commands."""
    text = quoted.group()
    if text[0] == '"' and ("$(" in text or "`" in text):
        return text[1:-1]
    return "$" if text[0] == '"' and "$" in text else "_"


_ANSI_QUOTED = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_BRACES = re.compile(r"(?<!\$)\{([^\s{};|&()]{1,300})\}")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{1,4}|.)", re.DOTALL)


def _undone(line: str) -> str:
    """Write a line without `$'…'` and brace lists, as far as names of commands go."""
    line = _ANSI_QUOTED.sub(lambda found: shlex.quote(_ESCAPE.sub(_plain, found[1])), line)
    return _BRACES.sub(lambda found: found[1].replace(",", " "), line)


def _plain(escape: re.Match[str]) -> str:
    text = escape[1]
    if text[0] in "xu" and len(text) > 1:
        return chr(int(text[1:], 16))
    return chr(int(text, 8)) if text[0] in "01234567" else {"n": "\n", "t": "\t"}.get(text, text)


def _inside_shell(argv: Argv) -> Iterator[Argv]:
    line, _, given = _shell_line(argv)
    if line is None:
        return
    yield from _rough_parts(line)
    if re.search(r"\$\{?[@*0-9]", line):  # `sh -c '"$@"' sh rm x`
        yield given
        yield given[1:]


def _lines_of(argv: Argv, name: str) -> Iterator[Argv]:
    """Yield the commands of words that are shell lines of their own."""
    if name in JOINED and len(argv) > 1:
        inner = _unwrapped(argv, WRAPPERS[name])[0] if name in WRAPPERS else argv[1:]
        yield from _rough_parts(" ".join(inner))
    if name == "trap":
        yield from _rough_parts(" ".join(argv[1:2]))
    options = LINES.get(name, frozenset())
    for at, word in enumerate(argv[1:] if options else (), 1):
        option, equals, value = word.partition("=")
        if equals and option in options:
            yield from _rough_parts(" ".join((value, *argv[at + 1 :])))
        elif word in options:
            yield from _rough_parts(" ".join(argv[at + 1 :]))
        elif _cluster(word):
            letter, value = next(
                ((each, rest) for each, rest in _cluster(word) if f"-{each}" in options), ("", "")
            )
            if letter:
                yield from _rough_parts(" ".join((value, *argv[at + 1 :])))


def _cluster(word: str) -> list[tuple[str, str]]:
    """Return the letters of `-abc`, each with what follows it; nothing for other words."""
    if not word.startswith("-") or word.startswith("--"):
        return []
    return [(letter, word[at + 1 :]) for at, letter in enumerate(word) if at]


def _unwrapped(argv: Argv, wrapper: Wrapper) -> tuple[Argv, bool]:
    """Return the command behind a wrapper, and whether something may change its meaning."""
    at, changed = 1, False
    while at < len(argv):
        word = argv[at]
        if word == "--":
            at += 1
            break
        if _ASSIGNMENT.fullmatch(word) and argv[0].endswith(("env", "sudo", "doas")):
            at, changed = at + 1, True
        elif word.startswith("-") and word != "-":
            option, takes_next = _option(word, wrapper)
            changed = changed or option in wrapper.changing
            at += 2 if takes_next else 1
        elif word == "-":  # `env -`: an empty environment
            at += 1
        else:
            break
    # `timeout 5 CMD`: its own words come first, and after them assignments again (`env`).
    return argv[at + wrapper.skipped :], changed


def _option(word: str, wrapper: Wrapper) -> tuple[str, bool]:
    """Return which option of a wrapper counts in a word, and whether its value comes next.

    Of a cluster that is the first that takes a value, for the rest of the word is the value:
    `-iu NAME`, `-iuNAME`.
    """
    if word.startswith("--"):
        name, equals, _ = word.partition("=")
        known = wrapper.valued | wrapper.changing
        # Long options may be cut short: `--split=…`.
        full = next((each for each in sorted(known) if each.startswith(name)), name)
        return full, not equals and full in wrapper.valued
    for letter, rest in _cluster(word):
        if f"-{letter}" in wrapper.valued:
            return f"-{letter}", not rest
    return word, False


def _shell_line(argv: Argv) -> tuple[str | None, bool, Argv]:
    """Return the line a shell is given with -c, and the words given to that line.

    The flag between them tells that no option changes what the line means.
    """
    has_line, plain, at = False, True, 1
    while at < len(argv) and argv[at][:1] in {"-", "+"} and argv[at] not in {"-", "--"}:
        word = argv[at]
        if word.startswith("--"):
            plain = plain and word in {"--login", "--norc", "--noprofile", "--posix"}
            at += 2 if word in {"--rcfile", "--init-file"} else 1
            continue
        has_line = has_line or (word[0] == "-" and "c" in word)
        # -o NAME, also at the end of a cluster: -euo pipefail
        at += 2 if word.endswith(("o", "O")) else 1
    if at < len(argv) and argv[at] == "--":
        at += 1
    if not has_line or at >= len(argv):
        return None, False, ()
    return argv[at], plain, argv[at + 1 :]


def _rough_parts(line: str) -> Iterator[Argv]:
    """Cut a shell line at everything that may begin another command."""
    line = _undone(line.replace("\\\n", ""))
    # Quotes may hide the cuts, or be hidden by them: `"a;b" c`, `sh -c "x | y"`. So both.
    whole = tuple(_words(line))
    parts = {whole: None} if whole else {}
    reads_commands = "<<<" in line  # a shell that is fed what the line quotes
    for piece in _CUTS.split(_without_outer_quotes(line)):
        # A redirect's target may be what a rule names, and may stand before the command.
        for reading in dict.fromkeys((_REDIRECT.sub(" ", piece), _TO.sub(" ", piece))):
            words = tuple(_words(reading))
            if words:
                parts[words] = None
                reads_commands = reads_commands or (len(words) == 1 and name_of(words) in SHELLS)
    if reads_commands:
        for quoted in _QUOTED.findall(line):
            parts |= dict.fromkeys(tuple(_words(piece)) for piece in _CUTS.split(quoted[1:-1]))
    yield from parts


def _without_outer_quotes(line: str) -> str:
    return _QUOTED.sub(_plain_or_kept, line)


def _plain_or_kept(quoted: re.Match[str]) -> str:
    inner = quoted.group()[1:-1]
    # A quoted word without blanks or operators is that word: g"i"t, 'rm'.
    return inner if re.fullmatch(r"[\w./=:@%+,-]+", inner) else quoted.group()


def _words(piece: str) -> list[str]:
    try:
        return shlex.split(piece)
    except ValueError:  # an open quote
        return piece.replace('"', " ").replace("'", " ").split()
