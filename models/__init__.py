"""What is learned or read from history: rankers, event logs, later the meta-model and image labels."""
