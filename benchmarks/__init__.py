"""One command per figure that the project claims."""
