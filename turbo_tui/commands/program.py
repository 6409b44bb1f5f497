"""Names and flags of the command line. A command's module is imported only when it runs."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import ClassVar

import click
from click.shell_completion import CompletionItem

from turbo_tui import __version__
from turbo_tui.commands.as_json import Asked, tell_failure
from turbo_tui.commands.completing import folders, session_ids
from turbo_tui.core.errors import OutputError, TurboError, UsageError


class Commands(click.Group):
    """Commands by name; anything that is no command is a folder to open."""

    modules: ClassVar[dict[str, tuple[str, str]]] = {
        "run": ("turbo_tui.commands.run", "carry out a task without the app"),
        "plan": ("turbo_tui.commands.plan", "only plan a task"),
        "apply": ("turbo_tui.commands.apply", "put a model's edits from stdin into the workspace"),
        "sandbox": ("turbo_tui.commands.sandbox", "run one command as a step would"),
        "policy": ("turbo_tui.commands.policy", "say whether a step could run a command"),
        "index": ("turbo_tui.commands.index", "build the search index, or bring it up to date"),
        "search": ("turbo_tui.commands.search", "find places by name, phrase or question"),
        "session": ("turbo_tui.commands.session", "list, show, resume, undo, verify sessions"),
        "doctor": ("turbo_tui.commands.doctor", "say what works here and how to mend the rest"),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of use."""
        del ctx
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module; `open` is the app itself."""
        del ctx
        if cmd_name == "open":
            return open_app
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(self.modules[cmd_name][0])
        command: click.Command = module.command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `turbo-tui [PATH] [--demo …]` as the command `open`."""
        if ctx.resilient_parsing and not args:  # a Tab behind nothing: every command is offered
            return super().parse_args(ctx, args)
        if args[:1] in (["help"], ["-h"]) and not Path("help").exists():
            args = [*args[1:2], "--help"]
        if not args or (args[0] not in self.modules and args[0] not in {"--help", "--version"}):
            is_typed = args and not args[0].startswith("-") and not ctx.resilient_parsing
            if is_typed and not Path(args[0]).exists():
                _refuse_misspelt(args[0], list(self.modules))
            args = ["open", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer commands, without importing them, and what else opens the app."""
        if incomplete.startswith("-"):
            both = (
                *super().shell_complete(ctx, incomplete),
                *open_app.shell_complete(ctx, incomplete),
            )
            return list({each.value: each for each in both}.values())
        named = [
            CompletionItem(name, help=text)
            for name, (_, text) in self.modules.items()
            if name.startswith(incomplete)
        ]
        return named or [CompletionItem(incomplete, type="dir")]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.modules.items()])


def _refuse_misspelt(word: str, known: list[str]) -> None:
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        raise click.UsageError(
            f"There is no command and no folder {word!r}. Did you mean {near[0]!r}?"
        )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[PATH] [--demo] [--here]",
    subcommand_metavar="| COMMAND …",
)
@click.version_option(__version__, prog_name="turbo-tui")
def program() -> None:
    """Open the coding assistant on PATH (default: the current folder), or run a COMMAND.

    PATH means its enclosing git root; `--here` keeps PATH itself. `--demo` opens a bundled
    project with a recorded model session. A folder with a command's name: write ./run.
    """


@click.command("open", hidden=True)
@click.argument("path", default=".", shell_complete=folders)
@click.option("--demo", is_flag=True, help="A bundled project and a recorded model session.")
@click.option("--here", is_flag=True, help="Use PATH itself, not its enclosing git root.")
@click.option("--new", is_flag=True, help="Start a new session, do not offer an old one.")
@click.option(
    "--session", default="", metavar="ID", help="Take up this session.", shell_complete=session_ids
)
def open_app(path: str, *, demo: bool, here: bool, new: bool, session: str) -> None:
    """Open the app on PATH."""
    from turbo_tui.commands.open import open_in_app  # noqa: PLC0415  textual is imported only here

    raise SystemExit(open_in_app(path, demo=demo, here=here, new=new, session=session))


def run_program() -> int:
    """Read the words of the command line and run what they name; return the exit code.

    Raises:
        TurboError: As the command's own.
        KeyboardInterrupt: The user interrupted it.
    """
    asked = Asked()
    try:
        program.main(prog_name="turbo-tui", standalone_mode=False, obj=asked)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx and error.ctx.command is open_app:
            error.ctx = error.ctx.parent  # nobody typed `open`
        error.show()
        if asked.as_json:
            tell_failure(error.format_message(), UsageError.exit_code)
        return UsageError.exit_code
    except OutputError:
        raise
    except TurboError as error:
        if asked.as_json:
            tell_failure(str(error), error.exit_code)
        raise
    except click.Abort:
        raise KeyboardInterrupt from None
    return 0
