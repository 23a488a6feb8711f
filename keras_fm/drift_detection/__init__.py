"""`drift`: what moved between an export's training inputs and the requests that it gets.

`request_logs` reads logs, `collecting` measures inputs a chunk at a time, `statistics` and
`comparing` compare the histograms, `report` and `page` show what moved.

May import batch_prediction, exporting, sketches, and what lies below them.
"""
