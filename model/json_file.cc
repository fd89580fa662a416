#include "model/json_file.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "model/error.h"

namespace lockstep::model {

nlohmann::json parse_json_object(std::string_view text, const std::string& where) {
  using nlohmann::json;
  std::vector<std::set<std::string>> open_objects;
  const auto refuse_twins = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) open_objects.pop_back();
    if (event == json::parse_event_t::key && !open_objects.back().insert(parsed.get<std::string>()).second)
      throw ModelFileError(where + ": the JSON key \"" + parsed.get<std::string>() + "\" stands twice in one object");
    return true;
  };
  try {
    json object = json::parse(text, refuse_twins);
    if (!object.is_object()) throw ModelFileError(where + ": expected a JSON object, found " + object.type_name());
    return object;
  } catch (const json::exception& error) {
    throw ModelFileError(where + ": not valid JSON: " + error.what());
  }
}

}  // namespace lockstep::model
