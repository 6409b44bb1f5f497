"""The search worker of one workspace: detached, on a socket, shared by all who search there.

Its clients are `service.client`; what is said on the socket stands in `service.serving`. It ends
some time after its last client went. Killed, it loses nothing that was acknowledged: what lies on
disk is complete by itself, and the rest is read from the files again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import cast

from turbo_tui import __version__
from turbo_tui.knowledge.service import worker_log
from turbo_tui.knowledge.service.home import DEFAULT_MODEL, Home

IDLE_VARIABLE = "TURBO_TUI_WORKER_IDLE_S"
IDLE_S = 60.0
OWN_S = 15.0  # that a worker which is ending may take to do so
SWITCH_S = 0.001  # between threads: a query does not wait longer for what goes on behind
READY = b"ready\n"

_log = logging.getLogger("turbo_tui.knowledge.service.worker")  # this module is run as __main__


def main() -> None:
    """Start, say so on stdout, leave the process that started us, serve.

    Arguments: the fields of `home.Home` as a JSON object. What it does not survive goes to stderr.
    """
    given = cast("dict[str, str]", json.loads(sys.argv[1]))
    model, own_vectors = given.pop("model"), bool(given.pop("own_vectors", False))
    places = {name: Path(value) for name, value in given.items()}
    home = Home(**places, model=model, own_vectors=own_vectors)
    for library in ("OPENBLAS", "OMP", "MKL"):  # a query's share of the machine is one processor
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    if os.fork():
        os._exit(0)  # whoever started us need not wait for our end
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker_log.begin()
    own(home.socket.with_suffix(".alive"))
    listening = listen(home.socket)
    os.write(1, READY)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    over = Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: over.set())
    _log.info("started: turbo-tui %s, Python %s", __version__, platform.python_version())
    try:
        _log.info("ended: %s", serve(home, listening, over))
    finally:
        with suppress(OSError):
            home.socket.unlink()


def own(lock: Path) -> None:
    """Be the only worker of this workspace; the lock goes with the process.

    Raises:
        TimeoutError: There is another, and it does not end.
    """
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + OWN_S
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() > until:
                raise TimeoutError("another worker of this workspace does not end") from error
            time.sleep(0.02)
        else:
            return


def listen(path: Path) -> socket.socket:
    """Answer on a socket; one that a killed worker left is taken away."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(os.fspath(path))
    finally:
        os.umask(before)
    listening.listen(16)
    return listening


def serve(home: Home, listening: socket.socket, over: Event) -> str:
    """Answer clients until there was none for a while, or until told to end; return why it is."""
    from turbo_tui.knowledge.indexing.digest import key_of, version  # noqa: PLC0415  we answer already
    from turbo_tui.knowledge.service.habits import Habits  # noqa: PLC0415
    from turbo_tui.knowledge.service.keeper import Keeper  # noqa: PLC0415
    from turbo_tui.knowledge.service.serving import Clients  # noqa: PLC0415
    from turbo_tui.knowledge.storing.family import family_of  # noqa: PLC0415
    from turbo_tui.knowledge.storing.store import Store  # noqa: PLC0415
    from turbo_tui.knowledge.vectors.meaning import Meaning  # noqa: PLC0415

    sys.setswitchinterval(SWITCH_S)
    idle_s = float(os.environ.get(IDLE_VARIABLE) or IDLE_S)
    meaning = Meaning(home.models, _installed(home), key_of, own_vectors=home.own_vectors)
    keeper = Keeper(
        home.root, Store(home.store, version(), family_of(home.root)), meaning, home.notes
    )
    clients = Clients(keeper, Habits(home.habits))
    keeper.start()
    listening.settimeout(min(1.0, max(idle_s / 4, 0.01)))
    try:
        while not over.is_set() and not keeper.trouble and clients.idle_s <= idle_s:
            worker_log.keep_small()
            with suppress(TimeoutError):
                connection, _ = listening.accept()
                connection.settimeout(None)
                clients.add(connection)
        if over.is_set():
            return "it was told to"
        return keeper.trouble or f"nobody searched for {idle_s:.0f} s"
    finally:
        listening.close()
        clients.close()
        keeper.stop()


def _installed(home: Home) -> str:
    """Return the model's name; the one that nobody named need not be installed."""
    from turbo_tui.core.errors import WeightsError  # noqa: PLC0415
    from turbo_tui.knowledge.vectors.weights import find, table_folder  # noqa: PLC0415

    if home.model == DEFAULT_MODEL and not table_folder(home.models, home.model).is_dir():
        try:
            find(home.model)
        except WeightsError:
            return ""
    return home.model


if __name__ == "__main__":
    main()
