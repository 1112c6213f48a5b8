"""The Salesforce connector."""

from refloop.connectors.salesforce.connector import Salesforce
from refloop.connectors.salesforce.settings import SalesforceSettings

__all__ = ["Salesforce", "SalesforceSettings"]
