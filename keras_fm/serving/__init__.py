"""The protocols of a running TF Serving: REST, gRPC, and signatures; no TensorFlow over REST.

May import registry and errors.
"""
