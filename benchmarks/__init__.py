"""Speed of training steps and of whole commands, against a step planned by hand and PyTorch."""
