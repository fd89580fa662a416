#include "data/prepare.h"
#include "data/spelling.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/option_values.h"
#include "launcher/cli/printable_text.h"
#include "launcher/commands.h"
#include "launcher/errors.h"
#include "launcher/find_model_folder.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/job/progress.h"
#include "launcher/machine.h"

namespace lockstep {

namespace {

const char* const kPrepareFooter = R"(
Examples:
  lockstep prepare --imdb aclImdb_v1.tar.gz --model distilbert-base-uncased \
      --output datasets/imdb
  lockstep prepare --train_file train.csv --validation_fraction 0.1 \
      --text_column review --label_column stars --model MODEL \
      --output datasets/mine

The archive is read as it is, never unpacked. The data set is a folder of HDF5
shards and dataset.json, published whole.

Exit codes: 0 done; 2 usage; 3 tokenizer or columns do not fit; 4 damaged or
unusable data; 9 disk.)";

std::unique_ptr<CLI::App> make_prepare_app(data::PrepareOptions& o, std::string& model, std::string& config) {
  auto app = make_app("lockstep prepare", "Tokenizes labelled texts into a data set that `lockstep train` reads.",
                      kPrepareFooter);
  accept_config_file(*app, config);
  app->add_option("--imdb", o.imdb, "aclImdb folder, or aclImdb_v1.tar.gz")
      ->check(filled("a folder or an archive"))
      ->group("Source");
  app->add_option("--train_file", o.train_file, "CSV or JSONL with one example per row")
      ->check(filled("a file"))
      ->group("Source");
  app->add_option("--validation_file", o.validation_file, "Likewise")->check(filled("a file"))->group("Source");
  app->add_option("--test_file", o.test_file, "Likewise")->check(filled("a file"))->group("Source");
  app->add_option("--validation_fraction", o.validation_fraction,
                  "Part of each of train's classes that becomes the validation split")
      ->group("Source")
      ->check(number(0, 0.9));
  app->add_option("--text_column", o.text_column, "Column or key of the text")
      ->check(filled("a column"))
      ->group("Source");
  app->add_option("--label_column", o.label_column, "Column or key of the label")
      ->check(filled("a column"))
      ->group("Source");
  app->add_option("--model,--model_name_or_path", model,
                  "Model whose tokenizer is used: a folder, or a name in the local Hugging Face cache")
      ->check(filled("a folder or a name"))
      ->group("Data set")
      ->required();
  app->add_option("--output,--output_dir", o.output, "Folder to write")
      ->check(filled("a folder"))
      ->group("Data set")
      ->required();
  app->add_option("--name", o.name, "Name for tables and model cards")->check(filled("a name"))->group("Data set");
  app->add_option("--max_length,--max_seq_length", o.max_length, "Longer texts lose their end; at least 3")
      ->group("Data set")
      ->check(whole_number(3, 1 << 20));
  app->add_option("--shards", o.shards, "Files per split")->group("Data set")->check(whole_number(1, 10000));
  app->add_option("--threads", o.threads, "Tokenizing threads; 0: all cores")
      ->group("Data set")
      ->check(whole_number(0, 4096));
  app->add_option("--seed", o.seed, "Seed of the validation split")->check(whole_number(0))->group("Data set");
  app->add_flag("--overwrite,--overwrite_output_dir", o.overwrite, "Replace the data set at --output")
      ->group("Data set");
  return app;
}

void print_split(const std::string& name, const data::SplitEntry& split, const std::vector<std::string>& in_order) {
  const double examples = static_cast<double>(std::max<int64_t>(1, split.examples));
  std::vector<std::string> labels;
  for (const std::string& label : in_order)
    labels.push_back(printable_text(label) + ": " + std::to_string(split.examples_per_label.at(label)));
  log_info(formatted("%-10s %8lld %s (%s), %lld tokens, %.1f on average, %.1f %% truncated", name.c_str(),
                     static_cast<long long>(split.examples), split.examples == 1 ? "example" : "examples",
                     data::listed(labels).c_str(), static_cast<long long>(split.tokens),
                     static_cast<double>(split.tokens) / examples,
                     100 * static_cast<double>(split.truncated) / examples));
}

void print_report(const data::PrepareReport& report, const std::filesystem::path& output) {
  for (const auto& [name, split] : report.manifest.splits)
    print_split(name, split, report.manifest.labels);
  for (const std::string& warning : report.warnings)
    log_warning(printable_text(warning));
  log_info("data set \"" + printable_text(report.manifest.name) + "\" is in " + output.string());
}

}  // namespace

int prepare_command(const std::vector<std::string>& arguments) {
  data::PrepareOptions options;
  std::string model, config;
  parse_command_line(*make_prepare_app(options, model, config), arguments);
  if (const std::string words = data::contradiction_in(options); !words.empty()) throw UsageError(words);
  if (options.threads == 0) options.threads = available_cores();
  options.model = find_model_folder(model);
  const ProgressStyle style = detect_progress_style();
  std::unique_ptr<Progress> progress;
  std::pair<std::string, int64_t> shown;  // split and total; the total is 0 while the source is read
  const auto report = data::prepare(options, [&](const std::string& split, int64_t done, int64_t total) {
    if (shown != std::pair(split, total)) {
      progress.reset();
      progress = std::make_unique<Progress>(style, split, total, "texts");
      shown = {split, total};
    }
    progress->update(done);
  });
  progress.reset();
  print_report(report, options.output);
  return kDone;
}

}  // namespace lockstep
