#pragma once

#include <array>
#include <string_view>

namespace lockstep::data {

inline constexpr std::string_view kPad = "[PAD]";
inline constexpr std::string_view kUnknown = "[UNK]";
inline constexpr std::string_view kClassify = "[CLS]";
inline constexpr std::string_view kSeparator = "[SEP]";
inline constexpr std::string_view kMask = "[MASK]";
inline constexpr std::array<std::string_view, 5> kSpecialTokens = {kPad, kUnknown, kClassify, kSeparator, kMask};

/// What Hugging Face's tokenizer.json calls the model's settings; other values are not supported.
inline constexpr std::string_view kContinuation = "##";
inline constexpr int kMaxWordCharacters = 100;  // longer words are [UNK]

}  // namespace lockstep::data
