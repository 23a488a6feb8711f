"""The recommended CIFAR-10 network: a whitening stem and three blocks."""
