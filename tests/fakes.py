"""Fakes at the ports: real objects with canned answers."""

from __future__ import annotations
