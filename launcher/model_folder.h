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

/// `name_or_path` if it is a folder; else the snapshot of that name in the local Hugging Face cache (HF_HUB_CACHE,
/// HF_HOME, ~/.cache/huggingface). Nothing is downloaded. Throws SettingsError that tells how to get the model.
std::filesystem::path find_model_folder(const std::string& name_or_path);

/// Throws SettingsError unless data set, tokenizer and model belong together: same vocabulary and tokenizer options,
/// ids within the embedding, sequences within the positions.
void require_fitting(const data::DatasetManifest& dataset, const data::WordPieceTokenizer& tokenizer,
                     const model::DistilBertConfig& config, int max_seq_length);

/// The labels the classifier shall have: the data set's. Throws SettingsError if the model's own labels are real names
/// that contradict them ("neg", "pos" against "pos", "neg").
void take_labels(model::DistilBertConfig& config, const data::DatasetManifest& dataset);

/// Content by name of what a model's folder holds beside its weights: config.json and the tokenizer.
std::map<std::string, std::string> model_files(const model::DistilBertConfig& config,
                                               const data::WordPieceTokenizer& tokenizer);

/// Writes config.json, model.safetensors and the tokenizer files into `folder`, each by rename: a reader always finds
/// whole files. Asks `owner` before it renames.
void write_model_files(const model::DistilBert& model, const data::WordPieceTokenizer& tokenizer,
                       const std::filesystem::path& folder, const FolderOwner& owner);

}  // namespace lockstep
