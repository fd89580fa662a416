#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace lockstep::data {

// The Large Movie Review Dataset (Maas et al., 2011): its labelled half, 25 000 texts to train on and 25 000 to test
// on.
inline constexpr int64_t kImdbExamplesPerFolder = 12500;  // in each of {train,test}/{neg,pos}
inline constexpr const char* kImdbSourceSha256 = "130a397b0285eb7733162c353c981ea113658717963f89ffe73d5420af24fe7e";

/// (split, label) -> number of texts.
using ImdbCounts = std::map<std::pair<std::string, std::string>, int64_t>;

/// One sentence that says in what a corpus of this layout differs from the known IMDB; nothing if it does not.
std::optional<std::string> difference_from_known_imdb(const ImdbCounts& counts, const std::string& source_sha256);

}  // namespace lockstep::data
