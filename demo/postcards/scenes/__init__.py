"""What is on a postcard: one file per kind of place."""
