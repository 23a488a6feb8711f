"""The protocols of a running TF Serving: REST, gRPC, and signatures.

May import registry, options, http_session and errors; TensorFlow for gRPC alone.
"""
