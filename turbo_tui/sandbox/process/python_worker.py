"""Wait in a sandbox, as an interpreter that has started, to become one Python program.

Never imported by us: its text is run by `python3 -c`, in a namespace of its own, so that the
program finds a `__main__` in which nothing is left of it. It uses only modules that every start
of Python has loaded. It says 5 on its output when it waits, reads its order to the end of its
standard input, says 6 and becomes the program. With no order, or one that it cannot follow, it
ends without the 6: then nothing of the program has been run.
"""

# pathlib would be found loaded by the program, as would __future__:
# pyright: basic, reportAttributeAccessIssue=false
# ruff: noqa: PTH109, PTH120, PTH123

import marshal
import os
import sys

TRIED = (3, 10), (3, 13)  # versions, the last one not among them
STARTED: "dict[bytes, bytes]" = globals().get("STARTED", {})  # the variables it was started with


def main() -> None:
    """Wait, then be the program."""
    changed = changed_on_the_way()
    if not TRIED[0] <= sys.version_info < TRIED[1] or any(map(is_unknown, changed)):
        os._exit(1)
    os.write(1, b"\5")
    order = read_order()
    if not order or (changed.keys() - {b"LC_CTYPE"} and order["cwd"] != STARTED[b"PWD"]):
        os._exit(0)
    order["env"].update(changed)
    os.chdir(order["cwd"])
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for name in os.environb.keys() - order["env"].keys():
        del os.environb[name]
    os.environb.update(order["env"])
    sys.orig_argv[:] = [os.fsdecode(word) for word in order["orig_argv"]]
    sys.argv[:] = [os.fsdecode(word) for word in order["argv"]]
    name, source = program(order["kind"], order["code"])
    os.write(1, b"\6")
    become(name, source, order["module"])


def changed_on_the_way() -> "dict[bytes, bytes]":
    """Return variables that are not as they were set: by Python, or by a script in its place.

    Pyenv puts one there, which sees to the version that a folder asks for.
    """
    return {name: text for name, text in os.environb.items() if STARTED.get(name) != text}


def is_unknown(name: bytes) -> bool:
    """Whether this variable may mean something else for another command."""
    known = {b"LC_CTYPE", b"PATH", b"SHLVL", b"OLDPWD", b"_"}
    return name not in known and b"PYENV_" not in name


def read_order():  # noqa: ANN201 - `Any` is in a module that is not loaded
    """Read to the end; None when there is nothing."""
    text = b""
    while piece := os.read(0, 65536):
        text += piece
    return marshal.loads(text) if text else None  # noqa: S302 - by a pipe of ours, from us


def program(kind: str, code: bytes) -> "tuple[str, bytes | str]":
    """Make `__main__` and the search path ready; return the file name and source to compile."""
    if kind == "stdin":
        the_main().update(__file__="<stdin>", __cached__=None)
        return "<stdin>", code
    if kind == "code":
        return "<string>", code.decode()
    if kind == "module":
        sys.path[0] = os.getcwd()
        return "", b""
    script = sys.argv[0]
    path = script if script.startswith("/") else f"{os.getcwd()}/{script}"
    with open(path, "rb") as file:
        source = file.read()
    sys.path[0] = os.path.dirname(os.path.realpath(script))
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    the_main().update(__file__=path, __cached__=None, __loader__=loader("__main__", path))
    return path, source


def the_main() -> "dict[str, object]":
    """Return the namespace in which the program runs."""
    return sys.modules["__main__"].__dict__


def become(name: str, source: "bytes | str", module: str) -> None:
    """Run the program; what it raises is the interpreter's to show, as it ends."""
    try:
        if module:
            import runpy  # noqa: PLC0415 - not loaded for any other program

            runpy._run_module_as_main(module)  # noqa: SLF001
        else:
            exec(compile(source, name, "exec", dont_inherit=True), the_main())  # noqa: S102
    except SystemExit:
        raise
    except BaseException as error:
        leave_out_our_frames(error)
        raise


def leave_out_our_frames(error: BaseException) -> None:
    """Let the traceback begin where the program does."""
    show, ours = sys.excepthook, error.__traceback__
    theirs = ours.tb_next if ours is not None else None

    def hook(kind, value, trace) -> None:  # noqa: ANN001
        trace = theirs if value is error else trace
        show(kind, value.with_traceback(trace), trace)

    sys.excepthook = hook


if __name__ == "turbo-tui worker":
    main()
