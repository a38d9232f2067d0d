"""What the images of a sale say: scene labels, topics, an embedding; only this loads TensorFlow."""
