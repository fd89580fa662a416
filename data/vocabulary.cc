#include "data/vocabulary.h"

#include <unordered_set>
#include <utility>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/sha256.h"
#include "data/special_tokens.h"
#include "data/utf8.h"

namespace lockstep::data {

namespace {

constexpr int64_t kMaxFileBytes = int64_t{64} << 20;
// More than any BERT has (LaBSE: 501 153), and longer than any word that is looked up. Each byte of a token costs
// memory, and each level of the trie stack.
constexpr size_t kMostTokens = size_t{1} << 20;
constexpr size_t kMaxTokenBytes = 4 * kMaxWordCharacters + kContinuation.size();

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
  if (tokens.size() > kMostTokens)
    throw DataError("it has " + std::to_string(tokens.size()) + " tokens, more than the " +
                    std::to_string(kMostTokens) + " a vocabulary may have");
  std::unordered_set<std::string_view> seen;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].size() > kMaxTokenBytes)
      throw DataError("line " + std::to_string(id + 1) + " has " + std::to_string(tokens[id].size()) +
                      " bytes; a token has at most " + std::to_string(kMaxTokenBytes));
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
  return parse(read_file(vocab_txt, kMaxFileBytes), vocab_txt.string());
}

Vocabulary Vocabulary::parse(std::string_view vocab_txt, const std::string& where) {
  return of_tokens(lines_of(vocab_txt), where);
}

Vocabulary Vocabulary::of_tokens(std::vector<std::string> tokens, const std::string& where) {
  try {
    return Vocabulary(std::move(tokens));
  } catch (const ContractError& error) {
    throw ContractError(where + ": " + error.what());
  } catch (const DataError& error) {
    throw DataError(where + ": " + error.what());
  }
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  check_tokens(tokens_);
  sha256_ = hash_of(tokens_);
}

}  // namespace lockstep::data
