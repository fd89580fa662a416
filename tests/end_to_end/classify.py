"""Labels texts with transformers' own pipeline, for comparison: classify.py MODEL_FOLDER TEXTS.jsonl OUT.jsonl.

Any warning from transformers while it loads the folder is an error: the folder must be one that Hugging Face itself could
have written.
"""
import json
import logging
import sys
import warnings

warnings.simplefilter("error")
complaints = []


class Complaints(logging.Handler):
    def emit(self, record):
        complaints.append(record.getMessage())


logging.getLogger("transformers").addHandler(Complaints(level=logging.WARNING))
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline  # noqa: E402

folder, texts, out = sys.argv[1:]
classify = pipeline("text-classification", model=AutoModelForSequenceClassification.from_pretrained(folder),
                    tokenizer=AutoTokenizer.from_pretrained(folder), top_k=None, device="cpu")
if complaints:
    sys.exit("transformers warned: " + " | ".join(complaints))
with open(out, "w") as file:
    for line in open(texts):
        scores = classify([json.loads(line)["text"]], truncation=True, max_length=512)[0]
        file.write(json.dumps({entry["label"]: entry["score"] for entry in scores}) + "\n")
