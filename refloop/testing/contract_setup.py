"""Credentials, our fields in the CRM, and what a connector says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from refloop.connectors.base import Connector
from refloop.errors import AuthError
from refloop.model import Everything, FieldChange, FieldSpec, Finding, Level, Verdict
from refloop.testing.world import Draft, World, contract_fields


class ContractBase:
    """The fixtures that all parts of the contract share. `world` comes from the author."""

    @pytest.fixture
    def fields(self, world: World) -> tuple[FieldSpec, ...]:
        return contract_fields(world.kinds)

    @pytest.fixture
    def connector(self, world: World, fields: tuple[FieldSpec, ...]) -> Iterator[Connector]:
        """A connector whose CRM has our fields."""
        connector = world.connector()
        list(connector.provision(fields))
        yield connector
        connector.close()

    @pytest.fixture
    def ours(self, connector: Connector, fields: tuple[FieldSpec, ...]) -> Sequence[FieldSpec]:  # noqa: ARG002 - it provisions
        """Our fields; the CRM has them."""
        return fields


def errors(findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is Level.ERROR]


def letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


class SetupContract(ContractBase):
    def test_check_is_content_when_all_is_there(self, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        assert errors(connector.check(ours)) == []

    def test_check_names_each_missing_field(self, world: World, ours: Sequence[FieldSpec]) -> None:
        gone = ours[1]
        world.drop_field(world.kinds[0], gone)
        found = errors(world.connector().check(ours))
        assert any(letters(gone.name) in letters(f"{finding.place} {finding.message}") for finding in found)
        assert all(finding.remedy for finding in found)
        other = ours[0].name
        assert not any(letters(other) in letters(f"{finding.place} {finding.message}") for finding in found)

    def test_check_writes_nothing(self, world: World, fields: tuple[FieldSpec, ...]) -> None:
        connector = world.connector()
        assert errors(connector.check(fields))
        assert not any(world.has_field(kind, field) for kind in world.kinds for field in fields)
        connector.close()

    def test_bad_credentials_are_an_auth_error(self, world: World, ours: Sequence[FieldSpec]) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        stranger = world.stranger()
        for act in (
            lambda: list(stranger.check(ours)),
            lambda: list(stranger.provision(ours)),
            lambda: list(stranger.unprovision(ours)),
            lambda: list(stranger.pull(ours, Everything())),
            lambda: list(stranger.push([FieldChange(ref, ours[0], None, "ANNA", "test")])),
            lambda: stranger.read([ref], ours),
        ):
            with pytest.raises(AuthError) as refused:
                act()
            assert refused.value.remedy
            assert not any(secret in str(refused.value) for secret in world.secrets)
        assert world.writes(ref) == []
        stranger.close()

    def test_provision_creates_what_is_missing(self, world: World, fields: tuple[FieldSpec, ...]) -> None:
        connector = world.connector()
        assert errors(connector.provision(fields)) == []
        assert all(world.has_field(kind, field) for field in fields for kind in field.kinds)
        assert errors(world.connector().check(fields)) == []
        connector.close()

    def test_provision_may_be_repeated(self, world: World, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        world.write(ref, ours[0], "ANNA")
        world.drop_field(world.kinds[-1], ours[2])
        for again in (connector, world.connector()):
            assert errors(again.provision(ours)) == []
            assert world.has_field(world.kinds[-1], ours[2])
        assert world.stored(ref, ours[0]) == "ANNA"

    def test_unprovision_removes_what_provision_made(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme", code="ANNA-10"))
        world.write(ref, ours[0], "ANNA")
        before = world.facts(ref)
        said = list(connector.unprovision(ours))
        assert errors(iter(said)) == []
        assert not any(world.has_field(kind, field) for field in ours for kind in field.kinds)
        told = [letters(f"{finding.place} {finding.message}") for finding in said]
        for field in ours:
            assert sum(letters(field.name) in one for one in told) >= len(field.kinds)
        assert world.facts(ref) == before, "what is a person's own stays"
        assert len(errors(world.connector().check(ours))) >= len(ours)

    def test_a_preview_of_unprovision_names_the_same_and_removes_nothing(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        world.write(ref, ours[0], "ANNA")
        preview = list(connector.unprovision(ours, preview=True))
        assert all(world.has_field(kind, field) for field in ours for kind in field.kinds)
        assert world.stored(ref, ours[0]) == "ANNA"
        assert errors(connector.check(ours)) == []
        removed = list(connector.unprovision(ours))
        assert [(found.level, found.place) for found in preview] == [(found.level, found.place) for found in removed]
        assert not {found.message for found in preview} & {found.message for found in removed}

    def test_unprovision_may_be_repeated(self, world: World, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        world.drop_field(world.kinds[0], ours[0])
        for again in (connector, connector, world.connector()):
            assert errors(again.unprovision(ours)) == []
        assert not any(world.has_field(kind, field) for field in ours for kind in field.kinds)

    def test_unprovision_leaves_what_it_is_not_told_of(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        gone, *others = ours
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        world.write(ref, others[0], "won")
        assert errors(connector.unprovision([gone])) == []
        assert not any(world.has_field(kind, gone) for kind in gone.kinds)
        assert all(world.has_field(kind, field) for field in others for kind in field.kinds)
        assert world.stored(ref, others[0]) == "won"

    def test_provision_after_unprovision(self, world: World, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        list(connector.unprovision(ours))
        assert errors(connector.provision(ours)) == []
        assert errors(world.connector().check(ours)) == []
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        receipts = list(connector.push([FieldChange(ref, ours[0], None, "ANNA", "test")]))
        assert [receipt.verdict for receipt in receipts] == [Verdict.WRITTEN]
        assert world.stored(ref, ours[0]) == "ANNA"

    def test_unprovision_where_nothing_was_provisioned(self, world: World, fields: tuple[FieldSpec, ...]) -> None:
        connector = world.connector()
        assert errors(connector.unprovision(fields)) == []
        connector.close()

    def test_calls_are_counted(self, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        before = dict(connector.calls())
        list(connector.pull(ours, Everything()))
        after = dict(connector.calls())
        assert sum(after.values()) > sum(before.values())
        assert all(after[endpoint] >= count for endpoint, count in before.items())

    def test_no_repr_shows_a_secret(self, world: World, connector: Connector, ours: Sequence[FieldSpec]) -> None:
        list(connector.pull(ours, Everything()))
        shown = f"{connector!r} {vars(connector)!r}"
        assert not any(secret in shown for secret in world.secrets)

    def test_close_may_be_repeated(self, world: World) -> None:
        connector = world.connector()
        connector.close()
        connector.close()
