#include "data/tokenizer_files.h"

#include <nlohmann/json.hpp>

#include "data/atomic_file.h"
#include "data/special_tokens.h"

namespace lockstep::data {

using nlohmann::ordered_json;

namespace {

ordered_json vocabulary_of(const WordPieceTokenizer& tokenizer) {
  ordered_json vocabulary = ordered_json::object();
  auto& entries = vocabulary.get_ref<ordered_json::object_t&>();
  int32_t id = 0;
  // Straight to the underlying vector: the table's own insertion looks for the key in all entries first.
  for (const std::string& token : tokenizer.vocabulary().tokens())
    entries.emplace_back(token, id++);
  return vocabulary;
}

ordered_json added_tokens(const ordered_json& vocabulary) {
  ordered_json tokens = ordered_json::array();
  for (std::string_view token : kSpecialTokens)
    tokens.push_back({{"id", vocabulary.at(std::string(token))},
                      {"content", token},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
  return tokens;
}

ordered_json special(std::string_view token, int segment) {
  return {{"SpecialToken", {{"id", token}, {"type_id", segment}}}};
}
ordered_json sequence(std::string_view name, int segment) {
  return {{"Sequence", {{"id", name}, {"type_id", segment}}}};
}

ordered_json post_processor(const ordered_json& vocabulary) {
  ordered_json specials = ordered_json::object();
  for (std::string_view token : {kClassify, kSeparator})
    specials[std::string(token)] = {{"id", token},
                                    {"ids", ordered_json::array({vocabulary.at(std::string(token))})},
                                    {"tokens", ordered_json::array({token})}};
  return {{"type", "TemplateProcessing"},
          {"single", {special(kClassify, 0), sequence("A", 0), special(kSeparator, 0)}},
          {"pair",
           {special(kClassify, 0), sequence("A", 0), special(kSeparator, 0), sequence("B", 1), special(kSeparator, 1)}},
          {"special_tokens", specials}};
}

ordered_json tokenizer_json(const WordPieceTokenizer& tokenizer) {
  const TokenizerOptions& options = tokenizer.options();
  const ordered_json vocabulary = vocabulary_of(tokenizer);
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens(vocabulary)},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", options.tokenize_chinese_chars},
            {"strip_accents", options.strip_accents},
            {"lowercase", options.do_lower_case}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", post_processor(vocabulary)},
          {"decoder", {{"type", "WordPiece"}, {"prefix", kContinuation}, {"cleanup", true}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", kUnknown},
            {"continuing_subword_prefix", kContinuation},
            {"max_input_chars_per_word", kMaxWordCharacters},
            {"vocab", vocabulary}}}};
}

ordered_json special_tokens_map() {
  return {{"cls_token", kClassify},
          {"mask_token", kMask},
          {"pad_token", kPad},
          {"sep_token", kSeparator},
          {"unk_token", kUnknown}};
}

ordered_json tokenizer_config(const WordPieceTokenizer& tokenizer, int max_length) {
  ordered_json config = special_tokens_map();
  config["do_lower_case"] = tokenizer.options().do_lower_case;
  config["strip_accents"] = tokenizer.options().strip_accents;
  config["tokenize_chinese_chars"] = tokenizer.options().tokenize_chinese_chars;
  config["model_max_length"] = max_length;
  config["tokenizer_class"] = "DistilBertTokenizer";
  return config;
}

std::string vocab_txt(const WordPieceTokenizer& tokenizer) {
  std::string lines;
  for (const std::string& token : tokenizer.vocabulary().tokens())
    lines += token + "\n";
  return lines;
}

}  // namespace

std::map<std::string, std::string> tokenizer_files(const WordPieceTokenizer& tokenizer, int max_length) {
  const auto text = [](const ordered_json& content) { return content.dump(2) + "\n"; };
  return {{"vocab.txt", vocab_txt(tokenizer)},
          {"tokenizer.json", text(tokenizer_json(tokenizer))},
          {"tokenizer_config.json", text(tokenizer_config(tokenizer, max_length))},
          {"special_tokens_map.json", text(special_tokens_map())}};
}

void write_tokenizer_files(const WordPieceTokenizer& tokenizer, int max_length, const std::filesystem::path& folder) {
  for (const auto& [name, content] : tokenizer_files(tokenizer, max_length))
    write_file_atomically(folder / name, content);
}

}  // namespace lockstep::data
