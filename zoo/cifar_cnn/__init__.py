"""The CIFAR-10 network that people should use: a whitening stem and three blocks."""
