"""What a clip sounds like: frames of numbers, computed the same way in training and in scoring."""
