"""Performs one step, or looks whether it is done already: one call of Databricks a step, or a bounded few.

`perform` and `look` are the whole of it; after a lost reply, and in a run that is taken up again, the caller looks first.
An activation link goes to `Hands.seal` and nowhere else, never into a result.
"""

from brickyard.share.apply.hands import Hands, Result
from brickyard.share.apply.steps import look, perform, undoing

__all__ = ["Hands", "Result", "look", "perform", "undoing"]
