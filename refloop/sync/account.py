"""Which account a connection leads to: never another one than before."""

from __future__ import annotations

from datetime import timedelta

from refloop.connectors.base import Accounts, Connector, answer_of
from refloop.errors import OtherAccount
from refloop.ledger.accounts import account_of, keep_account, said_since
from refloop.model import Account
from refloop.sync.context import RunContext

_FRESH = timedelta(days=1)


def refuse_other_account(context: RunContext, name: str, connector: Connector) -> Account | None:
    """Asks the account of a connection which one it is. Gives what it says, None where it cannot say anything.

    Raises OtherAccount when the ledger's records are of another one; what the connector raises.
    """
    if not isinstance(connector, Accounts):
        return None
    before = account_of(context.ledger, name)
    known = said_since(context.ledger, name, context.clock() - _FRESH)
    said = answer_of(name, lambda: connector.account(known))
    if before and before.id and said.id and before.id != said.id:
        raise OtherAccount(
            f"the ledger's records are of the account {before.id}, and the connection leads to {said.id}; "
            "nothing was read or written there",
            remedy="Correct the connection's key or url; or use a ledger of its own for the other account.",
        )
    return said


def confirm_account(context: RunContext, name: str, connector: Connector) -> None:
    """The same, and keeps what it says. What an account does not tell today stands as it told it before."""
    said = refuse_other_account(context, name, connector)
    if said is None or said == said_since(context.ledger, name, context.clock() - _FRESH):
        return
    before = account_of(context.ledger, name) or Account()
    told = Account(said.id or before.id, said.zone or before.zone, said.currency or before.currency)
    keep_account(context.ledger, context.run, name, told, context.clock())
