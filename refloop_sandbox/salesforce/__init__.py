"""A Salesforce org on loopback, for tests, the demo and trying things out.

It is built from Salesforce's documents and answers unchanged clients of others (simple-salesforce, jsforce, sf,
tap-salesforce). It holds no customer code: no triggers or flows, and no locks or validation rules but those asked
for by `lock`, `add_validation_rule` and `refuse_next`.
"""

from refloop_sandbox.salesforce.errors import ApiError, RecordError
from refloop_sandbox.salesforce.lifecycle import ConvertedIds
from refloop_sandbox.salesforce.local import LocalSalesforce, Transaction
from refloop_sandbox.salesforce.standard import Features

__all__ = ["ApiError", "ConvertedIds", "Features", "LocalSalesforce", "RecordError", "Transaction"]
