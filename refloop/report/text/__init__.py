"""What the commands print of plans, runs, health and stories."""
