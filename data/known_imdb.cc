#include "data/known_imdb.h"

namespace lockstep::data {

std::vector<std::string> differences_from_known_imdb(const ImdbCounts& counts, const std::string& source_sha256) {
  std::vector<std::string> differences;
  if (source_sha256 == kImdbSourceSha256) return differences;
  for (const std::string split : {"train", "test"}) {
    for (const std::string label : {"neg", "pos"}) {
      const auto found = counts.find({split, label});
      const int64_t count = found == counts.end() ? 0 : found->second;
      if (count == kImdbExamplesPerFolder) continue;
      differences.push_back("The source has aclImdb's layout but is not the known IMDB: " + split + "/" + label +
                            " holds " + std::to_string(count) + " texts, IMDB has " +
                            std::to_string(kImdbExamplesPerFolder) + ".");
    }
  }
  if (differences.empty())
    differences.push_back(
        "The source has aclImdb's layout and counts, but at least one text or file name is not the known IMDB's.");
  differences.push_back("The digest over the labelled texts is " + source_sha256 + ", the known IMDB's is " +
                        kImdbSourceSha256 + "; results are not comparable with published ones.");
  return differences;
}

}  // namespace lockstep::data
