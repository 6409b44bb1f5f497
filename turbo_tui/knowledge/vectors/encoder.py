"""The model in a process of its own: started when it is first asked, ended when we say so."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, cast

import numpy as np

from turbo_tui.core.errors import WeightsError
from turbo_tui.knowledge.vectors.static_table import Halves

COMMAND = (sys.executable, "-I", "-m", "turbo_tui.knowledge.vectors.model_process", "encode")


class Encoder:
    """Embeds texts by a sentence-transformers model; used by one thread at a time."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

    def encode(self, texts: Sequence[str]) -> Halves:
        """Embed texts; the first call waits for the model to be loaded, some seconds.

        Returns:
            float16, shape (len(texts), the model's dimensions), each row of unit length.

        Raises:
            WeightsError: The process ended; the message is its own. The next call starts it anew.
        """
        process = self._process = self._process or self._started()
        asked, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        try:
            asked.write(json.dumps(list(texts)).encode("ascii") + b"\n")
            asked.flush()
            head = cast("dict[str, int]", json.loads(answers.readline()))
            shape = head["rows"], head["dimensions"]
            content = answers.read(shape[0] * shape[1] * 2)
            return np.frombuffer(content, np.float16).reshape(shape)
        except (OSError, ValueError, KeyError) as error:
            said = self._ended()
            raise WeightsError(said or "The process of the search model ended.") from error

    def close(self) -> None:
        """End the process; its memory, some 500 MB, is free again."""
        self._ended()

    def _started(self) -> subprocess.Popen[bytes]:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  read when it has ended
        return subprocess.Popen(
            (*COMMAND, self._model),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def _ended(self) -> str:
        """End the process, if there is one; return the last line of what it said."""
        process, said = self._process, self._said
        self._process = self._said = None
        if process is None or said is None:
            return ""
        if process.stdin is not None:
            with suppress(OSError):  # what it did not read is lost with it
                process.stdin.close()
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)  # one that failed is about to say why
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        with said:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""
