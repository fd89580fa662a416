#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <string>

namespace lockstep::data {

/// The bytes of a text file, one after the other; a UTF-8 byte order mark in front is passed over. Never seeks, so that
/// a pipe is as good as a file. One thread.
class TextInput {
 public:
  static constexpr int kEnd = -1;

  /// `file` is how errors call it. Throws DataError if it begins like UTF-16.
  TextInput(std::unique_ptr<std::istream> input, const std::filesystem::path& file);

  const std::string& file() const { return file_; }
  /// The next byte, which stays; kEnd behind the last. Throws DataError naming the file if it cannot be read.
  int peek() { return position_ < chunk_.size() || fill() ? static_cast<uint8_t>(chunk_[position_]) : kEnd; }
  /// The same, and takes it.
  int get() {
    const int byte = peek();
    position_ += byte != kEnd;
    return byte;
  }

 private:
  bool fill();
  void pass_byte_order_mark();

  std::string file_;
  std::unique_ptr<std::istream> input_;
  std::string chunk_;
  size_t position_ = 0;  // of the next byte in it
};

}  // namespace lockstep::data
