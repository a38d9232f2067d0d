"""What is learned, and what it is learned from: rankers, labels of images, logs of events, evaluations."""
