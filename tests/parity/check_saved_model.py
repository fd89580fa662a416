"""Loads a folder that Lockstep saved as any user of transformers would, and refuses every warning on the way.

    check_saved_model.py FOLDER LOGITS.safetensors [BERT_FOLDER]

LOGITS.safetensors has ids, offsets and logits (float32), as Lockstep computed them. With BERT_FOLDER, the folder that was
folded into DistilBERT: the [CLS] vectors of transformers' BertModel, put through the saved head, must give the same logits.
"""
import logging
import sys
import warnings

import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, BertModel
from transformers.utils import logging as transformers_logging

# float32 sums of up to 1536 products in another order, through six layers: some 1e-6 on logits of order one.
TOLERANCE = 2e-5


class Complaints(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def load_without_complaint(folder):
    complaints = Complaints()
    transformers_logging.get_logger().addHandler(complaints)
    logging.getLogger().addHandler(complaints)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, info = AutoModelForSequenceClassification.from_pretrained(folder, output_loading_info=True)
    assert not complaints.lines, f"from_pretrained complained: {complaints.lines}"
    assert not any(info.values()), f"from_pretrained reports {info}"
    return model.eval()


def require_close(ours, theirs, what):
    difference = (ours - theirs).abs().max().item()
    print(f"{what}: largest difference of logits {difference:.2e}")
    assert difference < TOLERANCE, f"{what}: logits differ by {difference}"


@torch.no_grad()
def main(folder, logits_path, bert_folder=None):
    tensors = load_file(logits_path)
    offsets = tensors["offsets"].long().tolist()
    ids = tensors["ids"].long()
    examples = [ids[a:b].unsqueeze(0) for a, b in zip(offsets, offsets[1:])]
    model = load_without_complaint(folder)
    assert type(model).__name__ == "DistilBertForSequenceClassification", type(model)
    require_close(tensors["logits"], torch.cat([model(e).logits for e in examples]), "saved folder")
    if bert_folder is not None:
        bert = BertModel.from_pretrained(bert_folder).eval()
        first = torch.cat([bert(e).last_hidden_state[:, 0] for e in examples])
        require_close(tensors["logits"], model.classifier(torch.relu(model.pre_classifier(first))), "BERT's [CLS]")


main(*sys.argv[1:])
