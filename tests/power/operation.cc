#include "tests/power/operation.h"

#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include "tests/power/record_format.h"
#include "tests/support/process.h"

namespace lockstep::tests {

namespace {

std::string take(std::string_view& rest, size_t size) {
  if (rest.size() < size) throw std::runtime_error("the record is cut short");
  std::string part(rest.substr(0, size));
  rest.remove_prefix(size);
  return part;
}

Operation take_operation(std::string_view& rest) {
  RecordHead head{};
  std::memcpy(&head, take(rest, sizeof(head)).data(), sizeof(head));
  Operation operation{Operation::Kind{head.kind}, head.file, head.number, "", "", ""};
  operation.path = take(rest, head.path_size);
  operation.other = take(rest, head.other_size);
  operation.bytes = take(rest, head.bytes_size);
  return operation;
}

}  // namespace

Record read_record(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  Record record;
  for (std::string_view rest = text; !rest.empty();)
    record.push_back(take_operation(rest));
  return record;
}

void append_mark(const std::filesystem::path& file, const std::string& word, const std::string& path) {
  const RecordHead head{static_cast<uint32_t>(Operation::Kind::kMark),
                        static_cast<uint32_t>(path.size()),
                        0,
                        static_cast<uint32_t>(word.size()),
                        0,
                        0};
  std::ofstream record(file, std::ios::binary | std::ios::app);
  record.write(reinterpret_cast<const char*>(&head), sizeof(head));
  record << path << word;
}

}  // namespace lockstep::tests
