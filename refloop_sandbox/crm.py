"""What every local CRM lets its tests do and see, whichever CRM it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Unpack

from starlette.types import ASGIApp

from refloop_sandbox import faults
from refloop_sandbox.faults import Plan, Where
from refloop_sandbox.traffic import Traffic


class LocalCrm:
    """A CRM in memory, served by `app`. `faults` is its plan of faults, `traffic` what it meters.

    `calls` counts HTTP requests by endpoint, ids and the API's version left out, such as
    `POST /crm/objects/contacts/search` or `PATCH /sobjects/Lead/{id}`; clear it as you like.
    """

    app: ASGIApp

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.faults = Plan()
        self.calls: Counter[str] = Counter()

    def reset_counters(self) -> None:
        """Sets all counters to zero: calls, refusals, injected faults, rate windows and the daily count."""
        self.calls.clear()
        self.faults.injected.clear()
        self.traffic.reset()

    @property
    def refused(self) -> Counter[str]:
        """Requests that a limit turned away, by the limit's name. Empty: never refused once."""
        return self.traffic.refused

    @property
    def faults_injected(self) -> int:
        """How many requests a fault struck so far."""
        return len(self.faults.injected)

    def fail_next(
        self,
        status: int | None = 503,
        *,
        headers: Mapping[str, str] | None = None,
        body: object = faults.MAINTENANCE,
        applied: bool = False,
        **where: Unpack[Where],
    ) -> None:
        """Makes the next request that is meant fail, once; calls add up, in order.

        It is answered with `status`, or, when that is None, the connection is closed. With `applied` the request
        is carried out first, and only its answer is lost. All else is in `faults`.
        """
        if status is None:
            self.faults.add(faults.closed(applied=applied), **where)
        else:
            self.faults.add(faults.answer(status, body, headers, applied=applied), **where)
