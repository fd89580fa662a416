#include <unordered_set>
#include <utility>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/sha256.h"
#include "data/special_tokens.h"
#include "data/unicode.h"
#include "data/wordpiece.h"

namespace lockstep::data {

namespace {

std::vector<std::string> lines_of(std::string_view bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    std::string_view line = bytes.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  }
  return lines;
}

void check_tokens(const std::vector<std::string>& tokens) {
  std::unordered_set<std::string_view> seen;
  for (size_t id = 0; id < tokens.size(); ++id) {
    int64_t bad = 0;
    to_valid_utf8(tokens[id], &bad);
    if (bad > 0)
      throw DataError("line " + std::to_string(id + 1) + " is not UTF-8; get the file again from its source");
    if (!seen.insert(tokens[id]).second)
      throw DataError("the token \"" + tokens[id] + "\" appears twice, again in line " + std::to_string(id + 1) +
                      "; get the file again from its source");
  }
  for (std::string_view special : kSpecialTokens)
    if (!seen.contains(special))
      throw ContractError("the token " + std::string(special) + " is missing; a BERT vocabulary has " +
                          "[PAD], [UNK], [CLS], [SEP] and [MASK], one token per line");
}

std::string hash_of(const std::vector<std::string>& tokens) {
  Sha256 hash;
  for (const auto& token : tokens) {
    hash.update(token);
    hash.update("\n");
  }
  return hash.hex();
}

}  // namespace

Vocabulary Vocabulary::load(const std::filesystem::path& vocab_txt) {
  const std::string bytes = read_file(vocab_txt);
  try {
    return Vocabulary(lines_of(bytes));
  } catch (const ContractError& error) {
    throw ContractError(vocab_txt.string() + ": " + error.what());
  } catch (const DataError& error) {
    throw DataError(vocab_txt.string() + ": " + error.what());
  }
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  check_tokens(tokens_);
  sha256_ = hash_of(tokens_);
}

}  // namespace lockstep::data
