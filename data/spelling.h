#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lockstep::data {

/// The one of `candidates` that `word` is most likely meant to be: of fewest edits, case ignored; if even that one
/// differs in more than half of its letters, the first whose words, between '_', are among those of the other; else
/// empty. What errors suggest.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// The one of `candidates` that `word` differs from by one letter, or by two neighbours exchanged, case ignored; else
/// empty. For names of others' choice, where what is farther off is another name.
std::string one_slip_from(std::string_view word, std::span<const std::string> candidates);

/// "text, label, stars", of many the first twenty "and 5 more": what errors and reports list.
std::string listed(std::span<const std::string> names);

/// At most the first `most` bytes, cut at a character's end: what errors quote of a file.
std::string excerpt(std::string_view text, size_t most = 80);

}  // namespace lockstep::data
