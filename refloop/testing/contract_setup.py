"""Credentials, our fields in the CRM, and what a connector says about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from refloop.connectors.base import Connector
from refloop.errors import AuthError
from refloop.model import Change, Everything, FieldSpec, Finding, Level, Verdict, Wants
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
    def wants(self, connector: Connector, fields: tuple[FieldSpec, ...]) -> Wants:  # noqa: ARG002 - it provisions
        """Our fields; the CRM has them."""
        return Wants(fields)


def errors(findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is Level.ERROR]


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


class SetupContract(ContractBase):
    def test_check_is_content_when_all_is_there(self, connector: Connector, wants: Wants) -> None:
        assert errors(connector.check(wants)) == []

    def test_check_names_each_missing_field(self, world: World, wants: Wants) -> None:
        gone = wants.fields[1]
        world.drop_field(world.kinds[0], gone)
        found = errors(world.connector().check(wants))
        assert any(_letters(gone.name) in _letters(f"{finding.place} {finding.message}") for finding in found)
        assert all(finding.remedy for finding in found)
        other = wants.fields[0].name
        assert not any(_letters(other) in _letters(f"{finding.place} {finding.message}") for finding in found)

    def test_check_writes_nothing(self, world: World, fields: tuple[FieldSpec, ...]) -> None:
        connector = world.connector()
        assert errors(connector.check(Wants(fields)))
        assert not any(world.has_field(kind, field) for kind in world.kinds for field in fields)
        connector.close()

    def test_bad_credentials_are_an_auth_error(self, world: World, wants: Wants) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        stranger = world.stranger()
        for act in (
            lambda: list(stranger.check(wants)),
            lambda: list(stranger.provision(wants.fields)),
            lambda: list(stranger.unprovision(wants.fields)),
            lambda: list(stranger.pull(wants, Everything())),
            lambda: list(stranger.push([Change(ref, wants.fields[0], None, "ANNA", "test")])),
            lambda: stranger.read([ref], wants.fields),
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
        assert errors(world.connector().check(Wants(fields))) == []
        connector.close()

    def test_provision_may_be_repeated(self, world: World, connector: Connector, wants: Wants) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        world.write(ref, wants.fields[0], "ANNA")
        world.drop_field(world.kinds[-1], wants.fields[2])
        for again in (connector, world.connector()):
            assert errors(again.provision(wants.fields)) == []
            assert world.has_field(world.kinds[-1], wants.fields[2])
        assert world.stored(ref, wants.fields[0]) == "ANNA"

    def test_unprovision_removes_what_provision_made(self, world: World, connector: Connector, wants: Wants) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme", code="ANNA-10"))
        world.write(ref, wants.fields[0], "ANNA")
        before = world.facts(ref)
        said = list(connector.unprovision(wants.fields))
        assert errors(iter(said)) == []
        assert not any(world.has_field(kind, field) for field in wants.fields for kind in field.kinds)
        told = [_letters(f"{finding.place} {finding.message}") for finding in said]
        for field in wants.fields:
            assert sum(_letters(field.name) in one for one in told) >= len(field.kinds)
        assert world.facts(ref) == before, "what is a person's own stays"
        assert len(errors(world.connector().check(wants))) >= len(wants.fields)

    def test_a_preview_of_unprovision_names_the_same_and_removes_nothing(
        self, world: World, connector: Connector, wants: Wants
    ) -> None:
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        world.write(ref, wants.fields[0], "ANNA")
        preview = list(connector.unprovision(wants.fields, preview=True))
        assert all(world.has_field(kind, field) for field in wants.fields for kind in field.kinds)
        assert world.stored(ref, wants.fields[0]) == "ANNA"
        assert errors(connector.check(wants)) == []
        removed = list(connector.unprovision(wants.fields))
        assert [(found.level, found.place) for found in preview] == [(found.level, found.place) for found in removed]
        assert not {found.message for found in preview} & {found.message for found in removed}

    def test_unprovision_may_be_repeated(self, world: World, connector: Connector, wants: Wants) -> None:
        world.drop_field(world.kinds[0], wants.fields[0])
        for again in (connector, connector, world.connector()):
            assert errors(again.unprovision(wants.fields)) == []
        assert not any(world.has_field(kind, field) for field in wants.fields for kind in field.kinds)

    def test_unprovision_leaves_what_it_is_not_told_of(self, world: World, connector: Connector, wants: Wants) -> None:
        gone, *others = wants.fields
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        world.write(ref, others[0], "won")
        assert errors(connector.unprovision([gone])) == []
        assert not any(world.has_field(kind, gone) for kind in gone.kinds)
        assert all(world.has_field(kind, field) for field in others for kind in field.kinds)
        assert world.stored(ref, others[0]) == "won"

    def test_provision_after_unprovision(self, world: World, connector: Connector, wants: Wants) -> None:
        list(connector.unprovision(wants.fields))
        assert errors(connector.provision(wants.fields)) == []
        assert errors(world.connector().check(wants)) == []
        ref = world.create(world.kinds[0], Draft(title="Acme"))
        receipts = list(connector.push([Change(ref, wants.fields[0], None, "ANNA", "test")]))
        assert [receipt.verdict for receipt in receipts] == [Verdict.WRITTEN]
        assert world.stored(ref, wants.fields[0]) == "ANNA"

    def test_unprovision_where_nothing_was_provisioned(self, world: World, fields: tuple[FieldSpec, ...]) -> None:
        connector = world.connector()
        assert errors(connector.unprovision(fields)) == []
        connector.close()

    def test_calls_are_counted(self, connector: Connector, wants: Wants) -> None:
        before = dict(connector.calls())
        list(connector.pull(wants, Everything()))
        after = dict(connector.calls())
        assert sum(after.values()) > sum(before.values())
        assert all(after[endpoint] >= count for endpoint, count in before.items())

    def test_no_repr_shows_a_secret(self, world: World, connector: Connector, wants: Wants) -> None:
        list(connector.pull(wants, Everything()))
        shown = f"{connector!r} {vars(connector)!r}"
        assert not any(secret in shown for secret in world.secrets)

    def test_close_may_be_repeated(self, world: World) -> None:
        connector = world.connector()
        connector.close()
        connector.close()
