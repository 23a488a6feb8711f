"""Images: `inputs` reads files and arrays, `decoding` and `pixels` make a model's images of them.

`loading` does all of it for `pipeline` and training; an export has `decoding` and `pixels` as ops.

May import the modules beside this package, and errors.
"""
