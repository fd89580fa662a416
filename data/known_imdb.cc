#include "data/known_imdb.h"

namespace lockstep::data {

std::optional<std::string> difference_from_known_imdb(const ImdbCounts& counts, const std::string& source_sha256) {
  if (source_sha256 == kImdbSourceSha256) return std::nullopt;
  std::string differing;
  for (const char* split : {"train", "test"}) {
    for (const char* label : {"neg", "pos"}) {
      const auto found = counts.find({split, label});
      const int64_t count = found == counts.end() ? 0 : found->second;
      if (count == kImdbExamplesPerFolder) continue;
      differing += (differing.empty() ? "" : ", ") + std::to_string(count) + " in " + split + "/" + label;
    }
  }
  const std::string each = std::to_string(kImdbExamplesPerFolder);
  return "The source has aclImdb's layout but is not the known IMDB: " +
         (differing.empty() ? "the counts are right, but texts or file names differ"
                            : "it has " + differing + ", where IMDB has " + each + " texts each") +
         "; its digest is " + source_sha256 + " instead of " + kImdbSourceSha256 +
         ". Results are not comparable with published ones.";
}

}  // namespace lockstep::data
