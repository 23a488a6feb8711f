import tensorflow as tf

from keras_fm.preprocessing import lookup_tables


def look_up(table, keys):
    return table.lookup(tf.constant(keys, table.key_dtype)).numpy().tolist()


def test_lines_of_a_file_have_indices(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("cat\nbig dog\tbrown\né\n", "utf-8")
    table = lookup_tables.index_of_line(file)
    assert look_up(table, ["é", "cat", "big dog\tbrown", "fox", ""]) == [2, 0, 1, -1, -1]
    assert look_up(lookup_tables.index_of_line(file, default=-2), ["fox"]) == [-2]
    table = lookup_tables.line_of_index(file)
    assert look_up(table, [1, 0, 3, -1]) == [b"big dog\tbrown", b"cat", b"", b""]
    assert look_up(lookup_tables.line_of_index(file, default="?"), [3]) == [b"?"]


def test_codes_of_a_file_have_indices(tmp_path):
    file = tmp_path / "characters.txt"
    file.write_text("97\t'a'\n10\t'\\n'\n", "utf-8")
    assert look_up(lookup_tables.index_of_code(file), [10, 97, 98]) == [1, 0, -1]
    assert look_up(lookup_tables.code_of_index(file, default=63), [0, 1, 2, -1]) == [97, 10, 63, 63]


def test_strings_of_a_list_have_indices():
    table = lookup_tables.index_of_string(["a", "ä"], first_index=1, default=0)
    assert look_up(table, ["ä", "a", "b", ""]) == [2, 1, 0, 0]
