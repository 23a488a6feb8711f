"""Images: `inputs` reads files and arrays, `decoding` and `pixels` make a model's images of them.

May import the modules beside this package, and errors.
"""
