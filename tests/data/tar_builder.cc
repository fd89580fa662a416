#include "tar_builder.h"

#include <cstdio>
#include <fstream>

#include "tests/support/process.h"

namespace lockstep::tests {
namespace {

std::string octal(int64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

TarBuilder& TarBuilder::add_header(const std::string& path, int64_t size, char type) {
  std::string header(512, '\0');
  const auto put = [&header](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, path.substr(0, 100));
  put(100, "0000644");
  put(124, octal(size, 11));
  put(136, "00000000000");
  put(148, "        ");
  header[156] = type;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  int64_t sum = 0;
  for (const char c : header)
    sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + '\0');
  bytes_ += header;
  return *this;
}

TarBuilder& TarBuilder::add(const std::string& path, const std::string& bytes, char type) {
  add_header(path, std::ssize(bytes), type);
  append_padded(bytes);
  return *this;
}

TarBuilder& TarBuilder::add_gnu_long(const std::string& path, const std::string& bytes) {
  add("././@LongLink", path + '\0', 'L');
  return add(path, bytes);
}

TarBuilder& TarBuilder::add_pax(const std::string& path, const std::string& bytes) {
  const std::string record = " path=" + path + "\n";
  size_t length = record.size() + 1;
  while (std::to_string(length).size() + record.size() != length)
    ++length;
  add("PaxHeaders/x", std::to_string(length) + record, 'x');
  return add("shortened", bytes);
}

void TarBuilder::append_padded(const std::string& bytes) {
  bytes_ += bytes;
  bytes_.append((512 - bytes.size() % 512) % 512, '\0');
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void write_gzip(const std::string& path, const std::string& bytes) {
  write_file(path + ".plain", bytes);
  if (run("gzip -nc '" + path + ".plain' > '" + path + "'").exit_code != 0) throw std::runtime_error("gzip failed");
}

}  // namespace lockstep::tests
