#pragma once

#include <string>

namespace lockstep::data {

/// One labelled text as a reader hands it over. `text` is valid UTF-8 (bad bytes already replaced by U+FFFD).
struct Review {
  std::string text;
  std::string label;          // as the source spells it, valid UTF-8: "pos", "1", "sports"
  std::string id;             // where it came from: "train/pos/0_9.txt" inside aclImdb, or "file.csv, line 12"
  std::string sha256;         // of the text's bytes before anything was replaced: its identity
  bool invalid_utf8 = false;  // bytes of the text were replaced
};

}  // namespace lockstep::data
