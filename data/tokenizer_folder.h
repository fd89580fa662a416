#pragma once

#include <filesystem>

#include "data/wordpiece.h"

namespace lockstep::data {

/// What a Hugging Face folder says about its tokenizer.
struct TokenizerFolder {
  Vocabulary vocabulary;
  TokenizerOptions options;
};

/// Reads vocab.txt, tokenizer.json, tokenizer_config.json, special_tokens_map.json and added_tokens.json, as far as
/// they are there; vocab.txt or tokenizer.json must be. Truncation and padding stored in tokenizer.json are ignored on
/// purpose. Throws ContractError, naming file and key, for what this program's tokenizer does not do, and DataError for
/// damaged files.
TokenizerFolder read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace lockstep::data
