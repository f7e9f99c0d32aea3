"""Pure decisions of migrate: which edits, which mapping, which findings, which steps."""

from brickyard.migrate.plan.notebooks import Draft, draft, finish, plan_notebook, plan_notebooks

__all__ = ["Draft", "draft", "finish", "plan_notebook", "plan_notebooks"]
