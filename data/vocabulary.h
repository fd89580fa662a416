#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::data {

/// One token per line; the line number is the id.
class Vocabulary {
 public:
  /// Throws DataError if the file cannot be read, is not UTF-8, a token appears twice, or there are too many or too
  /// long ones; ContractError if [PAD], [UNK], [CLS], [SEP] or [MASK] is missing.
  static Vocabulary load(const std::filesystem::path& vocab_txt);
  /// The same of the file's bytes; `where` leads the errors.
  static Vocabulary parse(std::string_view vocab_txt, const std::string& where);
  /// The same of tokens by id.
  static Vocabulary of_tokens(std::vector<std::string> tokens, const std::string& where);
  explicit Vocabulary(std::vector<std::string> tokens);

  size_t size() const { return tokens_.size(); }
  const std::string& token(int32_t id) const { return tokens_.at(static_cast<size_t>(id)); }
  std::span<const std::string> tokens() const { return tokens_; }
  /// sha256 (hex) over the tokens, each followed by '\n': the same for any line ending of the file.
  const std::string& sha256() const { return sha256_; }

 private:
  std::vector<std::string> tokens_;
  std::string sha256_;
};

}  // namespace lockstep::data
