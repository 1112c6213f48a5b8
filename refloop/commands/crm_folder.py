"""The folder in which the local CRMs keep what outlasts a start: their credentials, and a configuration that works."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from refloop.atomic_file import replacing
from refloop.config import SecretRef
from refloop.errors import ConfigError, DiskError

CLIENT_ID = "refloop-local"
_HEAD = """\
# refloop against the local CRMs that `refloop sandbox` serves. That command writes this file anew whenever it starts; a
# copy of your own: `refloop init --sandbox`.
"""
_CONFIG = """\
version: 1
connections:
  salesforce:
    connector: salesforce
    url: {salesforce}
    currency: {currency}
    code_fields: {salesforce_fields}
    auth:
      method: client_credentials
      client_id: {client_id}
      client_secret: {secret}
  hubspot:
    connector: hubspot
    url: {hubspot}
    code_fields: {hubspot_fields}
    auth:
      method: service_key
      token: {token}
"""
_SERVED = re.compile(r"^    url: (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens the local CRMs, and where the configuration finds it."""

    salesforce_secret: str
    hubspot_token: str
    secret_at: SecretRef
    token_at: SecretRef


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the local CRMs are served, the currency of the org, and the fields that carry codes, by connection."""

    salesforce: str
    hubspot: str
    currency: str
    code_fields: Mapping[str, Mapping[str, list[str]]]


@dataclass(frozen=True, slots=True)
class SandboxFolder:
    """A folder of the local CRMs' own, open to its owner alone. Raises DiskError where the disk refuses."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    def made(self) -> SandboxFolder:
        """The folder, which is there now."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DiskError(
                f"cannot make the folder {self.path}: {error.strerror}", remedy="Name another one: `--dir DIR`."
            ) from None
        return self

    def credentials(self) -> Credentials:
        """Those of the environment, else those that were kept, else new ones; kept for the next start."""
        secret_at = self._kept("salesforce.secret", "REFLOOP_LOCAL_SALESFORCE_SECRET", secrets.token_urlsafe(16))
        token_at = self._kept("hubspot.token", "REFLOOP_LOCAL_HUBSPOT_TOKEN", f"pat-na1-{secrets.token_hex(16)}")
        return Credentials(secret_at.reveal(), token_at.reveal(), secret_at, token_at)

    def _kept(self, name: str, variable: str, new: str) -> SecretRef:
        file = self.path.absolute() / name
        given = os.environ.get(variable)
        if given or not file.exists():
            self.write(name, (given or new) + "\n")
        return SecretRef(f"file:{file}")

    def write(self, name: str, text: str) -> None:
        """Puts a private file in place."""
        try:
            with replacing(self.path / name) as file:
                file.write(text)
        except OSError as error:
            raise DiskError(
                f"cannot write {self.path / name}: {error.strerror}", remedy="Name another folder: `--dir DIR`."
            ) from None

    def write_config(self, credentials: Credentials, addresses: Addresses) -> str:
        """Writes a configuration that works while the CRMs are served; gives it, without what only this file says."""
        text = _CONFIG.format(
            salesforce=addresses.salesforce,
            hubspot=addresses.hubspot,
            currency=addresses.currency,
            client_id=CLIENT_ID,
            secret=json.dumps(str(credentials.secret_at), ensure_ascii=False),
            token=json.dumps(str(credentials.token_at), ensure_ascii=False),
            salesforce_fields=json.dumps(addresses.code_fields["salesforce"]),
            hubspot_fields=json.dumps(addresses.code_fields["hubspot"]),
        )
        self.write("config.yaml", _HEAD + text)
        return text

    def last_config(self) -> tuple[str, list[str]]:
        """The configuration of the last start, and the addresses in it. Raises ConfigError where there was none."""
        try:
            text = self.config.read_text(encoding="utf-8").removeprefix(_HEAD)
        except FileNotFoundError:
            raise ConfigError(
                f"no local CRMs were started from {self.path} yet",
                remedy="Run `refloop sandbox` in another terminal and leave it running, then this again.",
            ) from None
        except OSError as error:
            raise DiskError(f"cannot read {self.config}: {error.strerror}", remedy="Name another folder.") from None
        return text, _SERVED.findall(text)


def sandbox_folder(named: Path | None) -> SandboxFolder:
    """The folder that is named, else the usual one of this user. Raises ConfigError where there is no home."""
    if named is not None:
        return SandboxFolder(named.absolute())
    data = os.environ.get("XDG_DATA_HOME", "")
    try:
        return SandboxFolder((Path(data) if data.startswith("/") else Path.home() / ".local/share") / "refloop-sandbox")
    except RuntimeError:
        raise ConfigError("cannot tell where your home is", remedy="Name a folder: `--dir DIR`.") from None
