#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "data/wordpiece.h"

namespace lockstep::data {

/// Content by name of vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, with which
/// AutoTokenizer.from_pretrained gives a DistilBERT tokenizer with the same ids, without stored padding or
/// truncation and with model_max_length = `max_length`.
std::map<std::string, std::string> tokenizer_files(const WordPieceTokenizer& tokenizer, int max_length);
/// Writes them into `folder`.
void write_tokenizer_files(const WordPieceTokenizer& tokenizer, int max_length, const std::filesystem::path& folder);

}  // namespace lockstep::data
