"""refloop closes the referral loop inside the CRM."""

from importlib.metadata import version

__version__ = version("refloop")
