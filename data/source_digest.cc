#include "data/source_digest.h"

#include <algorithm>

#include "data/sha256.h"

namespace lockstep::data {

void SourceDigest::add(const std::string& split, const std::string& label, const std::string& file,
                       const std::string& text_sha256) {
  std::string line;
  for (const std::string& part : {split, label, file, text_sha256})
    line.append(part).push_back('\0');
  line.back() = '\n';
  lines_.push_back(std::move(line));
}

std::string SourceDigest::hex() {
  std::sort(lines_.begin(), lines_.end());
  Sha256 digest;
  for (const std::string& line : lines_)
    digest.update(line);
  return digest.hex();
}

}  // namespace lockstep::data
