#!/usr/bin/env python3
"""Does Lockstep learn as well as Hugging Face Trainer? Same starting weights (classifier included), same reviews, same
recipe, several seeds; accuracy and loss of both at the end.

    PYTHON tests/bench/quality.py --lockstep build/bin/lockstep --imdb aclImdb_v1.tar.gz --model MINILM_FOLDER --work FOLDER

About 40 minutes on two cores, most of it Hugging Face's. Results so far are kept in FOLDER/quality.json, so that a run
that was stopped goes on. PYTHON is the tests' environment (transformers, torch).
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

from imdb_reviews import write_reviews

HERE = pathlib.Path(__file__).resolve().parent
RECIPE = {"learning_rate": 5e-5, "num_train_epochs": 2, "batch": 16, "length": 128}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", required=True)
    parser.add_argument("--imdb", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--eval", type=int, default=2000)
    return parser.parse_args()


def run(command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lockstep_train(args, model, output, seed, *more):
    run([args.lockstep, "train", "--model_name_or_path", model, "--dataset", args.work / "data", "--output_dir", output,
         "--overwrite_output_dir", "--seed", seed, "--max_seq_length", RECIPE["length"], "--global_batch_size", RECIPE["batch"],
         *more])


def lockstep_run(args, start, seed):
    output = args.work / f"lockstep-{seed}"
    lockstep_train(args, start, output, seed, "--learning_rate", RECIPE["learning_rate"], "--num_train_epochs",
                   RECIPE["num_train_epochs"], "--eval_strategy", "steps", "--eval_steps", 10**6, "--per_device_eval_batch_size", 16)
    records = [json.loads(line) for line in open(output / "metrics.jsonl")]
    return [(r["eval_accuracy"], r["eval_loss"]) for r in records if "eval_loss" in r][-1]


def hugging_face_run(args, start, seed):
    request = {"model": str(start), "train": str(args.work / "train.jsonl"), "test": str(args.work / "test.jsonl"),
               "output": str(args.work / "hf"), "length": RECIPE["length"], "batch": RECIPE["batch"],
               "epochs": RECIPE["num_train_epochs"], "learning_rate": RECIPE["learning_rate"], "seed": seed, "device": "cpu"}
    done = subprocess.run([sys.executable, HERE / "hf_trainer.py", json.dumps(request)], check=True, capture_output=True, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return result["eval_accuracy"], result["eval_loss"]


def prepare(args):
    args.work.mkdir(parents=True, exist_ok=True)
    write_reviews(args.imdb, args.train, "train", args.work / "train.jsonl", 1)
    write_reviews(args.imdb, args.eval, "test", args.work / "test.jsonl", 2)
    run([args.lockstep, "prepare", "--train_file", args.work / "train.jsonl", "--test_file", args.work / "test.jsonl",
         "--model", args.model, "--output", args.work / "data", "--max_length", RECIPE["length"], "--overwrite"])


def summary(values):
    return f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def print_table(results):
    print(f"{'':14}{'accuracy: mean (spread)':34}loss: mean (spread), over {len(results['Lockstep'])} seeds")
    for name, runs in results.items():
        accuracies, losses = zip(*runs.values())
        print(f"{name:14}{summary(accuracies):34}{summary(losses)}")


def main():
    args = parse()
    saved = args.work / "quality.json"
    if not saved.exists():
        prepare(args)
    results = json.loads(saved.read_text()) if saved.exists() else {"Lockstep": {}, "Hugging Face": {}}
    for seed in args.seeds:
        start = args.work / f"start-{seed}"
        if str(seed) not in results["Lockstep"]:
            # One step at rate 0: the base model as a DistilBERT folder with this seed's new classifier.
            lockstep_train(args, args.model, start, seed, "--learning_rate", 0, "--max_steps", 1)
        for name, train in (("Lockstep", lockstep_run), ("Hugging Face", hugging_face_run)):
            if str(seed) in results[name]:
                continue
            begin = time.time()
            results[name][str(seed)] = train(args, start, seed)
            print(f"{name}, seed {seed}: {results[name][str(seed)]} in {time.time() - begin:.0f} s", flush=True)
            saved.write_text(json.dumps(results, indent=1))
    print_table(results)


if __name__ == "__main__":
    main()
