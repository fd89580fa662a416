#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/distilbert.h"

namespace lockstep::model {

/// What loading found: names as in the file.
struct LoadReport {
  std::vector<std::string> newly_initialized;  // the classifier of a base model
  std::vector<std::string> unused;             // the masked-language-model head of a base model
  std::string misfit;                          // `tensor "classifier.weight" has shape [3, 768]`: for other labels
  bool folded_from_bert = false;               // a BERT folder (MiniLM) turned into DistilBERT

  /// Whether a BERT's trained classifier is among the unused: it stands behind a pooler, which DistilBERT has not.
  bool leaves_bert_classifier() const;
};

/// Loads model.safetensors of a Hugging Face folder: DistilBertForSequenceClassification, DistilBertModel/ForMaskedLM
/// (with or without the "distilbert." prefix), or a BERT encoder, by adding row 0 of its token_type embeddings to every
/// position embedding. `model` must have been made from load_config(folder) (its labels may differ when the classifier
/// is new). A classifier that is missing, or whose number of labels differs from a base model's, is initialized from
/// `seed`. Throws ModelFileError or ModelContractError naming file, tensor, shape found and shape expected.
LoadReport load_weights(DistilBert& model, const std::filesystem::path& folder, uint64_t seed);
/// What it would report for a model of `config`, or throw, by names and shapes alone: for before there is a model,
/// whose memory is whatever config.json asks for.
LoadReport examine_weights(const DistilBertConfig& config, const std::filesystem::path& folder);

/// Writes config.json and model.safetensors into the existing `folder`.
void save_weights(const DistilBert& model, const std::filesystem::path& folder);

}  // namespace lockstep::model
