"""Runs of programs and their figures, for the benchmarks beside this file."""
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time


class Failed(SystemExit):
    """A program ended with an error; ends this one with its last words, unless somebody goes on without its figures."""


def run_to_end(command, watched=None):
    """Runs it; raises Failed if that fails; returns its output, the seconds from its start until the file `watched` had its first line, and its peak memory in MiB."""
    began, appeared = time.time(), None
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)
        ended = 0
        while not ended:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if watched and not appeared and watched.exists() and watched.stat().st_size > 0:
                appeared = time.time() - began
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{text[-3000:]}")
    return text, appeared, usage.ru_maxrss / 1024


def lockstep_steps(lockstep, output_dir, launch, options):
    """`lockstep train` into `output_dir`, which is emptied; `launch` is what stands before "train". Seconds of each step; until the first
    one began; peak memory in MiB (None under launch, which has little to do with it); reviews per second of the last evaluation."""
    shutil.rmtree(output_dir, ignore_errors=True)
    metrics = output_dir / "metrics.jsonl"
    _, first_record, memory = run_to_end([lockstep, *launch, "train", "--output_dir", output_dir, "--logging_steps", 1, *options], metrics)
    records = [json.loads(line) for line in open(metrics)]
    training = [record for record in records if "loss" in record]
    evaluations = [record["eval_samples_per_second"] for record in records if "eval_loss" in record]
    # A step's examples are its seconds times its rate; the last step of an epoch may have fewer.
    batch = int(options[options.index("--global_batch_size") + 1])
    steps = [batch / record["samples_per_second"] for record in training]
    tokens = [record["tokens_per_second"] for record in training]
    return {"step_seconds": steps, "tokens_per_second": tokens, "start": first_record - steps[0], "memory": None if launch else memory,
            "evaluation": evaluations[-1] if evaluations else None}


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
