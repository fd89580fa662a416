#include "data/json_text.h"

#include <vector>

#include "data/error.h"
#include "data/spelling.h"

namespace lockstep::data {

using nlohmann::json;

namespace {

/// ": NaN is not JSON; write null" where Python's json.dumps wrote a number that JSON does not have, around the byte
/// that the parser stopped at; else empty.
std::string no_number(std::string_view text, size_t stopped_at) {
  for (const std::string_view number : {"-Infinity", "Infinity", "NaN"}) {
    const size_t from = stopped_at < 3 ? 0 : stopped_at - 3;
    if (const size_t found = text.substr(from, number.size() + 3).find(number); found != std::string_view::npos)
      return ": " + std::string(number) + " is not JSON; write null";
  }
  return "";
}

/// What follows "[json.exception...] parse error at line 1, column 2" or, of a number too large, "[json.exception...]".
std::string reason_of(const json::exception& error) {
  const std::string_view words = error.what();
  for (const std::string_view before : {": ", "] "})
    if (const size_t found = words.find(before); found != std::string_view::npos)
      return ": " + excerpt(words.substr(found + 2), 160);
  return "";
}

}  // namespace

json parse_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  try {
    return json::parse(text, [&keys](int depth, json::parse_event_t event, json& value) {
      if (depth > kMaxJsonDepth) throw DataError("nested more than " + std::to_string(kMaxJsonDepth) + " levels deep");
      if (event == json::parse_event_t::object_start) keys.emplace_back();
      if (event == json::parse_event_t::object_end) keys.pop_back();
      if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
        throw DataError("the key \"" + excerpt(value.get<std::string>()) + "\" appears twice in one object");
      return true;
    });
  } catch (const json::parse_error& error) {
    const std::string reason = no_number(text, error.byte);
    throw DataError("not valid JSON at byte " + std::to_string(error.byte) +
                    (reason.empty() ? reason_of(error) : reason));
  } catch (const json::exception& error) {
    throw DataError("not valid JSON" + reason_of(error));
  }
}

JsonFields::JsonFields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object()) throw DataError(where_ + " is " + object.type_name() + ", expected an object");
}

const json& JsonFields::at(const std::string& key) {
  const auto found = object_.find(key);
  if (found == object_.end()) throw DataError(path(key) + " is missing");
  read_.insert(key);
  return *found;
}

std::string JsonFields::text(const std::string& key) {
  const json& value = at(key);
  if (!value.is_string()) throw DataError(path(key) + " is not a string");
  return value.get<std::string>();
}

std::string JsonFields::sha256(const std::string& key) {
  std::string hex = text(key);
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw DataError(path(key) + " is not a sha256 in lower-case hex");
  return hex;
}

std::string JsonFields::file_name(const std::string& key) {
  std::string name = text(key);
  if (name.empty() || name.front() == '.' || name.size() > 255 || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos)
    throw DataError(path(key) + " is not the name of a file in the same folder: \"" + excerpt(name) + "\"");
  return name;
}

bool JsonFields::flag(const std::string& key) {
  const json& value = at(key);
  if (!value.is_boolean()) throw DataError(path(key) + " is neither true nor false");
  return value.get<bool>();
}

int64_t JsonFields::count(const std::string& key, int64_t least, int64_t most) {
  return count_of(at(key), path(key), least, most);
}

const json& JsonFields::list(const std::string& key) {
  const json& value = at(key);
  if (!value.is_array()) throw DataError(path(key) + " is not a list");
  return value;
}

void JsonFields::finish() const {
  for (const auto& [key, value] : object_.items())
    if (!read_.contains(key)) throw DataError(path(excerpt(key)) + " is not a known key");
}

int64_t JsonFields::count_of(const json& value, const std::string& where, int64_t least, int64_t most) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(most)) &&
                    value.get<int64_t>() >= least && value.get<int64_t>() <= most;
  if (!fits)
    throw DataError(where + " is " + excerpt(value.dump(), 40) + ", expected an integer from " + std::to_string(least) +
                    " to " + std::to_string(most));
  return value.get<int64_t>();
}

}  // namespace lockstep::data
