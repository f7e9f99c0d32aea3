"""What pipelines, their targets and their jobs are called."""

from __future__ import annotations

from brickyard.share.model.pack import PipelineSpec, ShareSpec


def schedule_name(pipeline: str) -> str:
    """Return the name of the job that starts a pipeline."""
    return f"{pipeline}_schedule"


def catalog_and_schema(share: ShareSpec, pipeline: PipelineSpec) -> tuple[str, str]:
    """Return where a pipeline writes to: by its own fields, else by those of its share; empty where neither says it."""
    place = share.delta_share
    catalog = pipeline.ext_catalog_name or (place.ext_catalog_name if place else "")
    schema = pipeline.ext_schema_name or (place.ext_schema_name if place else "")
    return catalog, schema


def target(share: ShareSpec, pipeline: PipelineSpec) -> str:
    """Return the name of a pipeline's table: the one that is given, else the last part of its source, with the prefix."""
    if pipeline.target_asset:
        return pipeline.target_asset
    last = pipeline.source_asset.rpartition(".")[2]
    prefix = (share.delta_share.prefix_assetname if share.delta_share else None) or ""
    return f"{prefix.rstrip('_')}_{last}" if prefix else last
