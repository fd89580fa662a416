#include "data/tokenizer_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/input_path.h"
#include "data/json_text.h"
#include "data/special_tokens.h"
#include "data/spelling.h"

namespace lockstep::data {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

const json kNull;

/// One of the folder's JSON files; a missing file is an empty object.
class JsonFile {
 public:
  static constexpr int64_t kMaxBytes = int64_t{64} << 20;  // tokenizer.json holds the vocabulary

  explicit JsonFile(const fs::path& path) : path_(path), content_(json::object()) {
    if (!is_there(path)) return;
    const std::string text = read_file(path, kMaxBytes);
    try {
      content_ = parse_json(text);
    } catch (const DataError& error) {
      throw DataError(path.string() + " is damaged: " + error.what() + "; get the file again from its source");
    }
    if (!content_.is_object())
      throw DataError(path.string() + " is not a JSON object; get the file again from its source");
  }

  const fs::path& path() const { return path_; }
  const json& content() const { return content_; }
  bool is_empty() const { return content_.empty(); }

  /// The value at a path such as "/model/type"; null where there is none.
  const json& at(const std::string& pointer) const {
    const json::json_pointer key(pointer);
    return content_.contains(key) ? content_.at(key) : kNull;
  }

  [[noreturn]] void refuse(const std::string& pointer, const std::string& expected) const {
    throw ContractError(path_.string() + ": " + pointer.substr(1) + " is " + excerpt(at(pointer).dump()) + "; " +
                        expected);
  }

  void require(const std::string& pointer, const json& expected) const {
    if (at(pointer) != expected) refuse(pointer, "only " + expected.dump() + " is supported");
  }

  /// As require(), but null or absent is fine too.
  void require_if_set(const std::string& pointer, const json& expected) const {
    if (!at(pointer).is_null()) require(pointer, expected);
  }

  void require_empty(const std::string& pointer) const {
    if (!at(pointer).empty()) refuse(pointer, "this is not supported; remove it");
  }

 private:
  fs::path path_;
  json content_;
};

/// A special token is written as its text or as an object that holds its text.
const json& text_of(const json& token) {
  return token.is_object() && token.contains("content") ? token["content"] : token;
}

bool is_special(const json& text) {
  return text.is_string() && std::count(kSpecialTokens.begin(), kSpecialTokens.end(), text.get<std::string>()) > 0;
}

void check_special_tokens(const JsonFile& file) {
  const std::pair<const char*, std::string_view> names[] = {{"/pad_token", kPad},
                                                            {"/unk_token", kUnknown},
                                                            {"/cls_token", kClassify},
                                                            {"/sep_token", kSeparator},
                                                            {"/mask_token", kMask}};
  for (const auto& [key, expected] : names) {
    const json& token = file.at(key);
    if (!token.is_null() && text_of(token) != expected)
      file.refuse(key, "only \"" + std::string(expected) + "\" is supported");
  }
  for (const char* key : {"/bos_token", "/eos_token"})
    if (!file.at(key).is_null() && !is_special(text_of(file.at(key))))
      file.refuse(key, "added tokens are not supported");
  file.require_empty("/additional_special_tokens");
  file.require_empty("/extra_special_tokens");
}

/// `token` is what stands at `pointer`. Its lstrip and rstrip take white space only, which has no ids anyway.
void check_added_token(const JsonFile& file, const std::string& pointer, const json& token, const json& id,
                       const Vocabulary& vocabulary) {
  const json& text = text_of(token);
  if (!is_special(text)) file.refuse(pointer, "added tokens other than BERT's five special ones are not supported");
  const auto known = vocabulary.tokens();
  const auto expected = std::find(known.begin(), known.end(), text.get<std::string>()) - known.begin();
  if (id != expected) file.refuse(pointer, "its id in the vocabulary is " + std::to_string(expected));
  for (const char* flag : {"single_word", "normalized"})
    if (token.is_object() && token.contains(flag) && token[flag] != false)
      file.refuse(pointer, std::string(flag) + " is not supported");
}

void check_config(const JsonFile& config, const Vocabulary& vocabulary) {
  check_special_tokens(config);
  config.require_if_set("/do_basic_tokenize", true);
  config.require_if_set("/truncation_side", "right");
  config.require_if_set("/split_special_tokens", false);
  config.require_empty("/never_split");
  const json& added = config.at("/added_tokens_decoder");
  for (const auto& [id, token] : added.items())
    check_added_token(config, (json::json_pointer("/added_tokens_decoder") / id).to_string(), token,
                      json::parse(id, nullptr, false), vocabulary);
}

void check_post_processor(const JsonFile& tokenizer) {
  const json& type = tokenizer.at("/post_processor/type");
  if (type.is_null()) return;
  if (type == "BertProcessing") {
    tokenizer.require("/post_processor/cls/0", kClassify);
    tokenizer.require("/post_processor/sep/0", kSeparator);
    return;
  }
  tokenizer.require("/post_processor/type", "TemplateProcessing");
  tokenizer.require("/post_processor/single/0/SpecialToken/id", kClassify);
  tokenizer.require("/post_processor/single/1/Sequence/id", "A");
  tokenizer.require("/post_processor/single/2/SpecialToken/id", kSeparator);
  tokenizer.require("/post_processor/single/3", nullptr);
}

void check_tokenizer(const JsonFile& tokenizer, const Vocabulary& vocabulary) {
  tokenizer.require_if_set("/model/type", "WordPiece");  // files of old versions leave it out
  tokenizer.require("/model/unk_token", kUnknown);
  tokenizer.require("/model/continuing_subword_prefix", kContinuation);
  tokenizer.require("/model/max_input_chars_per_word", kMaxWordCharacters);
  tokenizer.require("/normalizer/type", "BertNormalizer");
  tokenizer.require("/normalizer/clean_text", true);
  tokenizer.require("/pre_tokenizer/type", "BertPreTokenizer");
  check_post_processor(tokenizer);
  const json& added = tokenizer.at("/added_tokens");
  if (!added.is_null() && !added.is_array()) tokenizer.refuse("/added_tokens", "expected a list");
  for (size_t i = 0; i < added.size(); ++i) {
    const std::string pointer = "/added_tokens/" + std::to_string(i);
    check_added_token(tokenizer, pointer, added[i], tokenizer.at(pointer + "/id"), vocabulary);
  }
}

/// The vocabulary that tokenizer.json holds, by id.
std::vector<std::string> tokens_of(const JsonFile& tokenizer) {
  const json& entries = tokenizer.at("/model/vocab");
  const std::string where = tokenizer.path().string() + ": model.vocab ";
  if (!entries.is_object() || entries.empty()) throw ContractError(where + "is not a table of tokens and ids");
  std::vector<std::string> tokens(entries.size());
  std::vector<bool> taken(entries.size());
  for (const auto& [token, id] : entries.items()) {
    if (!id.is_number_unsigned() || id.get<size_t>() >= tokens.size() || taken[id.get<size_t>()])
      throw ContractError(where + "gives \"" + excerpt(token) + "\" the id " + excerpt(id.dump()) +
                          "; ids must be 0 to " + std::to_string(tokens.size() - 1) + ", each once");
    tokens[id.get<size_t>()] = token;
    taken[id.get<size_t>()] = true;
  }
  return tokens;
}

Vocabulary read_vocabulary(const fs::path& folder, const JsonFile& tokenizer) {
  const fs::path vocab_txt = folder / "vocab.txt";
  const bool has_file = is_there(vocab_txt);
  if (!has_file && tokenizer.is_empty())
    throw DataError(folder.string() + " has neither vocab.txt nor tokenizer.json; copy them from the model's source");
  if (tokenizer.is_empty()) return Vocabulary::load(vocab_txt);
  tokenizer.require_if_set("/model/type", "WordPiece");
  Vocabulary vocabulary = Vocabulary::of_tokens(tokens_of(tokenizer), tokenizer.path().string() + ": model.vocab");
  if (has_file && Vocabulary::load(vocab_txt).sha256() != vocabulary.sha256())
    throw ContractError(vocab_txt.string() + " and tokenizer.json (model.vocab) hold different vocabularies; " +
                        "remove the one that the model was not trained with");
  return vocabulary;
}

/// Which file decides where they do not both speak. BERT's own classes take their options from tokenizer_config.json,
/// with defaults, and overrule tokenizer.json; the generic classes use tokenizer.json as it is.
bool config_decides(const JsonFile& config) {
  const json& name = config.at("/tokenizer_class");
  for (const char* generic : {"PreTrainedTokenizerFast", "TokenizersBackend"})
    if (name == generic) return false;
  for (const char* bert : {"BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast"})
    if (name == bert) return true;
  if (!name.is_null()) config.refuse("/tokenizer_class", "only BERT's and DistilBERT's tokenizers are supported");
  return true;
}

/// true, false, or nothing for "as do_lower_case".
std::optional<bool> flag_at(const JsonFile& file, const std::string& pointer, bool may_be_null) {
  const json& value = file.at(pointer);
  if (!value.is_boolean() && !(may_be_null && value.is_null())) file.refuse(pointer, "expected true or false");
  return value.is_null() ? std::nullopt : std::optional(value.get<bool>());
}

TokenizerOptions options_of_config(const JsonFile& config, const TokenizerOptions& defaults) {
  TokenizerOptions options = defaults;
  const auto flag = [&](const char* pointer) { return flag_at(config, pointer, true); };
  options.do_lower_case = flag("/do_lower_case").value_or(defaults.do_lower_case);
  options.tokenize_chinese_chars = flag("/tokenize_chinese_chars").value_or(defaults.tokenize_chinese_chars);
  // Absent or null: as do_lower_case, unless the file that decides says otherwise.
  const bool accents = config_decides(config) ? options.do_lower_case : defaults.strip_accents;
  options.strip_accents = flag("/strip_accents").value_or(accents);
  return options;
}

TokenizerOptions options_of_tokenizer(const JsonFile& tokenizer) {
  TokenizerOptions options;
  options.do_lower_case = *flag_at(tokenizer, "/normalizer/lowercase", false);
  options.strip_accents = flag_at(tokenizer, "/normalizer/strip_accents", true).value_or(options.do_lower_case);
  options.tokenize_chinese_chars = *flag_at(tokenizer, "/normalizer/handle_chinese_chars", false);
  return options;
}

TokenizerOptions agreed_options(const JsonFile& config, const JsonFile& tokenizer) {
  if (tokenizer.is_empty()) return options_of_config(config, {});
  const TokenizerOptions stored = options_of_tokenizer(tokenizer);
  const TokenizerOptions wanted = options_of_config(config, config_decides(config) ? TokenizerOptions{} : stored);
  const auto agree = [&](bool a, bool b, const char* key, const char* config_key) {
    if (a == b) return;
    tokenizer.refuse(key, "but " + std::string(config_key) + " in tokenizer_config.json is " + (b ? "true" : "false") +
                              " (stated or by default); make the two agree with what the model was trained with");
  };
  agree(stored.do_lower_case, wanted.do_lower_case, "/normalizer/lowercase", "do_lower_case");
  agree(stored.strip_accents, wanted.strip_accents, "/normalizer/strip_accents", "strip_accents");
  agree(stored.tokenize_chinese_chars, wanted.tokenize_chinese_chars, "/normalizer/handle_chinese_chars",
        "tokenize_chinese_chars");
  return wanted;
}

}  // namespace

TokenizerFolder read_tokenizer_folder(const fs::path& folder) {
  const JsonFile tokenizer(folder / "tokenizer.json");
  const JsonFile config(folder / "tokenizer_config.json");
  const JsonFile added(folder / "added_tokens.json");
  Vocabulary vocabulary = read_vocabulary(folder, tokenizer);
  check_config(config, vocabulary);
  check_special_tokens(JsonFile(folder / "special_tokens_map.json"));
  if (!tokenizer.is_empty()) check_tokenizer(tokenizer, vocabulary);
  for (const auto& [token, id] : added.content().items()) {
    const json::json_pointer key = json::json_pointer() / token;
    check_added_token(added, key.to_string(), token, id, vocabulary);
  }
  return {std::move(vocabulary), agreed_options(config, tokenizer)};
}

WordPieceTokenizer WordPieceTokenizer::from_folder(const fs::path& folder) {
  TokenizerFolder found = read_tokenizer_folder(folder);
  return {std::move(found.vocabulary), found.options};
}

}  // namespace lockstep::data
