"""Settings of hypothesis for all tests: a busy machine makes no example fail."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Neither check measures our code: both measure how busy the machine is.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples in every run, so that what fails there fails here too.
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
