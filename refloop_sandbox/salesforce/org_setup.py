"""What administrators set up in an org beyond its fields: its zone, its currencies, which histories it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from refloop_sandbox.salesforce import person_accounts, seed
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.records import Actor


class OrgSetup:
    """Acts as the administrator. A part of `LocalSalesforce`."""

    _org: Org
    _admin: Actor

    def set_time_zone(self, name: str) -> None:
        """The org's zone (`America/Los_Angeles`). Users have zones of their own beside it, which nothing here reads."""
        with self._org.store.lock:
            organization = self._org.schema.named("Organization")
            self._org.store.update(organization, self._org.id, {"TimeZoneSidKey": name})

    def set_rate(self, currency: str, rate: float, *, corporate: bool = False) -> None:
        """How much of a currency one unit of the corporate one is worth. For an org with several currencies."""
        with self._org.store.lock:
            types = self._org.schema.named("CurrencyType")
            found = next(self._org.store.where(types, {"IsoCode": currency}), None)
            if found is None:
                seed.add_currency(self._org.records, currency, rate, self._admin, corporate=corporate)
            else:
                self._org.records.write(types, found, {"ConversionRate": rate}, self._admin)

    def set_dated_rate(self, currency: str, start: date, rate: float) -> None:
        """A rate from a day on, until the next one begins. For an org with dated exchange rates."""
        with self._org.store.lock:
            seed.add_dated_rate(self._org.records, currency, start, rate, self._admin)

    def track_history(self, object: str, *fields: str) -> None:  # noqa: A002 - the CRM's word
        """Keeps the history of these fields from now on (at most twenty of an object, as the platform allows)."""
        with self._org.store.lock:
            self._org.records.history.track(self._org.schema.named(object), fields)

    def create_person_account(self, fields: Mapping[str, object]) -> tuple[str, str]:
        """Adds a person account (LastName, PersonEmail ...); gives its id and that of its contact. For an org with
        person accounts."""
        with self._org.store.lock:
            return person_accounts.create(self._org.records, fields, self._admin)
