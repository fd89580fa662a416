#include "model/json_file.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "model/error.h"

namespace lockstep::model {

namespace {

constexpr int kMaxDepth = 16;  // what recurses over JSON, such as dump(), stays within its stack

std::string cut(std::string text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most;
  return text.substr(0, most) + "...";
}

}  // namespace

nlohmann::json parse_json_object(std::string_view text, const std::string& where) {
  using nlohmann::json;
  std::vector<std::set<std::string>> open_objects;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth)
      throw ModelFileError(where + ": nested more than " + std::to_string(kMaxDepth) + " levels deep");
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    if (event == json::parse_event_t::key && !open_objects.back().insert(parsed.get<std::string>()).second)
      throw ModelFileError(where + ": the JSON key \"" + cut(parsed.get<std::string>(), 80) +
                           "\" stands twice in one object");
    return true;
  };
  try {
    json object = json::parse(text, check);
    if (!object.is_object()) throw ModelFileError(where + ": expected a JSON object, found " + object.type_name());
    return object;
  } catch (const json::exception& error) {
    throw ModelFileError(where + ": not valid JSON: " + cut(error.what(), 200));
  }
}

std::string excerpt(const nlohmann::json& value) {
  return cut(value.dump(), 80);
}

}  // namespace lockstep::model
