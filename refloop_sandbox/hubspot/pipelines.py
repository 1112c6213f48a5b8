"""Pipelines and their stages: what a deal's or a lead's stage means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from refloop_sandbox.hubspot.errors import Refusal, bad_request, error_body
from refloop_sandbox.hubspot.json_body import mapping, whole
from refloop_sandbox.hubspot.schema import DEALS, LEADS, ObjectType

_BEGINNING = "1970-01-01T00:00:00Z"
_DEFAULT_STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
_LEAD_STAGES = (
    ("new-stage-id", "New", {"leadState": "NEW"}),
    ("attempting-stage-id", "Attempting", {"leadState": "IN_PROGRESS"}),
    ("connected-stage-id", "Connected", {"leadState": "IN_PROGRESS"}),
    ("qualified-stage-id", "Qualified", {"leadState": "QUALIFIED"}),
    ("unqualified-stage-id", "Disqualified", {"leadState": "UNQUALIFIED"}),
)


@dataclass
class Stage:
    """`metadata` values are text: `{"isClosed": "true", "probability": "1.0"}` (HubSpot pipelines API)."""

    id: str
    label: str
    metadata: dict[str, str]
    order: int = 0
    changed: str = _BEGINNING
    archived: bool = False

    @property
    def closed(self) -> bool:
        return self.metadata.get("isClosed") == "true"

    @property
    def won(self) -> bool:
        return self.closed and float(self.metadata.get("probability", "0")) == 1.0

    def shown(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "displayOrder": self.order,
            "metadata": dict(self.metadata),
            "createdAt": _BEGINNING,
            "updatedAt": self.changed,
            "archived": self.archived,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "id": self.id,
        }


@dataclass
class Pipeline:
    id: str
    label: str
    stages: dict[str, Stage] = field(default_factory=dict)
    order: int = 0
    changed: str = _BEGINNING

    def shown(self) -> dict[str, Any]:
        stages = sorted(self.stages.values(), key=lambda stage: stage.order)
        return {
            "label": self.label,
            "displayOrder": self.order,
            "stages": [stage.shown() for stage in stages],
            "createdAt": _BEGINNING,
            "updatedAt": self.changed,
            "archived": False,
            "id": self.id,
        }


class Pipelines:
    """The pipelines of deals and leads. Ids of custom stages are numeric text."""

    def __init__(self) -> None:
        self._next_id = 90_000_000
        default = Pipeline("default", "Sales Pipeline")
        for stage_id, label, probability in _DEFAULT_STAGES:
            closed = "true" if stage_id.startswith("closed") else "false"
            metadata = {"isClosed": closed, "probability": probability}
            default.stages[stage_id] = Stage(stage_id, label, metadata, len(default.stages))
        leads = Pipeline("lead-pipeline-id", "Lead Pipeline")
        for stage_id, label, metadata in _LEAD_STAGES:
            leads.stages[stage_id] = Stage(stage_id, label, dict(metadata), len(leads.stages))
        self._of = {DEALS.name: {default.id: default}, LEADS.name: {leads.id: leads}}

    def kept(self) -> dict[str, Any]:
        """All pipelines as JSON has them."""
        of = {name: [asdict(one) for one in pipelines.values()] for name, pipelines in self._of.items()}
        return {"next_id": self._next_id, "of": of}

    def reopen(self, kept: Mapping[str, Any]) -> None:
        """Puts the pipelines that were kept in the place of these."""
        self._next_id = kept["next_id"]
        for name, pipelines in kept["of"].items():
            self._of[name] = {one["id"]: _pipeline(one) for one in pipelines}

    def all(self, kind: ObjectType) -> Mapping[str, Pipeline]:
        """By id. Raises Refusal for an object without pipelines."""
        if kind.name not in self._of:
            raise bad_request(f"Object type {kind.type_id} does not support pipelines.")
        return self._of[kind.name]

    def find(self, kind: ObjectType, pipeline_id: str) -> Pipeline:
        found = self.all(kind).get(pipeline_id)
        if found is None:
            raise _missing("Pipeline", pipeline_id)
        return found

    def find_stage(self, kind: ObjectType, pipeline_id: str, stage_id: str) -> Stage:
        found = self.find(kind, pipeline_id).stages.get(stage_id)
        if found is None:
            raise _missing("Stage", stage_id)
        return found

    def stage(self, kind: ObjectType, stage_id: str) -> tuple[Pipeline, Stage] | None:
        """The stage and the pipeline it is in, wherever that is."""
        if kind.name in self._of:
            for pipeline in self._of[kind.name].values():
                if stage_id in pipeline.stages:
                    return pipeline, pipeline.stages[stage_id]
        return None

    def add(self, kind: ObjectType, label: str, stages: Iterable[Mapping[str, Any]]) -> Pipeline:
        """Adds a pipeline. Raises Refusal when the label is taken or a stage is unsound."""
        others = self.all(kind)
        if any(other.label == label for other in others.values()):
            raise Refusal(409, error_body(f"A pipeline labelled '{label}' already exists.", "CONFLICT"))
        pipeline = Pipeline(self.new_id(), label, order=len(others))
        for stage in stages:
            self._fill(kind, pipeline, stage)
        self._of[kind.name][pipeline.id] = pipeline
        return pipeline

    def add_stage(self, kind: ObjectType, pipeline_id: str, body: Mapping[str, Any]) -> Stage:
        return self._fill(kind, self.find(kind, pipeline_id), body)

    def remove(self, kind: ObjectType, pipeline_id: str) -> None:
        self.find(kind, pipeline_id)
        del self._of[kind.name][pipeline_id]

    def remove_stage(self, kind: ObjectType, pipeline_id: str, stage_id: str) -> None:
        self.find_stage(kind, pipeline_id, stage_id)
        del self.find(kind, pipeline_id).stages[stage_id]

    def _fill(self, kind: ObjectType, pipeline: Pipeline, body: Mapping[str, Any]) -> Stage:
        label = str(body.get("label") or "")
        if not label:
            raise bad_request("Some required fields were not set: [label]")
        metadata = checked_metadata(kind, mapping(body, "metadata"))
        stage = Stage(str(body.get("stageId") or self.new_id()), label, metadata)
        stage.order = whole(body, "displayOrder", len(pipeline.stages))
        pipeline.stages[stage.id] = stage
        return stage

    def new_id(self) -> str:
        """The id of a stage or pipeline that the account makes for itself."""
        self._next_id += 1
        return str(self._next_id)


def _pipeline(kept: Mapping[str, Any]) -> Pipeline:
    stages = {stage_id: Stage(**stage) for stage_id, stage in kept["stages"].items()}
    return Pipeline(**{**kept, "stages": stages})


def checked_metadata(kind: ObjectType, metadata: Mapping[str, Any]) -> dict[str, str]:
    """A deal stage needs a probability from 0.0 to 1.0 in steps of 0.1; 0 and 1 close the deal."""
    if kind is not DEALS:
        return {str(key): str(value) for key, value in metadata.items()}
    try:
        probability = round(float(str(metadata["probability"])), 1)
    except (KeyError, ValueError):
        raise bad_request("Deal stage metadata needs a probability between 0.0 and 1.0.") from None
    if not 0 <= probability <= 1:
        raise bad_request("Deal stage metadata needs a probability between 0.0 and 1.0.")
    closed = str(metadata.get("isClosed", "true" if probability in (0, 1) else "false")).lower()
    return {"isClosed": closed, "probability": str(probability)}


def _missing(what: str, wanted: str) -> Refusal:
    return Refusal(404, error_body(f"{what} ID '{wanted}' does not exist.", "OBJECT_NOT_FOUND"))
