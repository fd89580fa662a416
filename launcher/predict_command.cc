#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "data/error.h"
#include "data/input_path.h"
#include "data/packed_batch.h"
#include "data/spelling.h"
#include "data/utf8.h"
#include "data/wordpiece.h"
#include "launcher/batch_view.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/option_values.h"
#include "launcher/cli/printable_text.h"
#include "launcher/cli/standard_streams.h"
#include "launcher/commands.h"
#include "launcher/errors.h"
#include "launcher/evaluator.h"
#include "launcher/find_model_folder.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/machine.h"
#include "launcher/model_folder.h"
#include "model/compute.h"

namespace lockstep {

namespace {

const char* const kPredictFooter = R"(
Examples:
  lockstep predict --model_name_or_path runs/imdb "A film to see again."
  lockstep predict --model_name_or_path runs/imdb --file reviews.txt \
      --format jsonl > labels.jsonl
  cat reviews.txt | lockstep predict --model_name_or_path runs/imdb

A file or standard input holds one text per line. Texts that begin with a dash
stand behind --.

Exit codes: 0 done; 2 usage; 3 not a classifier; 4 damaged or unreadable input;
8 NaN; 9 output could not be written.)";

struct PredictOptions {
  std::string model, file, format = "table";
  std::vector<std::string> texts;
  int max_seq_length = 512, threads = 0;
  int64_t batch_size = 16;
};

bool takes_the_next_word(const CLI::App& app, const std::string& word) {
  return word.find('=') == word.npos && std::ranges::any_of(app.get_options(), [&](const CLI::Option* option) {
           return option->get_expected_max() > 0 && stands_in({word}, *option);
         });
}

/// Of words before "--". The library never sees the texts: it would take [a, b] for a list of two.
struct OptionsAndTexts {
  OptionsAndTexts(const CLI::App& app, const std::vector<std::string>& words) {
    for (auto word = words.begin(); word != words.end(); ++word) {
      const bool is_option = word->starts_with("--") || *word == "-h";
      (is_option ? options : texts).push_back(*word);
      if (takes_the_next_word(app, *word) && word + 1 != words.end()) options.push_back(*++word);
    }
  }

  std::vector<std::string> options, texts;
};

/// A mistyped option is no text.
void refuse_short_options(const std::vector<std::string>& texts) {
  for (const std::string& text : texts)
    if (text.size() > 1 && text[0] == '-' && std::isalpha(static_cast<unsigned char>(text[1])) != 0)
      throw UsageError("lockstep predict does not take:\n  stray word " + data::excerpt(text) +
                       "\nTexts that begin with a dash stand behind --. See lockstep predict --help.");
}

PredictOptions parse(const std::vector<std::string>& arguments) {
  PredictOptions o;
  auto app = make_app("lockstep predict", "Labels texts with a fine-tuned model. Runs on the CPU.", kPredictFooter);
  app->add_option("text", o.texts, "Texts to label; none: read --file or standard input")->default_str("");
  app->add_option("--model_name_or_path", o.model, "Folder of the fine-tuned model")
      ->check(filled("a folder or a name"))
      ->required();
  app->add_option("--file", o.file, "One text per line; - is standard input")->check(filled("a file, or -"));
  app->add_option("--format", o.format, "table or jsonl (one object per text: label, score, scores of all labels)")
      ->check(one_of({"table", "jsonl"}));
  app->add_option("--max_seq_length", o.max_seq_length, "Longer texts lose their end")->check(whole_number(3, 1 << 20));
  app->add_option("--batch_size", o.batch_size, "Texts per batch")->check(whole_number(1, 1000000));
  app->add_option("--threads", o.threads, "Threads; 0: all cores")->check(whole_number(0, 4096));
  const auto two_dashes = std::find(arguments.begin(), arguments.end(), "--");
  OptionsAndTexts words(*app, {arguments.begin(), two_dashes});
  parse_command_line(*app, words.options);
  refuse_short_options(words.texts);
  o.texts = std::move(words.texts);
  if (two_dashes != arguments.end()) o.texts.insert(o.texts.end(), two_dashes + 1, arguments.end());
  if (!o.texts.empty() && !o.file.empty()) throw UsageError("give texts or --file, not both");
  return o;
}

/// The lines of a file, or of standard input. Not an istream's, which takes a read that fails for the end.
class LineInput {
 public:
  /// "-": standard input.
  explicit LineInput(const std::string& file)
      : name_(file == "-" ? "standard input" : "--file " + file),
        file_(file == "-" ? stdin : std::fopen(file.c_str(), "re")) {
    if (file_ == nullptr) throw UsageError(name_ + ": cannot be read: " + std::strerror(errno));
  }
  ~LineInput() {
    std::free(line_);
    if (file_ != stdin) std::fclose(file_);
  }
  LineInput(const LineInput&) = delete;
  LineInput& operator=(const LineInput&) = delete;

  /// False at the end, and where reading failed.
  bool take(std::string& line) {
    if (error_ != 0) return false;
    const ssize_t length = getline(&line_, &capacity_, file_);
    if (std::ferror(file_) != 0 || (length < 0 && std::feof(file_) == 0)) error_ = errno != 0 ? errno : EIO;
    if (error_ != 0 || length < 0) return false;
    ++lines_;
    line.assign(line_, static_cast<size_t>(length));
    if (line.ends_with('\n')) line.pop_back();
    if (line.ends_with('\r')) line.pop_back();  // a file from Windows
    return true;
  }

  void require_end() const {
    if (error_ != 0)
      throw data::DataError(name_ + ", line " + std::to_string(lines_ + 1) +
                            ": cannot be read: " + std::strerror(error_));
  }

 private:
  std::string name_;
  FILE* file_;
  char* line_ = nullptr;
  size_t capacity_ = 0;
  int64_t lines_ = 0;  // read
  int error_ = 0;
};

/// One batch of texts, from wherever they come.
class TextSource {
 public:
  explicit TextSource(const PredictOptions& options) : texts_(options.texts) {
    if (!texts_.empty()) return;
    const std::string file = options.file.empty() ? "-" : options.file;
    if (file != "-" && data::is_folder(file))
      throw UsageError("--file " + file + " is a folder; name a file with one text per line");
    if (file == "-" && isatty(STDIN_FILENO) == 1)
      log_info("reading texts from standard input, one per line; end with Ctrl-D");
    input_.emplace(file);
  }

  /// Empty at the end. What was read before an error comes first.
  std::vector<std::string> next(int64_t count) {
    std::vector<std::string> batch;
    for (std::string text; static_cast<int64_t>(batch.size()) < count && take(text);)
      batch.push_back(text);
    if (batch.empty() && input_) input_->require_end();
    return batch;
  }

 private:
  bool take(std::string& text) {
    if (input_) return input_->take(text);
    if (next_ == texts_.size()) return false;
    text = texts_[next_++];
    return true;
  }

  std::vector<std::string> texts_;
  size_t next_ = 0;
  std::optional<LineInput> input_;
};

/// Texts whose labels are worth less than they look.
struct Doubts {
  int64_t texts = 0;  // of all
  int64_t cut = 0, not_utf8 = 0, empty = 0;
};

data::PackedBatch tokenize(const std::vector<std::string>& texts, const data::WordPieceTokenizer& tokenizer,
                           int max_length, Doubts& doubts) {
  data::PackedBatch batch;
  for (const std::string& text : texts) {
    bool is_cut = false;
    int64_t replaced = 0;
    const std::vector<int32_t> ids = tokenizer.encode(text, max_length, &is_cut);
    data::to_valid_utf8(text, &replaced);
    ++doubts.texts;
    doubts.cut += is_cut ? 1 : 0;
    doubts.not_utf8 += replaced > 0 ? 1 : 0;
    doubts.empty += ids.size() == 2 ? 1 : 0;  // [CLS] [SEP]
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
    batch.offsets.push_back(static_cast<int32_t>(batch.ids.size()));
  }
  return batch;
}

void warn_of(const Doubts& doubts, int max_length) {
  std::vector<std::string> words;
  const auto add = [&](int64_t count, const std::string& what) {
    if (count > 0) words.push_back(std::to_string(count) + " " + what);
  };
  add(doubts.cut, "longer than " + std::to_string(max_length) + " tokens (read without the end)");
  add(doubts.not_utf8, "not valid UTF-8 (bad bytes read as U+FFFD)");
  add(doubts.empty, "without a word (the label means nothing)");
  if (!words.empty()) log_warning("labels to doubt, of " + counted(doubts.texts, "text") + ": " + data::listed(words));
}

std::vector<double> softmax(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probabilities;
  double sum = 0;
  for (const float logit : logits)
    sum += probabilities.emplace_back(std::exp(static_cast<double>(logit) - largest));
  for (double& probability : probabilities)
    probability /= sum;
  return probabilities;
}

/// The scores are an object with the labels for its keys.
void require_names_of_their_own(const std::vector<std::string>& labels, const std::filesystem::path& folder) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < labels.size(); ++id)
    if (const auto [first, is_new] = ids.try_emplace(labels[id], id); !is_new)
      throw SettingsError((folder / "config.json").string() + ": labels " + std::to_string(first->second) + " and " +
                          std::to_string(id) + " are both \"" + data::excerpt(labels[id]) +
                          "\"; --format jsonl has one score for a name: give each its own in id2label");
}

/// ordered_json's own access looks through all the labels that are there, which takes minutes for many.
nlohmann::ordered_json scores_by_label(const std::vector<double>& probabilities,
                                       const std::vector<std::string>& labels) {
  nlohmann::ordered_json::object_t scores;
  for (size_t label = 0; label < labels.size(); ++label)
    scores.emplace_back(labels[label], probabilities[label]);
  return scores;
}

void print_prediction(const std::string& text, const std::vector<double>& probabilities,
                      const std::vector<std::string>& labels, bool jsonl) {
  const auto best =
      static_cast<size_t>(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin());
  if (!jsonl) {
    std::printf("%-12s %6.4f  %s\n", printable_text(labels[best]).c_str(), probabilities[best],
                printable_text(data::excerpt(text, 90)).c_str());
    return;
  }
  const nlohmann::ordered_json line = {
      {"label", labels[best]}, {"score", probabilities[best]}, {"scores", scores_by_label(probabilities, labels)}};
  std::printf("%s\n", line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).c_str());
}

/// Each batch's lines are there before the next one is read: whoever types, or writes into a pipe, sees them at once.
void label_all(TextSource& source, model::DistilBert& model, const data::WordPieceTokenizer& tokenizer,
               const PredictOptions& options) {
  const model::DistilBertConfig& config = model.config();
  const int max_length = static_cast<int>(std::min<int64_t>(options.max_seq_length, config.max_position_embeddings));
  const auto classes = static_cast<size_t>(config.num_labels());
  Doubts doubts;
  for (auto texts = source.next(options.batch_size); !texts.empty(); texts = source.next(options.batch_size)) {
    const std::vector<float> logits = model.logits(view_of(tokenize(texts, tokenizer, max_length, doubts)));
    require_finite(logits);
    for (size_t i = 0; i < texts.size(); ++i)
      print_prediction(texts[i], softmax(std::span(logits).subspan(i * classes, classes)), config.labels,
                       options.format == "jsonl");
    flush_output();
  }
  warn_of(doubts, max_length);
}

}  // namespace

int predict_command(const std::vector<std::string>& arguments) {
  const PredictOptions options = parse(arguments);
  model::set_compute_threads(plan_threads(options.threads, 1).per_rank);
  TextSource source(options);
  const auto folder = find_weights_folder(options.model);
  const auto tokenizer = data::WordPieceTokenizer::from_folder(folder);
  const model::DistilBertConfig config = model::load_config(folder);
  if (static_cast<int64_t>(tokenizer.vocabulary().size()) > config.vocab_size)
    throw SettingsError(folder.string() + ": vocab.txt has " + std::to_string(tokenizer.vocabulary().size()) +
                        " tokens, the model embeds " + std::to_string(config.vocab_size));
  if (options.format == "jsonl") require_names_of_their_own(config.labels, folder);
  model::DistilBert model = load_classifier(config, folder);
  if (options.format == "table") std::printf("%-12s %6s  %s\n", "label", "score", "text");
  label_all(source, model, tokenizer, options);
  return kDone;
}

}  // namespace lockstep
