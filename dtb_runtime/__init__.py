"""The lean runtime (work in progress)."""
