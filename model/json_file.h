#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace lockstep::model {

/// A JSON object from outside. Throws ModelFileError, led by `where` (the file), if `text` does not parse, is not an
/// object, or has a key twice at any depth: readers disagree about which of the two counts.
nlohmann::json parse_json_object(std::string_view text, const std::string& where);

}  // namespace lockstep::model
