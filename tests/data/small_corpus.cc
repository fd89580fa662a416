#include "small_corpus.h"

#include <filesystem>
#include <set>

#include "tar_builder.h"

namespace lockstep::tests {

void write_letter_model(const std::string& folder) {
  std::filesystem::create_directories(folder);
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n!\n,\n";
  for (char c = 'a'; c <= 'z'; ++c)
    vocabulary += std::string(1, c) + "\n##" + c + "\n";
  write_file(folder + "/vocab.txt", vocabulary);
}

SmallCorpus::SmallCorpus() {
  write_letter_model(folder_ / "model");
}

data::PrepareOptions SmallCorpus::csv(const std::string& train, const std::string& test) {
  data::PrepareOptions options;
  options.train_file = folder_ / "train.csv";
  write_file(options.train_file, "text,label\n" + train);
  if (!test.empty()) {
    options.test_file = folder_ / "test.csv";
    write_file(options.test_file, "text,label\n" + test);
  }
  options.model = folder_ / "model";
  options.output = folder_ / "out";
  options.shards = 2;
  options.threads = 2;
  return options;
}

data::PrepareOptions SmallCorpus::imdb(const std::string& source) {
  data::PrepareOptions options;
  options.imdb = source;
  options.model = folder_ / "model";
  options.output = folder_ / "out";
  options.shards = 3;
  options.threads = 2;
  return options;
}

std::string SmallCorpus::names() const {
  std::set<std::string> sorted;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    sorted.insert(entry.path().filename().string());
  std::string names;
  for (const std::string& name : sorted)
    names += (names.empty() ? "" : " ") + name;
  return names;
}

std::string smoke_corpus() {
  return environment("LOCKSTEP_SOURCE") + "/tests/fixtures/smoke/aclImdb";
}

}  // namespace lockstep::tests
