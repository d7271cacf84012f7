"""The rules of chess on plain arrays, compiled by numba: what may move where, and what a move changes.

Knows: pieces, attacks, pins, castling, en passant, check and mate from the start position on.
Doesn't know: text of any kind (`replay_words`, `replay_kernel`). The judge of it all is `replay_reference`.

The board is 12 rows of 16 bytes with a border: square a1 is 36, one rank up is +16, one file right is +1. No two pairs
of squares with the same difference lie differently, so tables by difference answer "in line?" and "a knight's jump?",
and rays stop at the border by themselves. A piece is 1 to 6 (pawn, knight, bishop, rook, queen, king), +8 for Black; a
colour is 0 or 8. `game` holds the rest of the position, the move being settled and a scratch list, by the slots below.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]

PAWN, KNIGHT, BISHOP, ROOK, QUEEN, KING = 1, 2, 3, 4, 5, 6
BORDER, BOARD_LEN, A1 = 16, 192, 36

# Slots of `game`: castling rights (1, 2: White's short and long; 4, 8: Black's), en passant square or 0, the kings,
# whether the side to move is in check; then the move: its squares, promotion piece or 0, castling (1 short, -1 long)
# or 0, what SAN must say of the origin; then up to 8 squares that `origins` found.
CASTLING, EN_PASSANT, WHITE_KING, BLACK_KING, IN_CHECK = 0, 1, 2, 3, 4
ORIGIN, TARGET, PROMOTION, CASTLING_SIDE, NEEDS_FILE, NEEDS_RANK = 5, 6, 7, 8, 9, 10
FOUND, GAME_LEN = 11, 19

RAYS = np.array([16, -16, 1, -1, 17, 15, -15, -17])  # a rook's four, then a bishop's four
JUMPS = np.array([33, 31, 18, 14, -14, -18, -31, -33])


def _start() -> Bytes:
    board = np.full(BOARD_LEN, BORDER, np.uint8)
    pieces = np.array([ROOK, KNIGHT, BISHOP, QUEEN, KING, BISHOP, KNIGHT, ROOK])
    rows = [pieces, 0 * pieces + PAWN, *[0 * pieces] * 4, 0 * pieces + PAWN + 8, pieces + 8]
    for rank, row in enumerate(rows):
        board[A1 + 16 * rank : A1 + 16 * rank + 8] = row
    return board


def _lines() -> Longs:
    """The ray that leads from one square to another, by their difference + 128; 0 where none does."""
    lines = np.zeros(256, np.int64)
    for ray in RAYS:
        lines[128 + ray * np.arange(1, 8)] = ray
    return lines


def _castling_kept() -> Longs:
    """What a move from or to a square leaves of the castling rights."""
    kept = np.full(BOARD_LEN, 15, np.int64)
    kept[[A1 + 4, A1 + 7, A1, A1 + 116, A1 + 119, A1 + 112]] = [12, 14, 13, 3, 11, 7]
    return kept


START, LINES, CASTLING_KEPT = _start(), _lines(), _castling_kept()
IS_JUMP = np.isin(np.arange(256) - 128, JUMPS)


@register_jitable
def begin_game(board: Bytes, game: Longs) -> None:
    """Sets up the start position."""
    for square in range(BOARD_LEN):
        board[square] = START[square]
    for slot in range(GAME_LEN):
        game[slot] = 0
    game[CASTLING], game[WHITE_KING], game[BLACK_KING] = 15, A1 + 4, A1 + 116


@register_jitable
def first_on(board: Bytes, square: int, ray: int) -> int:
    """The first square along the ray that isn't empty (a border's square where none is)."""
    square += ray
    while board[square] == 0:
        square += ray
    return square


@register_jitable
def slides(piece: int, ray: int, colour: int) -> bool:
    """Whether it is a piece of the colour that moves along such a ray."""
    if piece & 24 != colour:
        return False
    kind = piece & 7
    return kind == QUEEN or kind == (ROOK if ray in (1, -1, 16, -16) else BISHOP)


@register_jitable
def is_attacked(board: Bytes, square: int, colour: int) -> bool:
    """Whether the colour attacks the square."""
    for ray in RAYS:
        if board[square + ray] == KING + colour or slides(int(board[first_on(board, square, ray)]), ray, colour):
            return True
    for jump in JUMPS:
        if board[square + jump] == KNIGHT + colour:
            return True
    below = square - 16 if colour == 0 else square + 16
    return bool(board[below + 1] == PAWN + colour or board[below - 1] == PAWN + colour)


@register_jitable
def is_pinned(board: Bytes, king: int, origin: int, target: int, enemy: int) -> bool:
    """Whether the step would open a line onto the own king, which isn't in check."""
    ray = int(LINES[origin - king + 128])
    if ray == 0 or LINES[target - king + 128] == ray or first_on(board, king, ray) != origin:
        return False
    return slides(int(board[first_on(board, origin, ray)]), ray, enemy)


@register_jitable
def is_safe(board: Bytes, king: int, origin: int, target: int, taken: int, enemy: int) -> bool:
    """Whether the own king is unattacked after the step. `taken` is the square of what it captures, if anything."""
    piece, replaced, captured = board[origin], board[target], board[taken]
    board[taken] = 0
    board[origin] = 0
    board[target] = piece
    safe = not is_attacked(board, target if origin == king else king, enemy)
    board[target] = replaced
    board[origin] = piece
    board[taken] = captured
    return safe


@register_jitable
def takes_en_passant(board: Bytes, game: Longs, origin: int, target: int) -> bool:
    """Whether the step is an en passant capture."""
    return bool(target == game[EN_PASSANT] and board[origin] & 7 == PAWN and (target - origin) & 15)


@register_jitable
def can_step(board: Bytes, game: Longs, origin: int, target: int, colour: int) -> bool:
    """Whether a step that the piece can make (no castling) is legal."""
    king, enemy = int(game[WHITE_KING + (colour >> 3)]), colour ^ 8
    if takes_en_passant(board, game, origin, target):
        return is_safe(board, king, origin, target, target - 16 if colour == 0 else target + 16, enemy)
    if origin == king or game[IN_CHECK]:
        return is_safe(board, king, origin, target, target, enemy)
    return not is_pinned(board, king, origin, target, enemy)


@register_jitable
def pawn_origin(board: Bytes, game: Longs, target: int, file_step: int, colour: int) -> int:
    """The square of the pawn that reaches the target from `file_step` files to its right (0: by a push), or 0."""
    forward = 16 if colour == 0 else -16
    origin = target - forward + file_step
    if file_step:
        is_capture = board[target] != 0 or target == game[EN_PASSANT]
        return origin if is_capture and board[origin] == PAWN + colour else 0
    if board[target]:
        return 0
    if board[origin] == 0 and (target - A1) >> 4 == (3 if colour == 0 else 4):
        origin -= forward
    return origin if board[origin] == PAWN + colour else 0


@register_jitable
def origins(board: Bytes, game: Longs, kind: int, target: int, colour: int) -> int:
    """The number of pieces of a kind (no pawns) that reach the target; their squares are in `game` from slot FOUND."""
    count = 0
    if kind == KNIGHT:
        for jump in JUMPS:
            if board[target + jump] == KNIGHT + colour:
                game[FOUND + count] = target + jump
                count += 1
        return count
    for i in range(4 if kind == BISHOP else 0, 4 if kind == ROOK else 8):
        at = target + int(RAYS[i]) if kind == KING else first_on(board, target, int(RAYS[i]))
        if board[at] == kind + colour:
            game[FOUND + count] = at
            count += 1
    return count


@register_jitable
def can_castle(board: Bytes, game: Longs, side: int, colour: int) -> bool:
    """Whether castling short (1) or long (-1) is legal. If so, it becomes the move in `game`."""
    king = A1 + 4 if colour == 0 else A1 + 116
    right = (1 if side == 1 else 2) << (0 if colour == 0 else 2)
    if not game[CASTLING] & right or game[IN_CHECK]:
        return False
    for steps in range(1, 3 if side == 1 else 4):
        square = king + side * steps
        if board[square] or (steps < 3 and is_attacked(board, square, colour ^ 8)):
            return False
    game[ORIGIN], game[TARGET], game[PROMOTION] = king, king + 2 * side, 0
    game[CASTLING_SIDE], game[NEEDS_FILE], game[NEEDS_RANK] = side, 0, 0
    return True


@register_jitable
def make_move(board: Bytes, game: Longs, colour: int) -> None:
    """Plays the move in `game`, which is legal, and notes whether it checks."""
    origin, target, enemy_king = int(game[ORIGIN]), int(game[TARGET]), int(game[BLACK_KING - (colour >> 3)])
    forward = 16 if colour == 0 else -16
    is_en_passant = takes_en_passant(board, game, origin, target)
    kind = int(board[origin]) & 7
    game[EN_PASSANT] = 0
    game[CASTLING] &= CASTLING_KEPT[origin] & CASTLING_KEPT[target]
    board[target] = board[origin]
    board[origin] = 0
    if kind == KING:
        game[WHITE_KING + (colour >> 3)] = target
        side = int(game[CASTLING_SIDE])
        if side:
            board[target - side] = ROOK + colour
            board[origin + (3 if side == 1 else -4)] = 0
    elif kind == PAWN:
        if is_en_passant:
            board[target - forward] = 0
        elif target - origin == 2 * forward:
            game[EN_PASSANT] = origin + forward
        if game[PROMOTION]:
            board[target] = game[PROMOTION] + colour
    if is_en_passant or game[CASTLING_SIDE]:
        game[IN_CHECK] = is_attacked(board, enemy_king, colour)
    else:
        game[IN_CHECK] = checks(board, enemy_king, origin, target, colour)


@register_jitable
def checks(board: Bytes, king: int, origin: int, target: int, colour: int) -> bool:
    """Whether the piece that just stepped checks the king, or one behind it along the line it left."""
    kind, ray = int(board[target]) & 7, int(LINES[target - king + 128])
    if kind == KNIGHT and IS_JUMP[target - king + 128]:
        return True
    if kind == PAWN and king - target in ((15, 17) if colour == 0 else (-15, -17)):
        return True
    if ray and slides(int(board[target]), ray, colour) and first_on(board, king, ray) == target:
        return True
    ray = int(LINES[origin - king + 128])
    return ray != 0 and slides(int(board[first_on(board, king, ray)]), ray, colour)


@register_jitable
def has_reply(board: Bytes, game: Longs, colour: int) -> bool:
    """Whether the colour, which is to move and in check, has a legal move."""
    king, enemy = int(game[WHITE_KING + (colour >> 3)]), colour ^ 8
    for ray in RAYS:
        held = int(board[king + ray])
        if (held == 0 or held & 24 == enemy) and can_step(board, game, king, king + ray, colour):
            return True
    # Else the checker must be taken or its line closed. Of two checkers either will do: no such step is legal then.
    for i in range(16):
        step = int(RAYS[i]) if i < 8 else int(JUMPS[i - 8])
        checker = first_on(board, king, step) if i < 8 else king + step
        held = int(board[checker])
        if i >= 8:
            is_checker = held == KNIGHT + enemy
        elif held == PAWN + enemy:
            is_checker = checker == king + step and step in ((15, 17) if colour == 0 else (-15, -17))
        else:
            is_checker = slides(held, step, enemy)
        target = checker if is_checker else king
        while target != king:
            if can_reach(board, game, target, colour):
                return True
            target = king if i >= 8 else target - step
        if is_checker:
            # A pawn that checks by its double step can also be taken en passant, which isn't a step to its square.
            return bool(game[EN_PASSANT]) and can_reach(board, game, int(game[EN_PASSANT]), colour)
    return False


@register_jitable
def can_reach(board: Bytes, game: Longs, target: int, colour: int) -> bool:
    """Whether a piece other than the king has a legal step to the square."""
    for kind in range(KNIGHT, KING):
        for i in range(origins(board, game, kind, target, colour)):
            if can_step(board, game, int(game[FOUND + i]), target, colour):
                return True
    for file_step in range(-1, 2):
        origin = pawn_origin(board, game, target, file_step, colour)
        if origin and can_step(board, game, origin, target, colour):
            return True
    return False
