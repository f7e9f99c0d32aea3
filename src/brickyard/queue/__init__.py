"""Jobs that outlive the process that asked for them: the task registry, the queue in PostgreSQL, its worker."""

from brickyard.queue.jobs import JobState, Queue
from brickyard.queue.registry import Task, companion, periodic, task

__all__ = ["JobState", "Queue", "Task", "companion", "periodic", "task"]
