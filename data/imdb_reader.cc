#include "data/imdb_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string_view>
#include <tuple>
#include <utility>

#include "data/atomic_file.h"
#include "data/error.h"
#include "data/input_path.h"

namespace lockstep::data {
namespace {

namespace fs = std::filesystem;

struct ImdbPath {
  std::string root, split, label, name;
  std::string id() const { return split + "/" + label + "/" + name; }
};

bool is_review_name(std::string_view name) {
  return name.ends_with(".txt") && !name.starts_with(".");  // "._0_9.txt" is macOS's, and no text
}

/// The parts of ROOT/{train,test}/{pos,neg}/NAME.txt; nothing for any other path.
std::optional<ImdbPath> parse_path(const std::string& path) {
  std::array<std::string, 3> tail;  // split, label, name
  std::string rest = path;
  for (size_t i = tail.size(); i-- > 0;) {
    const size_t slash = rest.rfind('/');
    tail[i] = slash == std::string::npos ? rest : rest.substr(slash + 1);
    rest = slash == std::string::npos ? "" : rest.substr(0, slash);
  }
  const auto& [split, label, name] = tail;
  if ((split != "train" && split != "test") || (label != "pos" && label != "neg") || !is_review_name(name))
    return std::nullopt;
  return ImdbPath{rest, split, label, name};
}

int64_t leading_number(std::string_view name) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc{} ? number : std::numeric_limits<int64_t>::max();
}

std::string read_review_file(const fs::path& path) {
  if (!is_file(path)) throw DataError(path.string() + ": is not a file; expected a text");
  const auto bytes = static_cast<int64_t>(fs::file_size(path));
  if (bytes > kMaxReviewBytes)
    throw DataError(path.string() + ": has " + std::to_string(bytes) + " bytes, more than the " +
                    std::to_string(kMaxReviewBytes) + " a review may have");
  return read_file(path);
}

/// The folder that holds train/ and test/: `source`, or aclImdb/ in it.
fs::path corpus_folder(const fs::path& source) {
  for (const fs::path& folder : {source, source / "aclImdb"})
    if (is_folder(folder / "train") || is_folder(folder / "test")) return folder;
  throw DataError(source.string() + ": has neither train/ nor test/; expected the aclImdb folder or its tar.gz");
}

}  // namespace

ImdbReader::ImdbReader(const fs::path& source, const std::string& split) : source_(source.string()), split_(split) {
  if (!is_folder(source)) {
    archive_ = std::make_unique<TarReader>(source);
    return;
  }
  const fs::path folder = corpus_folder(source) / split;
  for (const char* label : {"neg", "pos"}) {
    if (!is_folder(folder / label)) continue;
    for (fs::path& file : paths_in(folder / label))
      if (is_review_name(file.filename().string())) files_.push_back(std::move(file));
  }
  std::sort(files_.rbegin(), files_.rend());
}

std::optional<Review> ImdbReader::next() {
  return archive_ ? next_in_archive() : next_in_folder();
}

std::optional<Review> ImdbReader::next_in_archive() {
  while (const auto entry = archive_->next()) {
    const auto path = parse_path(entry->path);
    if (!path) continue;
    if (root_known_ && path->root != root_)
      throw DataError(source_ + ": holds reviews below \"" + root_ + "\" and below \"" + path->root +
                      "\"; expected one aclImdb folder");
    root_ = path->root;
    root_known_ = true;
    if (path->split == split_) return make_review(archive_->read(kMaxReviewBytes), path->label, path->id());
  }
  return std::nullopt;
}

std::optional<Review> ImdbReader::next_in_folder() {
  if (files_.empty()) return std::nullopt;
  const fs::path file = std::exchange(files_.back(), {});
  files_.pop_back();
  const std::string label = file.parent_path().filename().string();
  return make_review(read_review_file(file), label, split_ + "/" + label + "/" + file.filename().string());
}

bool imdb_order(const Review& a, const Review& b) {
  const auto key = [](const Review& review) {
    const std::string_view name = std::string_view(review.id).substr(review.id.rfind('/') + 1);
    return std::tuple(std::string_view(review.label), leading_number(name), std::string_view(review.id));
  };
  return key(a) < key(b);
}

}  // namespace lockstep::data
