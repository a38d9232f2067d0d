"""What runs around the workers: the embedded broker and its Java runtime."""
