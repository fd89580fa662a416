#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace lockstep::data {

/// Nobody's files nest deeper; and what recurses over JSON, such as dump(), stays within its stack.
inline constexpr int kMaxJsonDepth = 16;

/// JSON from outside. Throws DataError, without the file's name, if it does not parse, is nested deeper than
/// kMaxJsonDepth, or if an object has a key twice: readers disagree about which of the two counts.
nlohmann::json parse_json(std::string_view text);

/// One JSON object, read key by key: every key must be read, and none may be left over. Every complaint is a DataError
/// that names the key by its path, and not the file.
class JsonFields {
 public:
  /// `object` must outlive it.
  JsonFields(const nlohmann::json& object, std::string where);

  const nlohmann::json& at(const std::string& key);
  std::string text(const std::string& key);
  /// 64 digits in lower case.
  std::string sha256(const std::string& key);
  /// The name of a file that lies in the same folder, and is not hidden.
  std::string file_name(const std::string& key);
  bool flag(const std::string& key);
  int64_t count(const std::string& key, int64_t least = 0, int64_t most = int64_t{1} << 48);
  const nlohmann::json& list(const std::string& key);
  /// "dataset.splits": how errors call the key.
  std::string path(const std::string& key) const { return where_ + "." + key; }
  /// Throws if there is a key that was not asked for.
  void finish() const;

  /// An integer that is written as one, and lies in [least, most].
  static int64_t count_of(const nlohmann::json& value, const std::string& where, int64_t least, int64_t most);

 private:
  const nlohmann::json& object_;
  std::string where_;
  std::set<std::string> read_;
};

}  // namespace lockstep::data
