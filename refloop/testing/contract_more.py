"""What a connector declares besides (`Accounts`, `Histories`, `Foresees`, `Words`, `Describes`): it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest

from refloop.connectors.base import Accounts, Connector, Describes, Foresees, Histories, Words
from refloop.errors import AuthError, ConfigError
from refloop.model import Everything, FieldChange, FieldHistory, FieldSpec, Kind, Ref, Relation, WordKind
from refloop.testing.contract_pull import HOUR, everything
from refloop.testing.contract_setup import ContractBase, letters
from refloop.testing.world import Draft, World

SLACK = timedelta(minutes=1)
"""By how much a CRM's clocks may differ: the time of a field's change is not always that of the record's save."""

NOT_DECLARED = "this connector does not declare it"


def pasts(world: World, ours: Sequence[FieldSpec], refs: Sequence[Ref]) -> dict[tuple[Ref, str], FieldHistory]:
    """What a new connector tells after a pull, by record and field; each once."""
    connector = world.connector()
    assert isinstance(connector, Histories)
    list(connector.pull(ours, Everything()))
    told = list(connector.histories(refs))
    connector.close()
    found = {(history.ref, history.field): history for history in told}
    assert len(found) == len(told), "the past of a field is told once"
    return found


def foreseen(foresees: Foresees, refs: Sequence[Ref], *fields: FieldSpec) -> ConfigError | AuthError | None:
    """What a connector raises of writing to fields of records that stand empty; None where it is content."""
    try:
        foresees.foresee([FieldChange(ref, field, None, "won", "test") for ref in refs for field in fields])
    except (ConfigError, AuthError) as error:
        return error
    return None


class MoreContract(ContractBase):
    @pytest.fixture
    def past(self, world: World, connector: Connector) -> None:
        """The CRM keeps the past from now on."""
        if not isinstance(connector, Histories):
            pytest.skip(NOT_DECLARED)
        world.remember()

    @pytest.fixture
    def accounts(self, connector: Connector) -> Accounts:
        if not isinstance(connector, Accounts):
            pytest.skip(NOT_DECLARED)
        return connector

    @pytest.fixture
    def foresees(self, connector: Connector) -> Foresees:
        if not isinstance(connector, Foresees):
            pytest.skip(NOT_DECLARED)
        return connector

    @pytest.fixture
    def words(self, connector: Connector) -> Words:
        if not isinstance(connector, Words):
            pytest.skip(NOT_DECLARED)
        return connector

    @pytest.mark.usefixtures("past")
    def test_what_fields_held_is_told_oldest_first(self, world: World, ours: Sequence[FieldSpec]) -> None:
        for kind in world.kinds:
            ref = world.create(kind, Draft(email=f"{kind}@example.com", title="Acme", code="ANNA-10"))
            (place,) = everything(world, ours).records[ref].texts
            moments = []
            for act in (
                partial(world.edit, ref, "BOB-20"),
                partial(world.write, ref, ours[0], "CARL-30"),
                partial(world.write, ref, ours[1], "won"),
                partial(world.edit, ref, ""),
            ):
                world.pass_time(HOUR)
                act()
                moments.append(everything(world, ours).records[ref].modified_at)
            found = pasts(world, ours, [ref])
            assert set(found) == {(ref, place), (ref, ours[0].name)}, "of fields with codes, and of our own code field"
            _as_it_went(found[ref, place], [(None, "ANNA-10"), (moments[0], "BOB-20"), (moments[3], None)])
            _as_it_went(found[ref, ours[0].name], [(None, None), (moments[1], "CARL-30")])

    @pytest.mark.usefixtures("past")
    def test_a_whole_history_begins_with_the_record(self, world: World, ours: Sequence[FieldSpec]) -> None:
        refs = [world.create(Kind.CONTACT, Draft(email="a@example.com", code="ANNA-10"))]
        refs.append(world.create(Kind.CONTACT, Draft(email="b@example.com")))
        world.pass_time(HOUR)
        for ref in refs:
            world.edit(ref, "BOB-20")
        records = everything(world, ours).records
        for (ref, _), history in pasts(world, ours, refs).items():
            if history.is_whole:
                assert abs(history.versions[0].at - records[ref].created_at) < SLACK
                assert history.versions[0].text == ("ANNA-10" if ref == refs[0] else None)

    @pytest.mark.usefixtures("past")
    def test_of_many_records_each_past_is_told(self, world: World, ours: Sequence[FieldSpec]) -> None:
        drafts = [Draft(email=f"{number}@example.com", code="ANNA-10") for number in range(2 * world.page_size + 1)]
        refs = [world.create(Kind.CONTACT, draft) for draft in drafts]
        world.pass_time(HOUR)
        for ref in refs:
            world.edit(ref, "BOB-20")
        assert {ref for ref, _ in pasts(world, ours, [*refs, refs[0]])} == set(refs)
        assert pasts(world, ours, []) == {}

    @pytest.mark.usefixtures("past")
    def test_what_is_gone_has_no_past(self, world: World, ours: Sequence[FieldSpec]) -> None:
        for kind in world.kinds:
            kept, gone, loser, survivor = (
                world.create(kind, Draft(email=f"{number}@{kind}.example", code="ANNA-10")) for number in range(4)
            )
            world.pass_time(HOUR)
            for ref in (kept, gone, loser):
                world.edit(ref, "BOB-20")
            world.delete(gone)
            if kind in world.merges:
                world.merge(loser, survivor)
            else:
                world.delete(loser)
            strange = [Ref(world.connection, kind, text) for text in ("", "no id", "' OR Id != '", "9" * 400)]
            elsewhere = Ref("elsewhere", kind, kept.id)
            assert {ref for ref, _ in pasts(world, ours, [gone, elsewhere, *strange, loser, kept])} == {kept}

    def test_an_account_stays_the_one_that_it_is(self, world: World, connector: Connector, accounts: Accounts) -> None:
        said = accounts.account(None)
        assert said.id
        assert said.zone is None or ZoneInfo(said.zone)
        assert said.currency is None or re.fullmatch("[A-Z]{3}", said.currency)
        assert not any(secret in repr(said) for secret in world.secrets)
        before = sum(connector.calls().values())
        assert accounts.account(said) == said
        assert sum(connector.calls().values()) <= before + 1
        world.pass_time(25 * HOUR)
        again = world.connector()
        assert isinstance(again, Accounts)
        assert again.account(None).id == said.id
        again.close()

    def test_what_cannot_be_written_is_foreseen(
        self, world: World, foresees: Foresees, ours: Sequence[FieldSpec]
    ) -> None:
        kept, gone = ours[0], ours[1]
        refs = [world.create(kind, Draft(title="Acme")) for kind in world.kinds]
        assert foreseen(foresees, refs, kept, gone) is None
        world.drop_field(refs[0].kind, gone)
        again = world.connector()
        assert isinstance(again, Foresees)
        assert foreseen(again, [], gone) is None
        assert foreseen(again, refs, kept) is None, "it is not to be written to"
        assert foreseen(again, refs[1:], gone) is None, "the others have it"
        error = foreseen(again, refs, kept, gone)
        again.close()
        assert error
        assert error.remedy
        assert letters(gone.name) in letters(str(error))
        assert letters(kept.name) not in letters(str(error))
        assert [world.writes(ref) for ref in refs] == [[]] * len(refs)
        assert [world.stored(ref, kept) for ref in refs] == [None] * len(refs)

    def test_words_are_said_as_people_read_them(self, world: World, words: Words, ours: Sequence[FieldSpec]) -> None:
        deal = world.create(Kind.DEAL, Draft(title="Deal"))
        person = world.create(Kind.CONTACT, Draft(email="anna@example.com"))
        if world.roles:
            world.stand(deal, person, "Referred by")
        seen = everything(world, ours)
        said = list(words.words())
        assert all(isinstance(word.kind, WordKind) and word.word and word.place for word in said)
        assert len({(word.kind, word.place, word.word, word.also) for word in said}) == len(said), "each word once"
        assert all(word.count is None or word.count > 0 for word in said)
        by_kind = {kind: {word.word for word in said if word.kind is kind} for kind in WordKind}
        record = seen.records[deal]
        assert {record.pipeline} - {None} <= by_kind[WordKind.PIPELINE], "as the record has it"
        assert {record.deal_type} - {None} <= by_kind[WordKind.DEAL_TYPE], "as the record has it"
        if world.roles:
            (link,) = [link for name, link in seen.links.items() if name[:2] == (deal, Relation.ASSOCIATED_WITH)]
            assert link.labels == ("Referred by",)
            assert "Referred by" in by_kind[WordKind.ROLE]
        assert world.writes(deal) == []

    def test_fields_are_called_what_people_read_and_missing_ones_are_named(
        self, world: World, connector: Connector, ours: Sequence[FieldSpec]
    ) -> None:
        if not isinstance(connector, Describes):
            pytest.skip(NOT_DECLARED)
        said = connector.described(ours)
        assert said.lacking == frozenset()
        labels = {(one.kind, one.field): one.label for one in said.labels}
        assert all(
            labels[kind, field.name] == field.label for field in ours for kind in field.kinds if kind in world.kinds
        )
        before = connector.calls()
        assert connector.described(ours) == said
        assert connector.calls() == before or sum(connector.calls().values()) - sum(before.values()) <= 2
        gone = ours[0]
        kind = next(kind for kind in gone.kinds if kind in world.kinds)
        world.drop_field(kind, gone)
        with closing(world.connector()) as later:
            assert isinstance(later, Describes)
            assert later.described(ours).lacking == {(kind, gone.name)}


def _as_it_went(history: FieldHistory, expected: Sequence[tuple[datetime | None, str | None]]) -> None:
    """What a history tells is what happened: (when, where it says that; the text), oldest first.

    Of some fields a CRM tells that they changed, and not to what.
    """
    times = [version.at for version in history.versions]
    assert times == sorted(times), "oldest first"
    changes = [at for at, _ in expected if at is not None]
    if not all(version.is_told for version in history.versions):
        assert all(version.text is None for version in history.versions if not version.is_told)
        steps = [version.at for version in history.versions if not version.is_told]
    else:
        told = [next(some) for _, some in groupby(history.versions, key=lambda version: version.text)]
        assert [version.text for version in told] == [text for _, text in expected]
        steps = [version.at for version in told[1:]]
    assert len(steps) == len(changes)
    assert all(abs(step - at) < SLACK for step, at in zip(steps, changes, strict=True))
