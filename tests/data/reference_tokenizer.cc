#include "reference_tokenizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "data/atomic_file.h"

namespace lockstep::tests {

namespace fs = std::filesystem;

namespace {

fs::path scratch(const std::string& name) {
  return fs::path(testing::TempDir()) / (std::to_string(::getpid()) + "." + name);
}

std::string quoted(const std::string& word) {
  return "'" + word + "'";
}

std::string environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

std::vector<std::string> records_of(const fs::path& path, size_t item_size) {
  const std::string bytes = data::read_file(path);
  std::vector<std::string> records;
  for (size_t position = 0; position < bytes.size();) {
    uint32_t count = 0;
    bytes.copy(reinterpret_cast<char*>(&count), sizeof count, position);
    records.push_back(bytes.substr(position + sizeof count, count * item_size));
    position += sizeof count + count * item_size;
  }
  return records;
}

}  // namespace

std::string python() {
  return environment("LOCKSTEP_PYTHON", "python3");
}

std::string run_python(const std::string& script, const std::string& arguments, std::string* errors) {
  const fs::path error_file = scratch("stderr");
  const std::string command = quoted(python()) + " " + script + " " + arguments + " 2>" + quoted(error_file.string());
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot start " + command);
  std::string output;
  char chunk[4096];
  while (const size_t got = std::fread(chunk, 1, sizeof chunk, pipe))
    output.append(chunk, got);
  const int status = ::pclose(pipe);
  const std::string said = data::read_file(error_file);
  fs::remove(error_file);
  if (errors) *errors = said;
  if (status != 0) throw std::runtime_error(command + " failed:\n" + said);
  return output;
}

bool python_has(const std::string& module) {
  try {
    return run_python("-c", "\"import importlib.util as u; print(u.find_spec('" + module + "') is not None)\"") ==
           "True\n";
  } catch (const std::runtime_error&) {
    return false;
  }
}

fs::path source_folder() {
  return environment("LOCKSTEP_SOURCE", ".");
}

void write_texts(const fs::path& path, const std::vector<std::string>& texts) {
  std::ofstream file(path, std::ios::binary);
  for (const std::string& text : texts) {
    const uint32_t size = static_cast<uint32_t>(text.size());
    file.write(reinterpret_cast<const char*>(&size), sizeof size);
    file.write(text.data(), size);
  }
}

std::vector<std::string> read_texts(const fs::path& path) {
  return records_of(path, 1);
}

std::vector<std::vector<int32_t>> read_ids(const fs::path& path) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& record : records_of(path, sizeof(int32_t))) {
    auto& text = ids.emplace_back(record.size() / sizeof(int32_t));
    record.copy(reinterpret_cast<char*>(text.data()), record.size());
  }
  return ids;
}

Reference run_reference(const std::vector<std::string>& texts, const std::string& arguments) {
  const fs::path texts_file = scratch("texts"), ids_file = scratch("ids");
  write_texts(texts_file, texts);
  Reference reference;
  const std::string script = quoted((source_folder() / "tests/parity/tokenizer_reference.py").string());
  const std::string output = run_python(
      script, quoted(texts_file.string()) + " " + quoted(ids_file.string()) + " " + arguments, &reference.errors);
  reference.facts = nlohmann::json::parse(output);
  reference.ids = read_ids(ids_file);
  fs::remove(texts_file);
  fs::remove(ids_file);
  return reference;
}

}  // namespace lockstep::tests
