"""What is run to prove a migration: the notebook's two copies, isolated, and the steps that make each ready.

A rehearsal is a migration itself, so the planner that refactors a notebook isolates its copies as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from brickyard.dbsql.model import Side
from brickyard.kernel.errors import GuardRefused
from brickyard.kernel.names import TableName
from brickyard.migrate.model.inputs import PlanOptions, Source
from brickyard.migrate.model.nouns import NotebookPlan, ReferenceRow, Verdict
from brickyard.migrate.model.runs import Pair, Step, World
from brickyard.migrate.plan import draft, finish, isolate, names, plan_notebooks, steps
from brickyard.migrate.plan.notebooks import Known
from brickyard.migrate.plan.reading import Library
from brickyard.migrate.plan.steps import ORIGINAL, REFACTORED, Place
from brickyard.migrate.plan.ties import Tie, tie


class NotIsolated(GuardRefused):
    """A copy could not be kept from touching what is not the run's."""

    code = "not-isolated"


@dataclass(frozen=True, slots=True)
class Planned:
    """The notebook's plan, those of the notebooks it runs, and how they were made."""

    main: NotebookPlan
    all: tuple[NotebookPlan, ...]
    options: PlanOptions

    @property
    def references(self) -> tuple[ReferenceRow, ...]:
        """What the notebook and those it runs name."""
        return tuple(row for plan in self.all for row in plan.references)

    @property
    def originals(self) -> dict[str, bytes]:
        """The texts as they were."""
        return {plan.path: plan.original_bytes for plan in self.all}

    @property
    def refactored(self) -> dict[str, bytes]:
        """The texts as they became; one that could not be planned stays as it was."""
        return {plan.path: plan.refactored_bytes or plan.original_bytes for plan in self.all}

    def mapped(self, name: TableName) -> TableName | None:
        """The refactored name of a legacy object that is read."""
        return names.target(name, Side.READ, self.options).name

    def canonical(self, name: TableName) -> TableName:
        """The name by which the rule pack speaks of a legacy object."""
        parts = (name.catalog, name.schema, name.name)
        return names.original(parts, None, None, self.options.pack) or name

    def informed(self, world: World, verdicts: Mapping[str, Verdict] | None = None) -> Planned:
        """The plan settled once more, with what the workspace shows and what was proved."""
        path = self.main.path
        made = draft(Source(path, self.main.original_bytes), self.options, Library(self.originals), (), _known(world))
        main = finish(made, verdicts or {})
        return replace(self, main=main, all=tuple(main if plan.path == path else plan for plan in self.all))


def plan_closure(sources: Mapping[str, bytes], path: str, options: PlanOptions) -> Planned:
    """Plan a notebook together with those it runs, at any depth."""
    library = Library(sources)
    wanted = [path]
    while True:
        plans = plan_notebooks([Source(p, sources[p]) for p in wanted], options).notebooks
        found = (library.find(plan.path, child) for plan in plans for child in plan.children)
        new = [child for child in dict.fromkeys(found) if child and child not in wanted]
        if not new:
            return Planned(next(p for p in plans if p.path == path), plans, options)
        wanted += new


def _known(world: World) -> Known:
    """What the conditions of rewrites ask of the workspace."""
    return Known(
        {
            str(o.name).lower(): frozenset(str(base).lower() for base in steps.views_under(o.name, world))
            for o in world.objects
            if o.is_view
        },
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """One side that is run: the steps that make it ready, its notebook, and where its tables are."""

    side: str
    steps: tuple[Step, ...]
    notebook: str
    names: steps.Names
    ties: Mapping[TableName, Tie] = field(default_factory=dict)  # by the table that is filled

    def table(self, name: TableName) -> TableName:
        """Where a table of the notebook is."""
        return self.names.get(name.folded(), name)


def onto(planned: Planned, found: Sequence[Pair], world: World, place: Place) -> tuple[Stage, ...]:
    """The literal way: clones on the refactored names, and the refactored notebook as it is."""
    clones = steps.clone_onto(found, world, place.mark)
    imports = steps.imports(place, REFACTORED, planned.refactored)
    return (Stage(REFACTORED, (*clones, *imports), steps.notebook_path(place, REFACTORED, planned.main.path), {}),)


def rehearsal(planned: Planned, found: Sequence[Pair], world: World, place: Place) -> tuple[Stage, ...]:
    """Both copies, each in a place of its own; raises NotIsolated where a copy would touch anything else."""
    return tuple(_stage(planned, found, world, place, side) for side in (ORIGINAL, REFACTORED))


def _stage(planned: Planned, found: Sequence[Pair], world: World, place: Place, side: str) -> Stage:
    layout = steps.layout(place, side, found, world)
    files = isolate.written_files(planned.references, place, side)
    texts = _isolated(planned, layout, files)
    views = {
        o.name.folded(): isolate.view_query(
            o.view_text, o.view_catalog or "", o.view_schema or "", layout.names, planned.canonical
        )
        for o in world.objects
        if o.view_text and o.name.folded() in layout.names
    }
    ready = steps.prepare(layout, found, world, views, volume=bool(files))
    imports = steps.imports(place, side, texts)
    path = steps.notebook_path(place, side, planned.main.path)
    return Stage(side, (*ready, *imports), path, layout.names, _ties(planned, layout, texts))


def _ties(planned: Planned, layout: steps.Layout, texts: Mapping[str, bytes]) -> dict[TableName, Tie]:
    """What ROW_NUMBER may pick in the side's targets, told by its isolated copy."""
    path = planned.main.path
    view = draft(Source(path, texts[path]), planned.options, Library(texts)).view
    targets = (layout.names[target.folded()] for target in layout.targets)
    return {target: found for target in targets if (found := tie(view, target))}


def _isolated(planned: Planned, layout: steps.Layout, files: Mapping[str, str]) -> dict[str, bytes]:
    """The side's texts with every name set to the rehearsal's, planned once more to see that none is left."""
    options, path = planned.options, planned.main.path
    texts, own_files = planned.originals, files
    if layout.side == REFACTORED:
        sent = replace(options, pack=isolate.redirected(options.pack, files)) if files else options
        texts, own_files = plan_closure(texts, path, sent).refactored, {}
    pack = isolate.isolation_pack(options.pack, layout.names, own_files)
    alone = replace(options, pack=pack, mappings={}, skip=frozenset(), require_proof=False)
    copies = plan_closure(texts, path, alone).refactored
    _refuse_leaks(layout, plan_closure(copies, path, alone).references)
    return copies


def _refuse_leaks(layout: steps.Layout, references: Iterable[ReferenceRow]) -> None:
    left = isolate.leaks(references, layout.names, layout.place)
    if left:
        raise NotIsolated(
            f"the {layout.side} copy would still touch {', '.join(left[:5])}, so nothing was run",
            remedy="give the values that the names depend on with --param, or map the path in the rule pack",
        )
