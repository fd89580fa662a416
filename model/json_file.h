#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lockstep::model {

/// A JSON object from outside. Throws ModelFileError, led by `where` (the file), if `text` does not parse, is not an
/// object, nests deeper than 16 levels, or has a key twice at any depth: readers disagree about which of the two
/// counts.
nlohmann::json parse_json_object(std::string_view text, const std::string& where);

/// A value as errors quote it: its first 80 bytes.
std::string excerpt(const nlohmann::json& value);

}  // namespace lockstep::model
