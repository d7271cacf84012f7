"""Writes golden.pgn and golden.json: every oddity of a PGN, and what becomes of each game.

Run `python tests/preparation/regenerate_golden.py` only when an outcome is meant to change, and read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from data_prep.blocks import GameBlock
from data_prep.config import PrepareConfig
from data_prep.games import RawBytes, parse_raw, split_games
from data_prep.rows import SourceBlock, make_rows

FOLDER = Path(__file__).parent
RUY = b"1. e4 e5 2. Nf3 Nc6 3. Bb5 a6"


def game(label: str, movetext: bytes, *tags: bytes, result: bytes = b"1-0") -> bytes:
    lines = [b'[White "%s"]' % label.encode(), b'[Result "%s"]' % result, *tags]
    return b"\n".join(lines) + b"\n\n" + movetext + b"\n\n"


PIECES = [
    b"\xef\xbb\xbf",
    game("promotion", b"1. e4 d5 2. exd5 c6 3. dxc6 Nf6 4. cxb7 Nbd7 5. bxa8=Q 1-0"),
    game("promotion to a knight", b"1. e4 d5 2. exd5 c6 3. dxc6 Nf6 4. cxb7 Nbd7 5. bxc8=N 1-0"),
    game("en passant", b"1. e4 a6 2. e5 d5 3. exd6 e.p. 1-0"),
    game(
        "both castlings",
        b"1. e4 e5 2. Nf3 Nc6 3. Bc4 Bc5 4. O-O d6 5. c3 Bg4 6. d3 Qd7 7. Nbd2 O-O-O 1/2-1/2",
        result=b"1/2-1/2",
    ),
    game("castling with zeros", b"1. Nf3 Nf6 2. g3 g6 3. Bg2 Bg7 4. 0-0 0-0 1-0"),
    game("disambiguation by rank", b"1. a4 e5 2. h4 d6 3. Ra3 c6 4. Rhh3 b6 5. Rad3 a6 6. Rh2 1-0"),
    game("an ambiguous move", b"1. Nf3 d5 2. d3 e6 3. Nd2 1-0"),
    game("mate", b"1. f3 e5 2. g4 Qh4# 0-1", result=b"0-1"),
    game("marks left out", b"1. f3 e5 2. g4 Qh4 0-1", result=b"0-1"),
    game("needless disambiguation", b"1. Ng1f3 e5 2. e2e4 Nb8-c6 1-0"),
    game(
        "comments", b"{before} 1. e4 {[%clk 0:03:00] [%eval 0.2]} 1... e5 {a \xe9} 2. Nf3 ; to the end 2. Nc3\n Nc6 1-0"
    ),
    game("glyphs", b"1. e4! e5?? 2. Nf3 $1 $14 Nc6!? 3. Bb5 ?! a6 1-0"),
    game("variations", b"1. e4 e5 (1... c5 2. Nf3 (2. c3 {a ) here} d5) d6) 2. Nf3 Nc6 1-0"),
    game("blank lines inside", b"1. e4 e5\n\n\n2. Nf3\n \n2... Nc6\n1-0"),
    game("a comment with blank lines", b"1. e4 {one\n\ntwo\n} e5 2. Nf3 1-0"),
    game(
        "a comment with a game in it", b'1. e4 {see\n\n[White "inside"]\n[Result "0-1"]\n\n1. d4 0-1\n} e5 2. Nf3 1-0'
    ),
    game("an escaped line", b"1. e4 e5\n% not { for us\n2. Nf3 Nc6 1-0"),
    game("carriage returns", b"1. d4 d5\n2. c4 e6 1-0").replace(b"\n", b"\r\n"),
    game("carriage returns alone", b"1. d4 d5\n2. c4 c6 1-0").replace(b"\n", b"\r"),
    b'[White "no blank line after the tags"]\n[Result "1-0"]\n1. c4 e5 2. Nc3 1-0\n',
    b'[White "no blank line between games"]\n[Result "1-0"]\n1. c4 e5 2. g3 1-0\n\n',
    b'[White "blank line in the tags"]\n\n[Result "1-0"]\n[WhiteElo "1500"]\n\n1. c4 e5 2. e3 1-0\n\n',
    game("hostile", b"1. c4 c5 1-0", b'[Date "\x1b[31m[bold]<b>&"]', b'[Site "https://lichess.org/<script>"]'),
    game('quo\\"ted \\\\', b"1. c4 c6 1-0", b'[Black "un"quoted" name"]', b'[Event "br[ack]et"]'),
    game("latin one", b"1. c4 d6 1-0", b'[Black "M\xfcller"]'),
    game("nuls", b"1. c4 e6\0\0 1-0\0"),
    game("lichess", b"1. b3 e5 1-0", b'[Site "https://lichess.org/abcdEFGH"]', b'[TimeControl "180+2"]'),
    game("ratings", b"1. b3 d5 1-0", b'[WhiteElo "2000"]', b'[BlackElo "?"]', b'[UTCDate "2013.01.01"]'),
    game("strange ratings", b"1. b3 c5 1-0", b'[WhiteElo "99999"]', b'[BlackElo "-7"]', b'[Date "????.??.??"]'),
    game("empty game", b"1-0"),
    b'[White "headers only"]\n[Result "1-0"]\n\n',
    game("one ply", b"1. e4 1-0"),
    game("abandoned", b"1. b4 e5 *", result=b"*"),
    game("no result anywhere", b"1. b4 d5", result=b"?"),
    game("result in the movetext only", b"1. b4 c5 0-1", result=b"*"),
    game("result in the headers only", b"1. b4 c6", result=b"0-1"),
    game("contradictory results", b"1. b4 d6 0-1"),
    game("truncated", b"1. e4 e5 2. Nf3 N"),
    game("illegal", b"1. e4 e5 2. Ke3 1-0"),
    game("null move", b"1. e4 -- 2. d4 1-0"),
    game("stray parenthesis", b"1. e4 e5 ) 2. Nf3 1-0"),
    game("prose", b"Black did not come 1-0"),
    game("variant", b"1. e4 e5 1-0", b'[Variant "Chess960"]'),
    game("set-up position", b"1. e4 e5 1-0", b'[SetUp "1"]', b'[FEN "4k3/8/8/8/8/8/4P3/4K3 w - - 0 1"]'),
    game(
        "the start position set up",
        b"1. a3 e5 1-0",
        b'[FEN "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"]',
    ),
    game("bot", b"1. a3 d5 1-0", b'[BlackTitle "BOT"]'),
    game("twin", RUY + b" 1-0"),
    game("twin again", RUY + b" {the same moves} 0-1", result=b"0-1"),
    b"1. a4 a5 1-0\n\n1. a4 b5 0-1\n\n",
    game("a comment that never ends", b"1. h4 e5 {oh 1-0"),
    game("after it", b"1. h4 d5 {closed} 1-0"),
    b'[White "no line end"]\n[Result "1-0"]\n\n1. h4 h5 1-0',
]


def outcomes(text: bytes) -> Iterator[dict[str, object]]:
    """What becomes of each game of a text, duplicates aside."""
    for raw in split_games([text]):
        yield outcome(raw)


def outcome(raw: RawBytes) -> dict[str, object]:
    block = GameBlock(raw.content, raw.offset, raw.num_bytes, (raw,))
    done = make_rows(SourceBlock(block, "golden.pgn"), PrepareConfig())
    headers = parse_raw(raw).headers
    entry: dict[str, object] = {"white": headers.get("White"), "bytes": raw.num_bytes}
    if done.dropped:
        return entry | {"dropped": next(iter(done.dropped))}
    (row,) = done.rows.to_pylist()
    row["san"] = " ".join(row["san"])
    row["source_index"] += raw.number
    corrected, filled = done.num_corrected.tolist()[0], done.has_filled_result.tolist()[0]
    return entry | {"corrected": corrected, "filled": filled, "row": row}


if __name__ == "__main__":
    (FOLDER / "golden.pgn").write_bytes(b"".join(PIECES))
    lines = ",\n".join(json.dumps(entry) for entry in outcomes(b"".join(PIECES)))
    (FOLDER / "golden.json").write_text(f"[\n{lines}\n]\n", encoding="ascii")
