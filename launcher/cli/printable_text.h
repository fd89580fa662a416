#pragma once

#include <string>

namespace lockstep {

/// `text` as one line, with control characters (also C1), changes of the writing direction and what is not UTF-8 shown
/// as visible escapes, so that foreign text cannot drive the terminal. For parts of a message.
std::string printable_text(const std::string& text);
/// The same with line ends kept: what the log does with whole messages.
std::string printable_lines(const std::string& text);

}  // namespace lockstep
