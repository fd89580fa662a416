#pragma once

#include <string>

#include "data/prepare.h"
#include "tests/support/process.h"

namespace lockstep::tests {

/// A model folder whose vocabulary is the special tokens, the letters (whole and as continuations) and some signs:
/// texts become their letters.
void write_letter_model(const std::string& folder);

/// A folder with a letter model and what tests put beside it.
class SmallCorpus {
 public:
  SmallCorpus();
  /// Options for a CSV as train (and test) file, two shards, output "out".
  data::PrepareOptions csv(const std::string& train, const std::string& test = "");
  /// Options for an aclImdb source.
  data::PrepareOptions imdb(const std::string& source);
  std::string operator/(const std::string& name) const { return folder_ / name; }
  /// The names directly below the folder, sorted, hidden ones too.
  std::string names() const;

 private:
  TemporaryFolder folder_;
};

/// The aclImdb folder of the smoke corpus.
std::string smoke_corpus();

}  // namespace lockstep::tests
