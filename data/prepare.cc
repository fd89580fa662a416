#include "data/prepare.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>
#include <unordered_set>
#include <utility>

#include "data/atomic_file.h"
#include "data/encode_all.h"
#include "data/error.h"
#include "data/imdb_reader.h"
#include "data/known_imdb.h"
#include "data/labels.h"
#include "data/output_folder.h"
#include "data/prepare_warnings.h"
#include "data/sampler.h"
#include "data/source_digest.h"
#include "data/spelling.h"
#include "data/token_shard.h"

namespace lockstep::data {
namespace {

namespace fs = std::filesystem;
using Reviews = std::vector<Review>;

OutputFolder output_of(const PrepareOptions& options) {
  return {options.output, "--output", options.overwrite};
}

/// "train-00003-of-00008.h5"
std::string shard_name(const std::string& split, size_t index, size_t count) {
  const auto five_digits = [](size_t n) {
    const std::string digits = std::to_string(n);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return split + "-" + five_digits(index) + "-of-" + five_digits(count) + ".h5";
}

/// One run of prepare(): each member function is a stage and fills its part of the report.
class Preparation {
 public:
  Preparation(const PrepareOptions& options, const PrepareProgress& progress)
      : options_(options), progress_(progress), tokenizer_(WordPieceTokenizer::from_folder(options.model)) {}

  PrepareReport run() {
    StagingFolder staging(output_of(options_));
    staging_ = staging.path();
    warn_of(staging.others());
    Reviews train = read("train");
    if (train.empty()) throw DataError(source_of("train").string() + ": holds no train text" + expected_layout());
    learn_labels(train);
    Reviews validation = options_.validation_fraction > 0 ? take_validation(train) : read("validation");
    write("train", std::exchange(train, {}));
    write("validation", std::exchange(validation, {}));
    write("test", read("test"));
    describe();
    write_manifest();
    staging.publish();
    return std::move(report_);
  }

 private:
  bool is_imdb() const { return !options_.imdb.empty(); }
  const fs::path& source_of(const std::string& split) const;
  std::string expected_layout() const;
  std::unique_ptr<ReviewReader> open(const std::string& split) const;
  Reviews read(const std::string& split);
  void sort_imdb(Reviews& reviews) const;
  void learn_labels(const Reviews& train);
  Reviews take_validation(Reviews& train) const;
  void write(const std::string& split, Reviews reviews);
  std::vector<int32_t> labels_of(const Reviews& reviews) const;
  void count_duplicates(const std::string& split, Reviews& reviews);
  SplitEntry describe_split(const Reviews& reviews, const std::vector<EncodedText>& encoded) const;
  void write_shards(const std::string& split, const std::vector<EncodedText>& encoded,
                    const std::vector<int32_t>& labels);
  void warn_of(const std::vector<fs::path>& others);
  void describe();
  void write_manifest() const;
  void report_progress(const std::string& split, int64_t done, int64_t total) const {
    if (progress_) progress_(split, done, total);
  }

  const PrepareOptions& options_;
  const PrepareProgress& progress_;
  WordPieceTokenizer tokenizer_;
  fs::path staging_;
  PrepareReport report_;
  std::map<std::string, int32_t> label_ids_;
  std::map<std::string, std::unordered_set<std::string>> text_hashes_;  // of the splits written so far
  SourceDigest digest_;
  ImdbCounts imdb_counts_;
};

const fs::path& Preparation::source_of(const std::string& split) const {
  if (is_imdb()) return options_.imdb;
  if (split == "train") return options_.train_file;
  return split == "test" ? options_.test_file : options_.validation_file;
}

std::string Preparation::expected_layout() const {
  if (is_imdb()) return "; expected aclImdb/train/pos/*.txt and aclImdb/train/neg/*.txt";
  return options_.train_file.extension() == ".csv" ? "; expected rows below the header"
                                                   : "; expected one object per line";
}

/// The reader of a split; none if the source has no such split.
std::unique_ptr<ReviewReader> Preparation::open(const std::string& split) const {
  if (is_imdb()) return split == "validation" ? nullptr : std::make_unique<ImdbReader>(options_.imdb, split);
  if (source_of(split).empty()) return nullptr;
  return open_review_file(source_of(split), {options_.text_column, options_.label_column});
}

/// All reviews of a split, in the order of its examples.
Reviews Preparation::read(const std::string& split) {
  Reviews reviews;
  const auto reader = open(split);
  if (!reader) return reviews;
  auto reported = std::chrono::steady_clock::now();
  while (auto review = reader->next()) {
    digest_.add(split, review->label, is_imdb() ? review->id : "", review->sha256);
    if (is_imdb()) ++imdb_counts_[{split, review->label}];
    reviews.push_back(std::move(*review));
    if (const auto now = std::chrono::steady_clock::now(); now - reported > std::chrono::milliseconds(200)) {
      report_progress(split, std::ssize(reviews), 0);
      reported = now;
    }
  }
  if (is_imdb()) sort_imdb(reviews);
  if (reviews.empty() && !is_imdb())
    throw DataError(source_of(split).string() + ": holds no " + split + " text" + expected_layout());
  return reviews;
}

void Preparation::sort_imdb(Reviews& reviews) const {
  std::sort(reviews.begin(), reviews.end(), imdb_order);
  const auto same_id = [](const Review& a, const Review& b) { return a.id == b.id; };
  if (const auto twice = std::adjacent_find(reviews.begin(), reviews.end(), same_id); twice != reviews.end())
    throw DataError(options_.imdb.string() + ": holds " + twice->id + " twice; expected every file once");
}

void Preparation::learn_labels(const Reviews& train) {
  std::set<std::string> names;
  for (const Review& review : train)
    names.insert(review.label);
  if (names.size() < 2)
    throw DataError(source_of("train").string() + ": all " + std::to_string(train.size()) +
                    " train texts have the label \"" + *names.begin() + "\"; a classifier needs at least two classes");
  if (std::ssize(names) > kMostLabels)
    throw DataError(source_of("train").string() + ": has " + std::to_string(names.size()) +
                    " different labels, expected at most " + std::to_string(kMostLabels) +
                    "; is the label column the right one?");
  report_.manifest.labels = order_labels(names);
  label_ids_ = label_ids(report_.manifest.labels);
}

/// Moves the same part of each class out of train.
Reviews Preparation::take_validation(Reviews& train) const {
  const auto count = std::llround(options_.validation_fraction * static_cast<double>(train.size()));
  const auto chosen = stratified_subset(labels_of(train), count, options_.seed);
  if (chosen.empty())
    throw ContractError("--validation_fraction takes none of " + std::to_string(train.size()) +
                        " train texts, for every class keeps one; choose a larger fraction, or give --validation_file");
  Reviews validation, rest;
  for (size_t i = 0; i < train.size(); ++i) {
    const bool taken = std::binary_search(chosen.begin(), chosen.end(), static_cast<int64_t>(i));
    (taken ? validation : rest).push_back(std::move(train[i]));
  }
  train = std::move(rest);
  return validation;
}

void Preparation::write(const std::string& split, Reviews reviews) {
  if (reviews.empty()) return;
  const auto labels = labels_of(reviews);
  for (Review& review : reviews)
    std::exchange(review.id, {});  // nothing below can fail because of one text
  count_duplicates(split, reviews);
  const int64_t total = std::ssize(reviews);
  const auto encoded = encode_all(tokenizer_, reviews, options_.max_length, options_.threads,
                                  [&](int64_t done) { report_progress(split, done, total); });
  report_progress(split, total, total);
  report_.manifest.splits[split] = describe_split(reviews, encoded);
  write_shards(split, encoded, labels);
}

std::vector<int32_t> Preparation::labels_of(const Reviews& reviews) const {
  std::vector<int32_t> labels;
  for (const Review& review : reviews) {
    const auto found = label_ids_.find(review.label);
    if (found == label_ids_.end())
      throw DataError(review.id + ": the label \"" + review.label +
                      "\" does not occur in train, whose labels are: " + listed(report_.manifest.labels));
    labels.push_back(found->second);
  }
  return labels;
}

/// Takes the hashes out of the reviews: a million weigh 100 MB.
void Preparation::count_duplicates(const std::string& split, Reviews& reviews) {
  auto& within = report_.duplicates_within[split];
  for (const auto& [other, hashes] : text_hashes_) {
    const auto stands_there = [&hashes = hashes](const Review& review) { return hashes.contains(review.sha256); };
    report_.duplicates_across[split + " in " + other] = std::count_if(reviews.begin(), reviews.end(), stands_there);
  }
  auto& own = text_hashes_[split];
  for (Review& review : reviews)
    within += own.insert(std::exchange(review.sha256, {})).second ? 0 : 1;
}

SplitEntry Preparation::describe_split(const Reviews& reviews, const std::vector<EncodedText>& encoded) const {
  SplitEntry entry;
  entry.examples = std::ssize(encoded);
  for (const std::string& label : report_.manifest.labels)
    entry.examples_per_label[label] = 0;
  for (const Review& review : reviews) {
    ++entry.examples_per_label[review.label];
    entry.invalid_utf8 += review.invalid_utf8;
  }
  for (const EncodedText& text : encoded) {
    const size_t bucket = text.ids.size() / 32;
    if (bucket >= entry.length_histogram.size()) entry.length_histogram.resize(bucket + 1);
    ++entry.length_histogram[bucket];
    entry.tokens += std::ssize(text.ids);
    entry.truncated += text.truncated;
    entry.empty += text.ids.size() == 2;
  }
  return entry;
}

void Preparation::write_shards(const std::string& split, const std::vector<EncodedText>& encoded,
                               const std::vector<int32_t>& labels) {
  const Vocabulary& vocabulary = tokenizer_.vocabulary();
  const ShardContract contract = {split, vocabulary.sha256(), std::ssize(vocabulary.tokens()),
                                  std::ssize(report_.manifest.labels)};
  const size_t count = std::min(static_cast<size_t>(options_.shards), encoded.size());
  for (size_t shard = 0; shard < count; ++shard) {
    TokenShardWriter writer(staging_ / shard_name(split, shard, count), contract);
    for (size_t i = encoded.size() * shard / count; i < encoded.size() * (shard + 1) / count; ++i)
      writer.add(encoded[i].ids, labels[i]);
    report_.manifest.splits[split].shards.push_back(writer.finish());
  }
}

void Preparation::warn_of(const std::vector<fs::path>& others) {
  for (const fs::path& other : others)
    report_.warnings.push_back(
        other.string() + " belongs to a preparation that is running, or was ended; if none is running, remove it.");
}

void Preparation::describe() {
  DatasetManifest& manifest = report_.manifest;
  for (const fs::path& file : {options_.imdb, options_.train_file, options_.validation_file, options_.test_file})
    if (!file.empty()) manifest.source += (manifest.source.empty() ? "" : ", ") + file.string();
  manifest.source_sha256 = digest_.hex();
  manifest.known_source = is_imdb() && manifest.source_sha256 == kImdbSourceSha256;
  manifest.name = !options_.name.empty()  ? options_.name
                  : manifest.known_source ? "imdb"
                  : is_imdb()             ? "not the known IMDB"
                                          : options_.train_file.stem().string();
  manifest.max_length = options_.max_length;
  manifest.vocabulary_sha256 = tokenizer_.vocabulary().sha256();
  manifest.vocabulary_size = std::ssize(tokenizer_.vocabulary().tokens());
  manifest.tokenizer = tokenizer_.options();
  if (const auto difference = difference_from_known_imdb(imdb_counts_, manifest.source_sha256); is_imdb() && difference)
    report_.warnings.push_back(*difference);
  for (std::string& warning : data_set_warnings(report_))
    report_.warnings.push_back(std::move(warning));
}

void Preparation::write_manifest() const {
  const std::string json = to_json(report_.manifest);
  if (std::ssize(json) > kMaxManifestBytes)
    throw DataError(source_of("train").string() + ": " + kDatasetManifestName + " would have " +
                    std::to_string(json.size()) + " bytes, more than the " + std::to_string(kMaxManifestBytes) +
                    " that are read; is the label column the right one? If so, shorten the labels");
  write_file_atomically(staging_ / kDatasetManifestName, json);
}

}  // namespace

std::string contradiction_in(const PrepareOptions& options) {
  if (options.imdb.empty() == options.train_file.empty()) return "give one source: --imdb PATH or --train_file FILE";
  if (!options.imdb.empty() && !(options.validation_file.empty() && options.test_file.empty()))
    return "--validation_file and --test_file go with --train_file; --imdb brings its own test split";
  if (options.validation_fraction > 0 && !options.validation_file.empty())
    return "give --validation_file or --validation_fraction, not both";
  return "";
}

PrepareReport prepare(const PrepareOptions& options, const PrepareProgress& progress) {
  if (const std::string words = contradiction_in(options); !words.empty()) throw std::invalid_argument(words);
  check_output(output_of(options));
  return Preparation(options, progress).run();
}

}  // namespace lockstep::data
