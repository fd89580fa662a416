#pragma once

#include <string>
#include <vector>

namespace lockstep::data {

/// The identity of a source: SHA-256 over one line "split NUL label NUL file NUL sha256 of the text" for each text, the
/// lines sorted. Packaging and order do not matter: a folder and any archive of it, or a file with its rows in another
/// order, give the same digest.
class SourceDigest {
 public:
  /// `file` is the text's path inside the corpus, or empty where the texts are rows of one file.
  void add(const std::string& split, const std::string& label, const std::string& file, const std::string& text_sha256);
  /// Lower-case hex over everything added so far.
  std::string hex();

 private:
  std::vector<std::string> lines_;
};

}  // namespace lockstep::data
