"""Code understanding: what a name in a source file means, and edits that respect it.

Everything here is pure: contents in, findings and byte edits out. Analysis of many files is
heavy, so tools reach it through `languages.ask`, which runs `languages.worker` as a process.
"""
