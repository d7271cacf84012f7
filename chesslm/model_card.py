"""The model card of a shipped model: what it is, what it was trained on, and what was measured of exactly its weights.

Knows: what stands in a card, and which parts of results files (formats `chesslm-results/1`, `chesslm-strength/1`) do.
Doesn't know: how anything was measured, or where the model lies (`shipping`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chesslm.checkpoint_files import CheckpointInfo
from chesslm.checkpoints import ancestors

RESULTS_FORMAT = "chesslm-results/1"
STRENGTH_FORMAT = "chesslm-strength/1"
# Parts of a number that a card has no room for: they are in the results file.
_LEFT_OUT = ("error_kind", "probe_square")
_ALL_LAYERS_BUT_THE_BEST = "layer "


def card(name: str, info: CheckpointInfo, num_params: int, results: Sequence[Mapping[str, Any]]) -> str:
    """The model card, Markdown.

    Args:
        name: of the model.
        info: of the checkpoint that is shipped.
        num_params: all weights.
        results: contents of results files with numbers of this model (`has_numbers_of`).
    """
    lines = [*_about(name, info, num_params), "", "## Measured", ""]
    if not results:
        return "\n".join([*lines, "Nothing yet.", ""])
    digest = info.model_sha256
    measured = [line for found in results if found["format"] == RESULTS_FORMAT for line in _measures(found, digest)]
    rated = [line for found in results if found["format"] == STRENGTH_FORMAT for line in _ratings(found, digest)]
    lines.append(f"These weights (`{digest[:16]}`) on held-out games, with 95 % intervals.")
    if measured:
        lines += ["", "| games | metric | subset | value | interval | n |", "|---|---|---|---|---|---|", *measured]
    if rated:
        lines += [
            "",
            "| policy | Elo | interval | games | won | drawn | lost |",
            "|---|---|---|---|---|---|---|",
            *rated,
        ]
    return "\n".join([*lines, ""])


def has_numbers_of(results: Mapping[str, Any], digest: str) -> bool:
    """Whether a results file measured the model with these weights.

    Args:
        results: content of a file of one of the two formats.
        digest: sha256 (hex) of the weights' file.
    """
    if results["format"] == STRENGTH_FORMAT:
        return any(True for _ in _ratings(results, digest))
    return any(True for _ in _of_model(results, digest))


def _about(name: str, info: CheckpointInfo, num_params: int) -> list[str]:
    state, config, provenance = info.state, info.config, info.provenance
    section = config.model
    return [
        f"# {name}",
        "",
        f"A decoder Transformer that writes chess games in the notation `{config.data.notation}`. It was trained from "
        "scratch by next-token prediction on real games alone: no rules, no engine, no other text.",
        "",
        f"- **Shape**: {num_params:,} weights; width {section.width}, depth {section.depth}, {section.heads} heads, "
        f"SwiGLU {section.mlp_width}, context {section.context_len} tokens; float16 in the file.",
        f"- **Training**: {state.games_seen:,} games ({state.tokens_seen:,} tokens, repetitions counted), "
        f"{state.step:,} steps, {state.train_s / 3600:.1f} hours on {provenance.get('cpu', 'an unknown processor')}.",
        *_began_with(info),
        f"- **Data**: `{config.data.games}`, games digest `{info.games_digest[:16]}`; games are never cut, and its "
        "test and val splits were not trained on.",
        f"- **Command**: `{' '.join(map(str, provenance.get('command', ())))}` {_at_commit(provenance)}; "
        "the whole configuration is in `checkpoint.json`.",
        "- **Limits**: it knows no position, only the game so far, from the start position on; where it writes a move "
        "that isn't legal, players either take the most probable legal one (lenient) or lose (strict).",
        "- **Licence**: GPL-3.0-or-later, as the package.",
    ]


def _at_commit(provenance: Mapping[str, Any]) -> str:
    commit = provenance.get("commit")
    return f"at commit `{commit}`" if commit else "outside a git checkout, so at no recorded commit"


def _began_with(info: CheckpointInfo) -> list[str]:
    """A line on the weights that the run began with, and the sum of all that was seen; none for a run of its own."""
    before = ancestors(info)
    if not before:
        return []
    named = "; ".join(
        f"`{each['model']}` (`{each['model_sha256'][:16]}`): {each['games_seen']:,} games, {each['tokens_seen']:,} "
        f"tokens, {each['train_s'] / 3600:.1f} hours"
        for each in before
    )
    games, tokens, train_s = (
        getattr(info.state, key) + sum(each[key] for each in before) for key in ("games_seen", "tokens_seen", "train_s")
    )
    return [
        f"- **Began with the weights of** {named}. "
        f"In all {games:,} games, {tokens:,} tokens, {train_s / 3600:.1f} hours."
    ]


def _of_model(results: Mapping[str, Any], digest: str) -> Iterator[Mapping[str, Any]]:
    return (measure for measure in results["measures"] if measure["checkpoint_digest"] == digest)


def _measures(results: Mapping[str, Any], digest: str) -> Iterator[str]:
    games = f"{Path(str(results['games']['source'])).name} ({results['games']['split'] or 'all'})"
    for measure in _of_model(results, digest):
        detail = measure["detail"]
        if measure["first_ply"] is not None or measure["metric"] in _LEFT_OUT:
            continue
        if detail is not None and detail.startswith(_ALL_LAYERS_BUT_THE_BEST):
            continue
        unit = str(measure["unit"])
        subset = measure["subset"] if detail is None else f"{measure['subset']}, {detail}"
        interval = "–"
        if measure["low"] is not None and measure["high"] is not None:
            interval = f"{_shown(measure['low'], unit)} – {_shown(measure['high'], unit)}"
        yield (
            f"| {games} | {measure['metric']} | {subset} | {_shown(measure['value'], unit)} | {interval} "
            f"| {measure['n']:,} |"
        )


def _shown(value: float, unit: str) -> str:
    return f"{100 * value:.1f} %" if unit == "rate" else f"{value:.3f}"


def _ratings(results: Mapping[str, Any], digest: str) -> Iterator[str]:
    """A row a policy under which the model played on the ladder."""
    own = {model["label"] for model in results["models"] if model["checkpoint_digest"] == digest}
    policies = {player["label"]: player["policy"] for player in results["players"] if player["model"] in own}
    for rating in results["ratings"]:
        if rating["player"] not in policies:
            continue
        value = "–" if rating["elo"] is None else f"{rating['elo']:.0f}"
        low, high = rating["low"], rating["high"]
        interval = {
            "below": f"< {high or 0:.0f}",
            "above": f"> {low or 0:.0f}",
            "interval": f"{low or 0:.0f} – {high or 0:.0f}",
        }.get(rating["bound"], "–")
        yield (
            f"| {policies[rating['player']]} | {value} | {interval} | {rating['games']} | {rating['wins']} "
            f"| {rating['draws']} | {rating['losses']} |"
        )
