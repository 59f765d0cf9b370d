"""The press wing: what handles chapters from outside, knowing them by their files only."""
