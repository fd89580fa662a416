#include "data/text_input.h"

#include <ios>
#include <string_view>
#include <utility>

#include "data/error.h"

namespace lockstep::data {

TextInput::TextInput(std::unique_ptr<std::istream> input, const std::filesystem::path& file)
    : file_(file.string()), input_(std::move(input)) {
  pass_byte_order_mark();
}

/// The file's next part in place of the one that was read; false at the end. Below the istream, which would take a disk
/// that fails for the end.
bool TextInput::fill() {
  constexpr size_t kPart = 1 << 16;
  chunk_.resize(kPart);
  position_ = 0;
  try {
    chunk_.resize(static_cast<size_t>(input_->rdbuf()->sgetn(chunk_.data(), kPart)));
  } catch (const std::ios_base::failure& failure) {
    throw DataError(file_ + ": cannot be read: " + failure.code().message());
  }
  return !chunk_.empty();
}

void TextInput::pass_byte_order_mark() {
  peek();
  const std::string_view start = std::string_view(chunk_).substr(0, 3);
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF"))
    throw DataError(file_ + ": is UTF-16 (it starts with its byte order mark); save it as UTF-8");
  if (start.substr(0, 2).find('\0') != std::string_view::npos)
    throw DataError(file_ + ": is UTF-16 (one of its first two bytes is zero); save it as UTF-8");
  if (start == "\xEF\xBB\xBF") position_ = start.size();
}

}  // namespace lockstep::data
