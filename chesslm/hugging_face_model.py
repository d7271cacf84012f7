"""A causal language model of `transformers` as a `TokenModel`.

Knows: two ways to ask it: with a cache, a tree of tokens at once under a mask of our own; or plainly, every text whole.
Which of them a network can do is found out by asking it both ways.
Doesn't know: files (`hugging_face`), what tokens mean (`notation`).

`transformers` is never imported here: a network is a module that takes `input_ids` and gives `logits`.

Tensor key: B prompts · T tokens of the longest · N tokens of the largest tree · S columns of the cache · V vocabulary ·
R requests. Masks are True where a token may attend to a column, until they are added to attention scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chesslm.key_value_cache import KeyValueCache
from chesslm.token_model import Reading
from chesslm.token_tree import Branches, chain

# Learned positions end with the context, so room for a last move's wordings is kept within it.
ROOM_FOR_BRANCHES = 64
# Rows of the plain way go through the network in pieces whose logits have about this many numbers.
_PLAIN_LOGITS = 64_000_000
# The two ways differ by rounding; a mask that is ignored makes differences of the size of the logits.
_TOLERANCE = 1e-3
# The agreement of both ways is tried on texts of these tokens: any will do, if they differ.
_TRIED = ([1, 2, 3, 4, 5], [3, 1, 2])
_TRIED_TREE = Branches([2, 4, 1, 5], [-1, 0, -1, 2])


class HuggingFaceTokenModel:
    """A network of `transformers` behind the `TokenModel` protocol.

    Args:
        network: a causal language model, in evaluation mode, on its device.
        context_len: tokens that a text may have; branches may go `ROOM_FOR_BRANCHES` beyond.

    Attributes:
        is_cached: whether prompts are read once, and trees go on from there; the plain way is slower by far.
    """

    def __init__(self, network: nn.Module, *, context_len: int) -> None:
        self._network: Any = network
        self._context_len = context_len
        self.is_cached = self._agrees()

    @property
    def context_len(self) -> int:
        """Tokens that a text may have."""
        return self._context_len

    @torch.inference_mode()
    def read(self, prompts: Sequence[Sequence[int]]) -> Reading:
        """Read prompts in one batch, padded on the right: causal attention never lets a token see the padding."""
        if self.is_cached:
            return self._read_cached(prompts)
        return _PlainReading(self._network, [list(prompt) for prompt in prompts])

    def _read_cached(self, prompts: Sequence[Sequence[int]]) -> _CachedReading:
        lengths = np.array([len(prompt) for prompt in prompts])
        tokens = np.zeros((len(prompts), lengths.max()), dtype=np.int64)
        for row, prompt in enumerate(prompts):
            tokens[row, : len(prompt)] = prompt
        num_columns = tokens.shape[1]
        seen_BTS = np.tril(np.ones((num_columns, num_columns), dtype=np.bool_))[None].repeat(len(prompts), axis=0)
        positions_BT = np.arange(num_columns)[None].repeat(len(prompts), axis=0)
        cache = _Cache(KeyValueCache(self._network.config.num_hidden_layers))
        device = self._network.device
        hidden_BTC = _hidden(
            self._network,
            torch.from_numpy(tokens).to(device),
            torch.from_numpy(positions_BT).to(device),
            torch.from_numpy(seen_BTS).to(device),
            cache,
        )
        seen_BS = torch.from_numpy(np.arange(num_columns)[None] < lengths[:, None]).to(device)
        return _CachedReading(self._network, cache, hidden_BTC, seen_BS, torch.from_numpy(lengths).to(device))

    @torch.inference_mode()
    def _agrees(self) -> bool:
        """Whether both ways give the same; whatever a network doesn't take makes it a plain one."""
        try:
            cached = _everything(self._read_cached(_TRIED))
        except Exception:  # other architectures fail in their own ways
            return False
        plain = _everything(_PlainReading(self._network, [list(text) for text in _TRIED]))
        return bool(torch.allclose(cached, plain, atol=_TOLERANCE, rtol=_TOLERANCE))


class _Cache:
    """Our cache as `transformers` calls one."""

    is_compileable = False

    def __init__(self, held: KeyValueCache) -> None:
        self.held = held

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return self.held.append(layer_idx, keys, values)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        del layer_idx
        return len(self.held)


class _CachedReading:
    """Prompts in a cache; see `Reading`."""

    def __init__(self, network: Any, cache: _Cache, hidden_BTC: Tensor, seen_BS: Tensor, lengths_B: Tensor) -> None:
        self._network = network
        self._cache = cache
        self._hidden_BTC = hidden_BTC
        self._seen_BS = seen_BS
        self._lengths_B = lengths_B

    @torch.inference_mode()
    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        return _head(self._network, self._hidden_BTC[list(rows), list(columns)])

    @torch.inference_mode()
    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        num_columns = len(self._cache.held)
        num_nodes = max(len(tree) for tree in branches)
        if num_nodes == 0:
            return _head(self._network, self._hidden_BTC[:0, 0])
        shape = (len(branches), num_nodes)
        tokens_BN, depths_BN = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        is_real_BN = np.zeros(shape, dtype=np.bool_)
        # Padding attends to itself alone, so that no row of the attention is empty.
        sees_BNN = np.tile(np.eye(num_nodes, dtype=np.bool_), (len(branches), 1, 1))
        for row, tree in enumerate(branches):
            tokens_BN[row, : len(tree)] = tree.tokens
            depths_BN[row, : len(tree)] = tree.depths()
            is_real_BN[row, : len(tree)] = True
            for node, parent in enumerate(tree.parents):
                if parent >= 0:
                    sees_BNN[row, node] |= sees_BNN[row, parent]
        device = self._lengths_B.device
        prompt_BNS = self._seen_BS[:, None].expand(-1, num_nodes, -1)
        hidden_BNC = _hidden(
            self._network,
            torch.from_numpy(tokens_BN).to(device),
            self._lengths_B[:, None] + torch.from_numpy(depths_BN).to(device),
            torch.cat((prompt_BNS, torch.from_numpy(sees_BNN).to(device)), dim=2),
            self._cache,
        )
        self._cache.held.cut(num_columns)
        return _head(self._network, hidden_BNC[torch.from_numpy(is_real_BN).to(device)])

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> Reading:
        index_B = torch.tensor(list(rows), dtype=torch.int64, device=self._lengths_B.device)
        cache = _Cache(self._cache.held.select(index_B))
        chosen = (self._hidden_BTC[index_B], self._seen_BS[index_B], self._lengths_B[index_B])
        return _CachedReading(self._network, cache, *chosen)

    @torch.inference_mode()
    def extend(self, tokens: Sequence[int]) -> Tensor:
        tokens_B1 = torch.tensor([[token] for token in tokens], dtype=torch.int64, device=self._lengths_B.device)
        self._seen_BS = torch.cat((self._seen_BS, torch.ones_like(tokens_B1, dtype=torch.bool)), dim=1)
        seen_B1S = self._seen_BS[:, None]
        hidden_B1C = _hidden(self._network, tokens_B1, self._lengths_B[:, None], seen_B1S, self._cache)
        self._lengths_B = self._lengths_B + 1
        return _head(self._network, hidden_B1C[:, 0])


class _PlainReading:
    """Texts that are read whole whenever something is asked; see `Reading`."""

    def __init__(self, network: Any, texts: list[list[int]]) -> None:
        self._network = network
        self._texts = texts

    @torch.inference_mode()
    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        asked = sorted(set(rows))
        places: dict[int, list[int]] = {row: [] for row in asked}
        for place, row in enumerate(rows):
            places[row].append(place)
        wanted = [[columns[place] for place in places[row]] for row in asked]
        found = self._after([self._texts[row] for row in asked], wanted)
        order = torch.tensor([place for row in asked for place in places[row]], dtype=torch.int64)
        return found[torch.argsort(order).to(found.device)]

    @torch.inference_mode()
    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        texts: list[list[int]] = []
        for text, tree in zip(self._texts, branches, strict=True):
            paths: list[list[int]] = []
            for token, parent in zip(tree.tokens, tree.parents, strict=True):
                paths.append([*(paths[parent] if parent >= 0 else text), token])
            texts += paths
        if not texts:
            return self._after([self._texts[0][:1]], [[0]])[:0]
        return self._after(texts, [[len(text) - 1] for text in texts])

    def select(self, rows: Sequence[int]) -> Reading:
        return _PlainReading(self._network, [list(self._texts[row]) for row in rows])

    def extend(self, tokens: Sequence[int]) -> Tensor:
        self._texts = [[*text, token] for text, token in zip(self._texts, tokens, strict=True)]
        return self._after(self._texts, [[len(text) - 1] for text in self._texts])

    @torch.inference_mode()
    def _after(self, texts: Sequence[Sequence[int]], columns: Sequence[Sequence[int]]) -> Tensor:
        """Logits of what follows the wanted columns of each text, text by text."""
        longest = max(len(text) for text in texts)
        rows = max(1, _PLAIN_LOGITS // (longest * self._network.config.get_text_config().vocab_size))
        pieces = []
        for start in range(0, len(texts), rows):
            some = texts[start : start + rows]
            tokens = torch.zeros(len(some), max(len(text) for text in some), dtype=torch.int64)
            for row, text in enumerate(some):
                tokens[row, : len(text)] = torch.tensor(text)
            logits_BTV = self._network(input_ids=tokens.to(self._network.device), use_cache=False).logits
            for row, wanted in enumerate(columns[start : start + rows]):
                pieces.append(logits_BTV[row, list(wanted)].float())
        return torch.cat(pieces)


def _hidden(network: Any, tokens_BT: Tensor, positions_BT: Tensor, mask_BTS: Tensor, cache: _Cache) -> Tensor:
    """What the network's trunk says of each token, `[B, T, C]`; new columns are added to the cache."""
    added_B1TS = torch.zeros_like(mask_BTS, dtype=network.dtype).masked_fill_(
        ~mask_BTS, torch.finfo(network.dtype).min
    )[:, None]
    output = network.base_model(
        input_ids=tokens_BT,
        position_ids=positions_BT,
        attention_mask=added_B1TS,
        past_key_values=cache,
        use_cache=True,
    )
    hidden: Tensor = output.last_hidden_state
    return hidden


def _head(network: Any, hidden: Tensor) -> Tensor:
    logits: Tensor = network.get_output_embeddings()(hidden)
    return logits.float()


def _everything(reading: Reading) -> Tensor:
    """All that a reading can be asked, of the texts that are tried."""
    rows = [row for row, text in enumerate(_TRIED) for _ in text]
    columns = [column for text in _TRIED for column in range(len(text))]
    asked = [reading.logits(rows, columns), reading.branch_logits([_TRIED_TREE, chain([4])])]
    chosen = reading.select([1, 0])
    asked += [chosen.extend([5, 2]), chosen.extend([1, 1])]
    return torch.cat(asked)
