"""Predictions for files and folders of any size, written to a file: `prediction.predict_to_file`.

`table_sources` and `file_sources` read the inputs a chunk at a time, `columns` makes columns of the
predictions, and `writers` write them. Free of Keras and TensorFlow, for the client of a server.

May import serving, preprocessing, `data.user.folders`, and what lies below them.
"""
