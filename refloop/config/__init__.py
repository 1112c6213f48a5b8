"""config.yaml -> frozen, checked `Config`; every fault reported at once, with line and key."""

from refloop.config.load import load_config
from refloop.config.secret import SecretRef
from refloop.config.settings import Attribution, Config, ConnectionSettings, Fields, Matching, Section, Sync, in_editors
from refloop.config.template import TEMPLATE, write_new

__all__ = [
    "TEMPLATE",
    "Attribution",
    "Config",
    "ConnectionSettings",
    "Fields",
    "Matching",
    "SecretRef",
    "Section",
    "Sync",
    "in_editors",
    "load_config",
    "write_new",
]
