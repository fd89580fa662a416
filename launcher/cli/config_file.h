#pragma once

#include <istream>
#include <string>
#include <vector>

namespace lockstep {

/// One line of a config file.
struct ConfigSetting {
  std::string key;  // with '_' for '-'
  std::string value;
};

/// Reads the lines of TOML that this program writes: `key = value`, the value bare or in quotes of either kind, between
/// which everything stands for itself; comments; a key alone means true. Throws UsageError naming `path` and the line
/// for everything else, tables and lists among it, for a key that stands twice, also once with '-' and once with '_',
/// and for more than a megabyte.
std::vector<ConfigSetting> parse_config_file(std::istream& file, const std::string& path);

}  // namespace lockstep
