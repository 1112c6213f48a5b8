"""What holds for all tests: no example of Hypothesis is judged by a clock, and what costs much is made once."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.command_tree import build_once

settings.register_profile("refloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("refloop")
build_once()
