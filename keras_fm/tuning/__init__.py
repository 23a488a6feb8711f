"""`tune`: a search for the best values of recipe fields, each trial of which is a training.

`space` says which values are tried, `spaces/` has one for each task; `trial_training` trains,
`study` is what Optuna keeps and several processes share, `search` runs the trials, `report` shows
the best ones.

May import training, and what lies below it.
"""
