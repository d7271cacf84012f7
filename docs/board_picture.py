"""Draws docs/board.svg again: the terminal board in the middle of a game, by textual's own export.

    python docs/board_picture.py --model runs/pgn --moves "e4 d4 Nf3" --out docs/board.svg

The moves are a person's, White's; the model answers each. `--wide 110x36` sets the terminal's size.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from play.board_app import BoardApp
from play.opponent import Policy, absent, open_opponent
from play.table import Table


async def draw(model: str, moves: list[str], typed: str, size: tuple[int, int]) -> str:
    """The board after the moves, with something half typed."""
    policy = Policy()
    app = BoardApp(Table(absent(model, policy)), open_opponent, policy, is_revealing=False)
    async with app.run_test(size=size) as pilot:
        await app.workers.wait_for_complete()
        for move in moves:
            if not app.course.is_persons_turn:
                raise SystemExit(f"the game is over before {move}")
            before = len(app.course.session.board.move_stack)
            await pilot.press(*move, "enter")
            await app.workers.wait_for_complete()
            if len(app.course.session.board.move_stack) == before:
                raise SystemExit(f"{move}: {app.course.messages[-1]}")
        await pilot.press(*typed)
        await pilot.pause()
        picture = app.export_screenshot(title=f"chesslm play --model {model}", simplify=True)
        app.course.close()
    return picture


def main() -> None:
    """Read the options and write the picture."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", required=True, help="as for chesslm play")
    options.add_argument("--moves", required=True, help="White's moves, set apart by spaces")
    options.add_argument("--typed", default="", help="what is being typed")
    options.add_argument("--size", default="92x26", help="columns x rows")
    options.add_argument("--out", type=Path, required=True, help="the SVG file")
    given = options.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    picture = asyncio.run(draw(given.model, given.moves.split(), given.typed, (width, height)))
    given.out.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
