"""What must change: the difference between a share pack and the workspace, as steps; pure."""
