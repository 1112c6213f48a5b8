"""The CRM in memory keeps the contract; a connector with any one fault does not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from refloop.errors import ConfigError, CrmUnavailable, LedgerError
from refloop.model import (
    Account,
    Everything,
    FieldChange,
    FieldHistory,
    FieldSpec,
    Finding,
    Page,
    Receipt,
    Ref,
    Since,
    Span,
    Verdict,
    Version,
    Word,
    WordKind,
)
from refloop.testing import ConnectorContract, MemoryConnector, MemoryCrm, RecallingConnector, World
from refloop.testing.memory import RememberingConnector
from refloop.testing.memory_api import Held

pytest_plugins = ("pytester",)


class TestMemory(ConnectorContract):
    @pytest.fixture
    def world(self) -> World:
        return MemoryCrm()


class TestMemoryWithoutConditions(ConnectorContract):
    @pytest.fixture
    def world(self) -> World:
        return MemoryCrm(connector_class=RecallingConnector)


class TellingConnector(RememberingConnector):
    """Declares what the CRM in memory has no need of."""

    def account(self, known: Account | None) -> Account:  # noqa: ARG002 - it is told anew
        self._crm.api_time(self._token.value)
        return Account("memory", "Europe/Berlin", "EUR")

    def foresee(self, changes: Sequence[FieldChange]) -> None:
        there = set(self._crm.api_fields(self._token.value))
        for change in changes:
            if (change.ref.kind, change.field.name) not in there:
                raise ConfigError(f"{change.ref.kind}: no field {change.field.name}", remedy="Run `refloop provision`.")

    def words(self) -> Iterator[Word]:
        labels = {label for link in self._crm._links.values() for label in link.labels}
        yield from (Word(WordKind.ROLE, label, "links", count=1) for label in sorted(labels))


class TestMemoryThatTells(ConnectorContract):
    @pytest.fixture
    def world(self) -> World:
        return MemoryCrm(connector_class=TellingConnector)


class DropsTheLastPage(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        pages = list(super().pull(fields, span))
        yield from pages[:-1] or pages


class MissesTies(MemoryConnector):
    """Asks for what is strictly later than its watermark, and does not look back."""

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        mark = datetime.fromisoformat(json.loads(span.cursor.text)["until"]) if isinstance(span, Since) else None
        for page in super().pull(fields, span):
            yield replace(page, records=tuple(r for r in page.records if mark is None or r.modified_at > mark))


class ForgetsThePageItStoppedAt(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        pages = list(super().pull(fields, span))
        for page in pages:
            yield replace(page, cursor=pages[-1].cursor)


class TakesAnyCursor(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        try:
            yield from super().pull(fields, span)
        except LedgerError:
            yield from super().pull(fields, Everything())


class TakesACutAnswerForTheEnd(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        with contextlib.suppress(CrmUnavailable):
            yield from super().pull(fields, span)


class ForgetsDeletes(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        for page in super().pull(fields, span):
            yield replace(page, records=tuple(record for record in page.records if not record.deleted))


class NeverTakesALinkBack(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        for page in super().pull(fields, span):
            yield replace(page, whole=())


class BringsFieldsNobodyWants(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        return self._span(span) if fields else iter(())


class CallsNaiveTimesUtc(MemoryConnector):
    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        for page in super().pull(fields, span):
            naive = (replace(record, modified_at=record.modified_at.replace(tzinfo=None)) for record in page.records)
            yield replace(page, records=tuple(naive))


class OverwritesAPerson(MemoryConnector):
    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        held = self.read([change.ref for change in changes], [change.field for change in changes])
        now = [replace(change, before=held.get(change.ref, {}).get(change.field.name)) for change in changes]
        for change, receipt in zip(changes, super().push(now), strict=True):
            yield replace(receipt, change=change)


class ShufflesReceipts(MemoryConnector):
    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        yield from sorted(super().push(changes), key=lambda receipt: str(receipt.change.ref))


class LosesAReceipt(MemoryConnector):
    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        receipts = list(super().push(changes))
        yield from (receipt for receipt in receipts if receipt.verdict is not Verdict.REFUSED)


class CallsABrokenWriteDone(MemoryConnector):
    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        for receipt in super().push(changes):
            broken = receipt.verdict is Verdict.UNKNOWN
            yield replace(receipt, verdict=Verdict.WRITTEN) if broken else receipt


class RepeatsABrokenWrite(MemoryConnector):
    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:
        errors, broken = super()._write(values, seen)
        return super()._write(values, seen) if broken else (errors, broken)


class HoldsTheBatchBack(MemoryConnector):
    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:
        errors, broken = super()._write(values, seen)
        return dict.fromkeys(values, "the batch was refused") if errors else {}, broken


class SendsEveryFieldItKnows(MemoryConnector):
    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:
        held = self._crm.api_read(self._token.value, list(values))
        return super()._write({ref: {**held.get(ref, {}), **own} for ref, own in values.items()}, seen)


class WritesWhateverCameInBetween(MemoryConnector):
    def _write(self, values: Held, seen: Held) -> tuple[Mapping[Ref, str], bool]:  # noqa: ARG002 - that is the fault
        return super()._write(values, {})


class TellsOfAnOverwriteButNotOfWhat(RecallingConnector):
    def recall(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        for receipt in super().recall(changes):
            yield replace(receipt, found=None)


class CriesWolf(RecallingConnector):
    def recall(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        for receipt in super().recall(changes):
            yield replace(receipt, overwrote=True)


class ReadsWhatIsGone(MemoryConnector):
    def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Mapping[Ref, Mapping[str, str]]:
        return {ref: {} for ref in refs} | dict(super().read(refs, fields))


class ShowsItsToken(MemoryConnector):
    def __repr__(self) -> str:
        return f"<{self._token.value}>"


class CreatesWhileItChecks(MemoryConnector):
    def check(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        findings = list(super().check(fields))
        list(self.provision(fields))
        yield from findings


class IsAnotherAccountEachTime(TellingConnector):
    def account(self, known: Account | None) -> Account:
        return replace(super().account(known), id=f"{id(self)}")


class AsksForTheAccountTwice(TellingConnector):
    def account(self, known: Account | None) -> Account:
        super().account(known)
        return super().account(known)


class TellsTheNewestFirst(TellingConnector):
    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        for history in super().histories(refs):
            yield replace(history, versions=history.versions[::-1])


class ForgetsOurOwnCode(TellingConnector):
    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        return (history for history in super().histories(refs) if history.field != "ref_code")


class TellsThePastOfOneRecord(TellingConnector):
    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        return super().histories(refs[:1])


class TellsOfTheGone(TellingConnector):
    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        yield from super().histories(refs)
        for ref in refs:
            if (row := self._crm._rows.get(ref)) and row.record.deleted:
                yield FieldHistory(ref, "code", tuple(Version(at, texts.get("code")) for at, texts in row.texts))


class CallsAHistoryWholeThatIsCut(TellingConnector):
    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        for history in super().histories(refs):
            yield replace(history, versions=history.versions[1:])


class ForeseesNothing(TellingConnector):
    def foresee(self, changes: Sequence[FieldChange]) -> None:
        """Finds all well."""


class ForeseesTooMuch(TellingConnector):
    def foresee(self, changes: Sequence[FieldChange]) -> None:
        names = {name for _, name in self._crm.api_fields(self._token.value)}
        if any((change.ref.kind, name) not in self._crm._schema for change in changes for name in names):
            raise ConfigError("a field is missing", remedy="Run `refloop provision`.")


class TriesInsteadOfForeseeing(TellingConnector):
    def foresee(self, changes: Sequence[FieldChange]) -> None:
        super().foresee(changes)
        list(self.push(changes))


class SaysEachWordTwice(TellingConnector):
    def words(self) -> Iterator[Word]:
        words = list(super().words())
        yield from (*words, *words)


class KnowsNoWords(TellingConnector):
    def words(self) -> Iterator[Word]:
        yield from ()


FAULTS: list[tuple[type[MemoryConnector], str]] = [
    (DropsTheLastPage, "test_everything_brings_every_record_of_every_kind"),
    (MissesTies, "test_no_record_is_missed_at_one_moment"),
    (ForgetsThePageItStoppedAt, "test_a_pull_goes_on_after_any_page"),
    (TakesAnyCursor, "test_a_cursor_from_the_future_is_refused"),
    (TakesAnyCursor, "test_a_cursor_that_is_none_of_ours_is_refused"),
    (TakesACutAnswerForTheEnd, "test_a_garbled_answer_ends_the_pull_and_loses_nothing"),
    (ForgetsDeletes, "test_deletes_are_seen"),
    (NeverTakesALinkBack, "test_links_come_and_go"),
    (BringsFieldsNobodyWants, "test_only_the_fields_asked_for_are_brought"),
    (CallsNaiveTimesUtc, "test_a_person_is_brought_as_she_stands"),
    (OverwritesAPerson, "test_what_a_person_wrote_is_not_overwritten"),
    (WritesWhateverCameInBetween, "test_what_a_person_writes_right_before_us_is_kept_or_told"),
    (TellsOfAnOverwriteButNotOfWhat, "test_what_a_person_writes_right_before_us_is_kept_or_told"),
    (CriesWolf, "test_what_a_person_writes_right_before_us_is_kept_or_told"),
    (ShufflesReceipts, "test_more_changes_than_a_batch_keep_their_order"),
    (LosesAReceipt, "test_a_poisoned_record_does_not_hold_back_the_others"),
    (CallsABrokenWriteDone, "test_a_write_that_broke_off_is_told_as_it_is"),
    (RepeatsABrokenWrite, "test_a_write_that_broke_off_is_told_as_it_is"),
    (HoldsTheBatchBack, "test_a_poisoned_record_does_not_hold_back_the_others"),
    (SendsEveryFieldItKnows, "test_all_changes_of_a_record_are_one_write_of_just_these"),
    (ReadsWhatIsGone, "test_read_leaves_out_what_is_gone"),
    (ShowsItsToken, "test_no_repr_shows_a_secret"),
    (CreatesWhileItChecks, "test_check_writes_nothing"),
    (IsAnotherAccountEachTime, "test_an_account_stays_the_one_that_it_is"),
    (AsksForTheAccountTwice, "test_an_account_stays_the_one_that_it_is"),
    (TellsTheNewestFirst, "test_what_fields_held_is_told_oldest_first"),
    (ForgetsOurOwnCode, "test_what_fields_held_is_told_oldest_first"),
    (TellsThePastOfOneRecord, "test_of_many_records_each_past_is_told"),
    (TellsOfTheGone, "test_what_is_gone_has_no_past"),
    (CallsAHistoryWholeThatIsCut, "test_a_whole_history_begins_with_the_record"),
    (ForeseesNothing, "test_what_cannot_be_written_is_foreseen"),
    (ForeseesTooMuch, "test_what_cannot_be_written_is_foreseen"),
    (TriesInsteadOfForeseeing, "test_what_cannot_be_written_is_foreseen"),
    (SaysEachWordTwice, "test_words_are_said_as_people_read_them"),
    (KnowsNoWords, "test_words_are_said_as_people_read_them"),
]


class _Plugin:
    """Gives the inner pytest run its world."""

    def __init__(self, make: Callable[[], World]) -> None:
        self._make = make

    @pytest.fixture
    def world(self) -> World:
        return self._make()


@pytest.mark.parametrize(("connector", "test"), FAULTS)
def test_the_contract_catches(pytester: pytest.Pytester, connector: type[MemoryConnector], test: str) -> None:
    pytester.makepyfile("from refloop.testing import ConnectorContract\nclass TestIt(ConnectorContract): pass")
    plugin = _Plugin(lambda: MemoryCrm(connector_class=connector))
    # without the plugin of Hypothesis, which the inner run would import anew
    result = pytester.inline_run("-k", test, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", plugins=[plugin])
    _, _, failed = result.listoutcomes()
    assert failed
    assert all("AssertionError" in str(report.longrepr) or "DID NOT RAISE" in str(report.longrepr) for report in failed)
