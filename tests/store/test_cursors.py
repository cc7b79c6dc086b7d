"""What all consumers have passed."""

import sqlite3

from store.cursors import entries_done


def cursor(path, key, value):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value)")
    if key:
        db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))
    db.commit()
    db.close()


def test_the_slowest_consumer_decides(tmp_path):
    assert entries_done(tmp_path) == 0
    cursor(tmp_path / "state.db", "cursor", 50)
    assert entries_done(tmp_path) == 0
    sqlite3.connect(tmp_path / "series.db").close()
    assert entries_done(tmp_path) == 0
    cursor(tmp_path / "series.db", None, None)
    assert entries_done(tmp_path) == 0
    cursor(tmp_path / "series.db", "raw_cursor", "40")
    assert entries_done(tmp_path) == 40
    cursor(tmp_path / "series.db", "raw_cursor", 60)
    assert entries_done(tmp_path) == 50
