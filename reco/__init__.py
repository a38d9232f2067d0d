"""What a top 10 is: pure domain code without Kafka, TensorFlow, clock or files."""
