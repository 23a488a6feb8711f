"""The zoo: one folder a model, all of one shape. CONTRIBUTING.md says how to add one."""
