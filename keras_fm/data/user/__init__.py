"""Users' own data: read as raw examples, and converted to what a model is trained on.

`source` says where it is. `arrays`, `images`, `texts` and `tables` read it; `classes` makes class
indices of the targets.

May import preprocessing, registry, and of data the modules `datasets` and `examples`.
"""
