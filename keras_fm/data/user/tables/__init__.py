"""Users' own tables: `loading` reads one and infers its columns, its target and the problem type.

May import what `data.user` may, and the modules beside this package.
"""
