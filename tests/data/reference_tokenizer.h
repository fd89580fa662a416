#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lockstep::tests {

/// The Python that has transformers; "python3" unless LOCKSTEP_PYTHON says otherwise.
std::string python();
bool python_has(const std::string& module);
std::filesystem::path source_folder();

/// Runs `$LOCKSTEP_PYTHON script arguments`, stderr into `errors`. Returns stdout; throws std::runtime_error with
/// stderr if the script fails.
std::string run_python(const std::string& script, const std::string& arguments, std::string* errors = nullptr);

/// A file of length-prefixed texts, as tests/parity/tokenizer_reference.py reads them.
void write_texts(const std::filesystem::path& path, const std::vector<std::string>& texts);
std::vector<std::string> read_texts(const std::filesystem::path& path);
/// One list of ids per text and per set of flags.
std::vector<std::vector<int32_t>> read_ids(const std::filesystem::path& path);

struct Reference {
  nlohmann::json facts;
  std::string errors;                     // what it wrote to stderr: warnings
  std::vector<std::vector<int32_t>> ids;  // texts of the first set of flags, then of the second ...
};

/// Tokenizes with the real package; `arguments` as tokenizer_reference.py documents them.
Reference run_reference(const std::vector<std::string>& texts, const std::string& arguments);

}  // namespace lockstep::tests
