"""Convolutional network of the TensorFlow tutorial on CIFAR-10."""
