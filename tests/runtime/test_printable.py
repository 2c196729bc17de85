from lyricgen.printable import WIDTH, columns, table, wrapped


def test_characters_of_east_asia_take_two_columns_and_marks_none() -> None:
    assert [columns(text) for text in ("", "abc", "歌", "e\u0301", "ｗ")] == [0, 3, 2, 1, 2]


def test_lines_are_wrapped_between_words_and_are_no_wider_than_a_terminal() -> None:
    for word in ("song", "歌う"):
        text = " ".join([word] * 100)
        lines = wrapped(text, "label  ", "       ").split("\n")
        assert max(map(columns, lines)) > WIDTH - columns(word) - 1
        assert all(columns(line) <= WIDTH for line in lines)
        assert lines[0].startswith("label  " + word)
        assert " ".join(line[7:] for line in lines) == text


def test_a_word_wider_than_a_line_stays_whole_unless_it_may_be_broken() -> None:
    word = "x" * 200
    assert wrapped(f"so {word}") == f"so\n{word}"
    broken = wrapped(f"so {word}", break_words=True).split("\n")
    assert "".join(broken[1:]) == word
    assert all(len(line) <= WIDTH for line in broken)


def test_values_of_a_table_are_aligned_and_paths_in_it_broken_behind_slashes() -> None:
    path, hanzi = "/home" * 20 + "/model.onnx", "歌" * 100
    lines = table({"file": path, "曲": hanzi, "one": "1"}).split("\n")
    assert lines[0] == f"file  {'/home' * 14}/"
    assert lines[1] == "      home" + "/home" * 5 + "/model.onnx"
    assert lines[2].startswith("曲    歌")
    assert lines[-1] == "one   1"
    assert all(columns(line) <= WIDTH for line in lines)
