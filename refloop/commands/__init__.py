"""The commands, one file a group: each declares options, calls, prints, and decides nothing."""
