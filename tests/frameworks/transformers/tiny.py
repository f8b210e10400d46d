"""A language model of a few weights, made without the network."""

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "dog", "run"]


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of ten words."""
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(["<pad>", "<eos>", *WORDS])}, "<pad>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")


def model() -> LlamaForCausalLM:
    """Return a model of one layer."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=12,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            pad_token_id=0,
            eos_token_id=1,
        )
    )


def sentences(count: int) -> Dataset:
    """Return sentences."""
    return Dataset.from_dict({"text": [" ".join(WORDS[at % 5 : at % 5 + 5]) for at in range(count)]})
