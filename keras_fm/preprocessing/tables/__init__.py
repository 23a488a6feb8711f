"""Tables: `inputs` reads rows and files as the columns of a model, `encoding` makes its tensors.

May import the modules beside this package, registry and errors.
"""
