"""Delivery without loss: how records get from Kafka to an agent and its effects back, whatever crashes."""
