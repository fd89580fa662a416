#pragma once

#include <string>
#include <vector>

namespace lockstep::tests {

/// Texts on which tokenizers differ: one idea each. Bytes, not always valid UTF-8.
std::vector<std::string> hard_texts();

}  // namespace lockstep::tests
