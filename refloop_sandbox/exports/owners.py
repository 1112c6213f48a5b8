"""Owners as people's exports have them, a name or an e-mail address, as users of the local CRMs."""

from __future__ import annotations

from dataclasses import dataclass, field

from refloop_sandbox.exports.files import BadRow, Entry
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

_LIMIT = 80  # User.LastName


@dataclass
class Owners:
    """Makes a user of each CRM for each owner that it meets; capitals make no difference."""

    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def cells(self, entry: Entry) -> dict[str, object]:
        """The cell that names the owner of a row; none where nobody is named. Raises BadRow for too long a name."""
        text = entry.cells.get("owner")
        if text is None:
            return {}
        if len(text) > _LIMIT:
            raise BadRow(f"owner is longer than {_LIMIT} characters")
        key = entry.crm, text.casefold()
        if key not in self._ids:
            self._ids[key] = self._made(entry.crm, text)
        return {"OwnerId" if entry.crm == "salesforce" else "hubspot_owner_id": self._ids[key]}

    def _made(self, crm: str, text: str) -> str:
        first, _, last = ("", "", text) if "@" in text else text.rpartition(" ")
        email = text if "@" in text else f"owner{len(self._ids)}@local.example"
        if crm == "hubspot":
            return self.hubspot.add_owner(email, first, last)
        return self.salesforce.load(
            "User", [{"FirstName": first, "LastName": last, "Username": email, "Email": email}]
        )[0]
