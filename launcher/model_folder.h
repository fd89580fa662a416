#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "data/dataset_manifest.h"
#include "data/wordpiece.h"
#include "launcher/checkpoint/folder_owner.h"
#include "model/distilbert.h"
#include "model/weights.h"

namespace lockstep {

/// Throws SettingsError unless data set, tokenizer and model belong together: same vocabulary and tokenizer options,
/// ids within the embedding, sequences within the positions.
void require_fitting(const data::DatasetManifest& dataset, const data::WordPieceTokenizer& tokenizer,
                     const model::DistilBertConfig& config, int max_seq_length);

/// The labels the classifier shall have: the data set's. Throws SettingsError if the model's own labels are real names
/// that contradict them ("neg", "pos" against "pos", "neg").
void take_labels(model::DistilBertConfig& config, const data::DatasetManifest& dataset);

/// The fine-tuned model of `folder`, on the CPU; `config`: the folder's, perhaps with other names of labels. Throws
/// SettingsError for a base model, and for a classifier that cannot be used: of one label, for others than config.json
/// names, a BERT's.
model::DistilBert load_classifier(const model::DistilBertConfig& config, const std::filesystem::path& folder);

/// Content by name of what a model's folder holds beside its weights: config.json and the tokenizer.
std::map<std::string, std::string> model_files(const model::DistilBertConfig& config,
                                               const data::WordPieceTokenizer& tokenizer);

/// Writes config.json, model.safetensors and the tokenizer files into `folder`, each by rename: a reader always finds
/// whole files. Asks `owner` before it renames.
void write_model_files(const model::DistilBert& model, const data::WordPieceTokenizer& tokenizer,
                       const std::filesystem::path& folder, const FolderOwner& owner);

}  // namespace lockstep
