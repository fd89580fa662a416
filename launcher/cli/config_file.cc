#include "launcher/cli/config_file.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "data/spelling.h"
#include "launcher/errors.h"

namespace lockstep {

namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;

/// Knows where it is.
class ConfigReader {
 public:
  ConfigReader(std::istream& file, const std::string& path) : where_("--config " + path), text_(read(file)) {}

  std::vector<ConfigSetting> settings() {
    std::vector<ConfigSetting> settings;
    for (std::string_view rest = text_; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      ++line_;
      if (const std::string_view content = trimmed(line); !content.empty() && !is_comment(content))
        settings.push_back(setting_of(content));
    }
    return settings;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw UsageError(where_ + (line_ > 0 ? ", line " + std::to_string(line_) : "") + ": " + what);
  }

  std::string read(std::istream& file) const {
    std::string text;
    for (std::array<char, 4096> part; file.read(part.data(), part.size()) || file.gcount() > 0;) {
      text.append(part.data(), static_cast<size_t>(file.gcount()));
      if (text.size() > kMaxBytes) refuse("the file has more than " + std::to_string(kMaxBytes) + " bytes");
    }
    return text;
  }

  static std::string_view trimmed(std::string_view text) {
    constexpr const char* kBlank = " \t\r\v\f";
    const size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
  }
  static bool is_comment(std::string_view text) { return text.front() == '#' || text.front() == ';'; }
  static bool is_quote(char c) { return c == '"' || c == '\''; }

  ConfigSetting setting_of(std::string_view line) {
    if (line.front() == '[') refuse("expected \"key = value\", found a table or a list, " + data::excerpt(line));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) return {key_of(line.substr(0, line.find('#'))), "true"};
    return {key_of(line.substr(0, equals)), value_of(trimmed(line.substr(equals + 1)))};
  }

  std::string key_of(std::string_view text) {
    std::string key(trimmed(text));
    if (key.size() > 1 && is_quote(key.front()) && key.back() == key.front()) key = key.substr(1, key.size() - 2);
    std::replace(key.begin(), key.end(), '-', '_');
    if (key.empty()) refuse("expected \"key = value\", found no key");
    if (key.find_first_of(" \t:") != std::string::npos)
      refuse("expected \"key = value\", found " + data::excerpt(text));
    if (!seen_.insert(key).second) refuse("the key " + data::excerpt(key) + " stands twice");
    return key;
  }

  std::string value_of(std::string_view text) const {
    if (text.empty()) return "";
    if (text.front() == '[') refuse("a list, " + data::excerpt(text) + ", where one value is expected");
    if (!is_quote(text.front())) return std::string(trimmed(text.substr(0, text.find('#'))));
    // The closing quote is the first one after which nothing comes but a comment: the value may hold the others.
    for (size_t end = text.find(text.front(), 1); end != std::string_view::npos; end = text.find(text.front(), end + 1))
      if (const std::string_view after = trimmed(text.substr(end + 1)); after.empty() || after.front() == '#')
        return std::string(text.substr(1, end - 1));
    refuse("a quote is not closed: " + data::excerpt(text));
  }

  std::string where_;
  int64_t line_ = 0;
  std::string text_;
  std::set<std::string> seen_;
};

}  // namespace

std::vector<ConfigSetting> parse_config_file(std::istream& file, const std::string& path) {
  return ConfigReader(file, path).settings();
}

}  // namespace lockstep
