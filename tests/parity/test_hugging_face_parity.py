"""Ours equals Hugging Face's Llama (without query-key norm) and Qwen3 (with it), given the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chesslm.config import ModelSection
from chesslm.model import Decoder

transformers: Any = pytest.importorskip("transformers")

V = 17
CONFIGS = [
    ModelSection(width=30, depth=3, heads=3, mlp_width=13, context_len=31, qk_norm=False, rope_base=100.0),
    ModelSection(width=44, depth=2, heads=2, kv_heads=1, mlp_width=19, context_len=31, qk_norm=False, tied_head=False),
    ModelSection(width=30, depth=3, heads=3, mlp_width=13, context_len=31, qk_norm=True),
    ModelSection(width=44, depth=2, heads=2, kv_heads=1, mlp_width=19, context_len=31, qk_norm=True, tied_head=False),
]


def lively(config: ModelSection) -> Decoder:
    torch.manual_seed(0)
    model = Decoder(config, V).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def with_the_same_weights(ours: Decoder) -> Any:
    """Theirs: query, key, value, gate and up are matrices of their own, everything else has another name."""
    config = ours.config
    kv_heads = config.kv_heads or config.heads
    shape = {
        "vocab_size": V,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "num_key_value_heads": kv_heads,
        "head_dim": config.width // config.heads,
        "max_position_embeddings": config.context_len,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "tie_word_embeddings": config.tied_head,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    theirs: Any = (
        transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**shape))
        if config.qk_norm
        else transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    )
    weights = {"model.embed_tokens.weight": ours.embedding.weight, "model.norm.weight": ours.norm.weight}
    weights["lm_head.weight"] = (ours.embedding if ours.unembedding is None else ours.unembedding).weight
    for index in range(config.depth):
        block: Any = ours.blocks[index]
        size = config.width // config.heads
        q, k, v = block.attention.qkv.weight.split((config.heads * size, kv_heads * size, kv_heads * size))
        gate, up = block.mlp.gate_up.weight.chunk(2)
        part = {
            "input_layernorm": block.attention_norm.weight,
            "self_attn.q_proj": q,
            "self_attn.k_proj": k,
            "self_attn.v_proj": v,
            "self_attn.o_proj": block.attention.out.weight,
            "post_attention_layernorm": block.mlp_norm.weight,
            "mlp.gate_proj": gate,
            "mlp.up_proj": up,
            "mlp.down_proj": block.mlp.down.weight,
        }
        if config.qk_norm:
            part["self_attn.q_norm"] = block.attention.query_norm.weight
            part["self_attn.k_norm"] = block.attention.key_norm.weight
        weights |= {f"model.layers.{index}.{name}.weight": weight for name, weight in part.items()}
    theirs.load_state_dict({name: weight.detach().clone() for name, weight in weights.items()})
    return theirs.eval()


@pytest.mark.parametrize("config", CONFIGS, ids=["llama", "llama-shared-keys", "qwen3", "qwen3-shared-keys"])
def test_logits_and_gradients_equal_hugging_faces(config: ModelSection) -> None:
    ours = lively(config)
    theirs = with_the_same_weights(ours)
    batch = torch.randint(0, V, (3, 23), generator=torch.Generator().manual_seed(1))
    logits = ours(batch)
    expected = theirs(batch).logits
    assert logits.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.flatten()).backward()
    torch.nn.functional.cross_entropy(expected.flatten(0, 1), batch.flatten()).backward()
    block: Any = ours.blocks[0]
    torch.testing.assert_close(
        block.mlp.down.weight.grad, theirs.model.layers[0].mlp.down_proj.weight.grad, rtol=1e-4, atol=1e-6
    )
