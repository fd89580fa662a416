#!/usr/bin/env python3
"""One run of Hugging Face Trainer, for the benchmarks beside this file. Reads a JSON object with the options below from its first
argument, prints one JSON object as its last line:

    model, train, test   folder of the model; JSONL files with "text" and "label" ("test" may be missing: no evaluation)
    length, batch, steps tokens per example at most, examples per step, optimizer steps (or "epochs")
    learning_rate, seed
    device               "cpu" or "cuda"
    arguments            further TrainingArguments: bf16, train_sampling_strategy, torch_compile...
"""
import json
import sys
import time

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments


class Reviews(torch.utils.data.Dataset):
    def __init__(self, path, tokenizer, length):
        rows = [json.loads(line) for line in open(path)]
        names = sorted({row["label"] for row in rows})
        self.encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=length)["input_ids"]
        self.labels = [names.index(row["label"]) for row in rows]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return {"input_ids": self.encoded[i], "labels": self.labels[i]}


class Clock(TrainerCallback):
    """When training began, and when each step had ended (on a GPU: was done there)."""

    def __init__(self, device):
        self.device = device
        self.began = None
        self.ends = []

    def on_step_begin(self, *_, **__):
        self.began = self.began or time.time()

    def on_step_end(self, *_, **__):
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.time())


def arguments_of(options):
    return TrainingArguments(output_dir=options["output"], seed=options["seed"], learning_rate=options["learning_rate"],
                             max_steps=options.get("steps", -1), num_train_epochs=options.get("epochs", 1),
                             per_device_train_batch_size=options["batch"], per_device_eval_batch_size=options["batch"],
                             eval_strategy="no", save_strategy="no", report_to=[], disable_tqdm=True, logging_strategy="no",
                             use_cpu=options["device"] == "cpu", **options.get("arguments", {}))


def main():
    options = json.loads(sys.argv[1])
    transformers.utils.logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(options["model"])
    clock = Clock(options["device"])
    trainer = Trainer(model=AutoModelForSequenceClassification.from_pretrained(options["model"]), args=arguments_of(options),
                      train_dataset=Reviews(options["train"], tokenizer, options["length"]), processing_class=tokenizer,
                      compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())},
                      callbacks=[clock])
    trainer.train()
    times = [clock.began, *clock.ends]
    result = {"began": clock.began, "step_seconds": [b - a for a, b in zip(times, times[1:])]}
    if "test" in options:
        result |= trainer.evaluate(Reviews(options["test"], tokenizer, options["length"]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
