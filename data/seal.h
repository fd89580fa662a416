#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lockstep::data {

/// A JSON object, as dump(2) writes it, with one more key at its end: "sha256", the hash of all bytes before it.
std::string sealed(std::string object);

/// What is wrong with the text as a sealed one; nothing if no byte of it has changed.
std::optional<std::string> problem_with_seal(std::string_view text);

}  // namespace lockstep::data
