"""The Kafka side: settings, topics, agents, workers and the command line."""
