"""What is known of a workspace's files: chunks, definitions, terms; kept up file by file."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from turbo_tui.knowledge.chunks import PROSE, Span, by_lines, by_section
from turbo_tui.knowledge.definitions import LONGEST_LINE, Definition
from turbo_tui.knowledge.grammars import grammar_of
from turbo_tui.knowledge.parser import Parser
from turbo_tui.knowledge.postings import Postings
from turbo_tui.knowledge.tree import SourceFile
from turbo_tui.knowledge.words import joined, terms


@dataclass(frozen=True, slots=True)
class Indexed:
    """A file of the index; `chunks` are spans, `numbers` their documents in the postings."""

    file: SourceFile
    chunks: tuple[Span, ...]
    numbers: tuple[int, ...]
    defined: tuple[Definition, ...]
    name_terms: frozenset[str]
    folder_terms: frozenset[str]


class Index:
    """Files by path, and the terms of their chunks."""

    def __init__(self) -> None:
        self.parser = Parser()
        self._empty()

    def _empty(self) -> None:
        self.files: dict[str, Indexed] = {}
        self.chunks = Postings()
        self.owners: dict[int, tuple[str, int]] = {}  # chunk's document -> path, which chunk
        self.defining: dict[str, dict[str, list[Definition]]] = defaultdict(dict)

    def refresh(self, files: list[SourceFile], *, within_s: float = math.inf) -> int:
        """Take in what is new or changed, leave out what is gone; return how many files remain.

        Args:
            files: All files as they are now.
            within_s: After so many seconds the rest is left for the next time.
        """
        until = time.monotonic() + within_s
        if self.chunks.wasteful:
            self._empty()
        now = {file.path: file for file in files}
        gone = [path for path, known in self.files.items() if now.get(path) is not known.file]
        for path in gone:
            self._remove(self.files.pop(path))
        for path, file in now.items():
            if path not in self.files:
                if time.monotonic() > until:
                    break
                self.files[path] = self._add(file)
        return len(now) - len(self.files)

    def _remove(self, known: Indexed) -> None:
        for number in known.numbers:
            self.chunks.remove(number)
            del self.owners[number]
        for each in known.defined:
            self.defining[joined(each.name)].pop(known.file.path, None)

    def _add(self, file: SourceFile) -> Indexed:
        path, lines = file.path, file.text().split("\n")
        spans, defined = self._parsed(file, lines)
        place = list(terms(path))
        numbers: list[int] = []
        for at, (first, last) in enumerate(spans):
            names = [each.name for each in defined if first <= each.line <= last]
            text = "\n".join(lines[first - 1 : last])
            number = self.chunks.add([*terms(text), *place, *terms(" ".join(names))])
            self.owners[number] = path, at
            numbers.append(number)
        for each in defined:
            self.defining[joined(each.name)].setdefault(path, []).append(each)
        pure = PurePosixPath(path)
        return Indexed(
            file,
            tuple(spans),
            tuple(numbers),
            tuple(defined),
            frozenset(terms(pure.name.partition(".")[0] or pure.name)),
            frozenset(terms(" ".join(pure.parts[:-1]))),
        )

    def _parsed(self, file: SourceFile, lines: list[str]) -> tuple[list[Span], list[Definition]]:
        minified = sum(map(len, lines)) > LONGEST_LINE * len(lines)
        grammar = None if minified else grammar_of(file.path)
        parsed = self.parser.parse(file.absolute, grammar) if grammar else None
        if parsed is not None and grammar is not None and parsed[0]:
            known = grammar.kinds or grammar.calls
            return parsed[0], parsed[1] if known else list(file.defined)
        cut = by_section if file.path.lower().endswith(PROSE) else by_lines
        return cut(lines), list(file.defined)
