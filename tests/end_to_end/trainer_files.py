"""Compares a run folder with one that Hugging Face Trainer writes: trainer_files.py OUR_FOLDER WORK_FOLDER.

Trains a toy model with the real Trainer for two epochs, and checks that every key of its trainer_state.json, of its log records
and of its results, and every field and heading of its model card, is in ours, and that Trainer reads our state. KNOWN_ABSENT is what docs/huggingface.md lists.
"""
import json
import pathlib
import re
import sys

import yaml
from transformers import DistilBertConfig, DistilBertForSequenceClassification, Trainer, TrainerState, TrainingArguments

KNOWN_ABSENT = {"total_flos", "num_input_tokens_seen", "stateful_callbacks", "save_steps", "eval_steps_per_second"}


def train_with_trainer(folder):
    config = DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_layers=1, n_heads=2, num_labels=2)
    examples = [{"input_ids": [1, 2 + i % 2, 3], "attention_mask": [1, 1, 1], "labels": i % 2} for i in range(32)]
    arguments = TrainingArguments(folder, num_train_epochs=2, per_device_train_batch_size=8, eval_strategy="epoch", save_strategy="epoch",
                                  logging_strategy="epoch", load_best_model_at_end=True, report_to=[], use_cpu=True)
    metrics = lambda _: {name: 0.5 for name in ("accuracy", "precision", "recall", "f1")}
    trainer = Trainer(DistilBertForSequenceClassification(config), arguments, train_dataset=examples, eval_dataset=examples,
                      compute_metrics=metrics)
    results = trainer.train().metrics
    trainer.save_state()
    trainer.save_metrics("train", results)
    trainer.save_metrics("eval", trainer.evaluate())
    trainer.create_model_card(finetuned_from="base", tasks="text-classification", dataset="imdb", dataset_tags="imdb")


def read(folder, name):
    return json.loads((folder / name).read_text())


def card_of(folder):
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    headings = {line for line in body.splitlines() if line.startswith("## ") or line.startswith("### ")}
    columns = {c.strip() for c in re.search(r"^\| Training Loss.*$", body, re.M)[0].split("|")}
    return {"front matter": set(yaml.safe_load(front)), "headings": headings, "columns": columns}


def record_kinds(state):
    """The keys of log records, by what they tell of."""
    kinds = {}
    for record in state["log_history"]:
        kind = next(k for k in ("train_runtime", "eval_loss", "epoch_loss", "loss") if k in record)
        kinds.setdefault(kind, set()).update(record)
    return kinds


def main():
    ours, theirs = map(pathlib.Path, sys.argv[1:])
    train_with_trainer(theirs)
    TrainerState.load_from_json(ours / "trainer_state.json")  # takes no key that is not Trainer's
    expected, found = {}, {}
    for folder, facts in ((theirs, expected), (ours, found)):
        state = read(folder, "trainer_state.json")
        facts["trainer_state.json"] = set(state)
        facts |= {f"log record with {kind}": keys for kind, keys in record_kinds(state).items()}
        facts |= {name: set(read(folder, name)) for name in ("all_results.json", "train_results.json", "eval_results.json")}
        facts |= {f"model card: {part}": names for part, names in card_of(folder).items()}
    missing = {name: sorted(keys - found.get(name, set()) - KNOWN_ABSENT) for name, keys in expected.items()}
    if any(missing.values()):
        sys.exit(f"missing in {ours}: {({k: v for k, v in missing.items() if v})}")


if __name__ == "__main__":
    main()
